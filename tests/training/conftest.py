"""Every test here trains something small: on one thread."""

import pytest


@pytest.fixture(autouse=True)
def on_one_thread(one_thread: None) -> None:
    """Ask for it once for all."""

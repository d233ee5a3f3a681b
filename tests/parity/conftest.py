"""Each parity test hands over its largest difference; tests/conftest.py prints them all at the end."""

import pytest


@pytest.fixture
def report(record_property):
    """Hand over what was compared, in which precision, and the largest difference."""

    def record(peer: str, dtype: object, largest: float) -> None:
        record_property("parity", (peer, str(dtype).removeprefix("torch."), largest))

    return record

"""What nbval runs the notebooks under: the same environment as `make run`, and no comparison of a learner's answer."""

from collections.abc import Generator
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell

from book._tools.notebooks import kernel_environment, tags

ROOT = Path(__file__).parent.parent
LEARNERS_OWN = {"exercise-stub", "exercise-check"}


def pytest_configure(config: pytest.Config) -> None:
    """Say what nbval replaces before it compares, wherever pytest was started, and that no cell may hang."""
    config.option.nbval_sanitize_with = config.option.nbval_sanitize_with or ROOT / "tests" / "notebooks" / "nbval.cfg"
    config.option.nbval_cell_timeout = min(config.option.nbval_cell_timeout, 300)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Compare no output of a stub or its check: a learner who fills the stub in must still pass."""
    for item in items:
        if isinstance(item, IPyNbCell) and LEARNERS_OWN & tags(item.cell):
            item.options["check"] = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Give the kernel, which starts with its first cell, the environment that made the stored outputs."""
    with kernel_environment():
        return (yield)

"""What nbval runs the notebooks under: the same environment as `make run`, and what is compared of a cell's output."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from book._tools.notebooks import kernel_environment, tags
from book._tools.tolerance import Roughly, difference, percent_of

ROOT = Path(__file__).parent.parent
LEARNERS_OWN = {"exercise-stub", "exercise-check"}


class Cell(IPyNbCell):
    """A cell under its own name; an output that differs from run to run is compared roughly, a learner's not at all."""

    percent: float | None = None

    def sanitize(self, text: Any) -> Any:
        """Replace what nbval.cfg says; what is compared roughly says so where it is compared."""
        text = super().sanitize(text)
        if self.percent is None or not isinstance(text, str):
            return text
        text = Roughly(text)
        text.percent = self.percent
        return text

    def format_output_compare(self, key: str, left: Any, right: Any) -> None:
        """Say which number is too far away, before the whole output."""
        if self.percent is not None:
            self.comparison_traceback.append(f"{key}: {difference(left, right, self.percent)}")
        super().format_output_compare(key, str(left), str(right))

    def repr_failure(self, excinfo: Any) -> str:
        """Name the cell by its id: JupyterLab and nbval count them differently."""
        error = excinfo.value
        said = super().repr_failure(excinfo)
        return (
            said.replace(f"Cell {error.cell_num}:", f"Cell {self.cell.id}:", 1)
            if isinstance(error, NbCellError)
            else said
        )


class Notebook(IPyNbFile):
    """A notebook whose cells are collected under their own names."""

    def collect(self) -> Iterator[Cell]:
        """Yield each code cell, and with it what is compared of its output."""
        for found in super().collect():
            cell = Cell.from_parent(
                self, name=found.cell.id, cell_num=found.cell_num, cell=found.cell, options=found.options
            )
            if LEARNERS_OWN & tags(cell.cell):  # a learner who fills the stub in must still pass
                cell.options["check"] = False
            elif "nbval-ignore-output" in tags(cell.cell) and self.compare_outputs:
                cell.options["check"] = True
                cell.percent = percent_of(tags(cell.cell))
            yield cell


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(parent: pytest.Collector) -> Generator[None, list[Any], list[Any]]:
    """Put our notebook where nbval has put its own."""
    found = yield
    return [Notebook.from_parent(parent, path=file.path) if isinstance(file, IPyNbFile) else file for file in found]


def pytest_configure(config: pytest.Config) -> None:
    """Say what nbval replaces before it compares, wherever pytest was started, and that no cell may hang."""
    config.option.nbval_sanitize_with = config.option.nbval_sanitize_with or ROOT / "tests" / "notebooks" / "nbval.cfg"
    config.option.nbval_cell_timeout = min(config.option.nbval_cell_timeout, 300)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Give the kernel, which starts with its first cell, the environment that made the stored outputs."""
    with kernel_environment():
        return (yield)

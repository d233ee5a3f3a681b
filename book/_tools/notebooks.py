"""Reading notebooks: where they are, their cells, tags and words, and the environment that their kernels run in."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nbformat import NotebookNode

BOOK = Path(__file__).parents[1]

# One thread and a fixed hash seed: a sum is added up in the same order, a set is listed in the same order, on each run.
# The last two keep a reader's IPython profile and a warning of the debugger out of the outputs.
KERNEL_ENVIRONMENT = {
    "BLOCKBYBLOCK_STATIC": "1",  # a figure that moves opens no channel to the kernel, so that no widget state is stored
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "IPYTHONDIR": str(BOOK.parent / "_build" / "ipython"),
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "PYTHONOPTIMIZE": "",  # with it, no assertion of a notebook would be tried
}


@contextmanager
def kernel_environment() -> Iterator[None]:
    """Set the variables that a kernel started inside the block inherits, and take them back afterwards."""
    before = dict(os.environ)
    Path(KERNEL_ENVIRONMENT["IPYTHONDIR"]).mkdir(parents=True, exist_ok=True)
    os.environ.update(KERNEL_ENVIRONMENT)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def all_notebooks() -> list[Path]:
    """Return every notebook of the book, in the order of their names: the chapters, then their laboratories."""
    return [*sorted(BOOK.glob("*.ipynb")), *sorted((BOOK / "laboratory").glob("*.ipynb"))]


def name_in_book(path: Path) -> str:
    """Return a notebook's name within the book: `06_add_and_norm.ipynb`, `laboratory/06_add_and_norm.ipynb`."""
    return path.relative_to(BOOK).as_posix()


def cells(notebook: NotebookNode, kind: str) -> list[NotebookNode]:
    """Return the cells of one kind: "code" or "markdown"."""
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def tags(cell: NotebookNode) -> set[str]:
    """Return the tags of a cell."""
    return set(cell.metadata.get("tags", []))


def lines_of_code(cell: NotebookNode) -> int:
    """Count the lines of a code cell that are neither empty nor a comment."""
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in cell.source.splitlines())


_NO_PROSE = re.compile(
    r"""
      ^(?P<fence>```+|~~~+).*?^(?P=fence)[ ]*$  # a block of code or a directive
    | (?P<ticks>`+).*?(?P=ticks)                # code in a line
    | \$\$.*?\$\$ | \$[^$\n]+\$                 # maths
    | <!--.*?-->                                # a comment
    | !(?=\[)                                   # what makes a link an image
    | (?<=\])\([^)]*\)                          # the address of a link
    | <[^>]+>                                   # a tag or an address
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


def prose(source: str) -> str:
    """Return the text of a Markdown cell without its code, maths, addresses and tags."""
    return _NO_PROSE.sub(" ", source)


def count_words(notebook: NotebookNode) -> int:
    """Count the words of prose in a notebook."""
    sources: Iterable[str] = (cell.source for cell in cells(notebook, "markdown"))
    return sum(len(re.findall(r"\w[\w'’-]*", prose(source))) for source in sources)

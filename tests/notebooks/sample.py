"""Small notebooks for the tests of the tools, made of cells that are as they should be unless a test says otherwise."""

from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from book._tools.execute import METADATA, write


def code(source: str, *outputs: Any, cell_id: str = "a-cell", count: int | None = 1, tags: str = "") -> NotebookNode:
    """Make a code cell; an output may be given as the text of its stdout."""
    made = [new_output("stream", name="stdout", text=each) if isinstance(each, str) else each for each in outputs]
    metadata = {"tags": tags.split()} if tags else {}
    return new_code_cell(source, id=cell_id, execution_count=count, outputs=made, metadata=metadata)


def text(source: str, cell_id: str = "a-text") -> NotebookNode:
    """Make a Markdown cell."""
    return new_markdown_cell(source, id=cell_id)


def shown(**data: str) -> NotebookNode:
    """Make a displayed output from its types, written text_plain, image_png, text_html, image_svg."""
    names = {"image_svg": "image/svg+xml"}
    return new_output("display_data", data={names.get(key, key.replace("_", "/")): each for key, each in data.items()})


def notebook(*cells: NotebookNode) -> NotebookNode:
    """Make a notebook in the form in which the book's are kept."""
    return new_notebook(cells=list(cells), metadata=nbformat.from_dict(METADATA))


def save(path: Path, *cells: NotebookNode) -> Path:
    """Write a notebook of these cells and return its path."""
    path.touch()
    write(path, notebook(*cells))
    return path

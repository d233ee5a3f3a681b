"""How long a chapter is to read: at its head, and for all of them on the page "Before you start".

Both are computed from the notebook as it is, by `book/_tools/lengths.py`; nobody writes them down.
"""

from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from blockbyblock.figures.chapters import CHAPTERS
from blockbyblock.figures.tables import table
from book._tools.lengths import exercises, lengths

from .outputs import page_html

TIME = "reading-time"  # the class of the line below a title


def measured(path: Path) -> tuple[int, int]:
    """Return the minutes that a notebook takes to read, and the number of its exercises, which are extra."""
    notebook = nbformat.read(path, as_version=4)
    return lengths(notebook).minutes, exercises(notebook)


def sentence(minutes: int, count: int) -> str:
    """Say both: 27 minutes to read, 4 exercises."""
    text = f"{max(minutes, 1)} minute{'s' if minutes > 1 else ''} to read"
    return text + (f", {count} exercise{'s' if count > 1 else ''}" if count else "")


def head(app: Sphinx, doctree: nodes.document) -> None:
    """Write below the title of a notebook how long it takes."""
    path = Path(app.env.doc2path(app.env.docname))
    title = next(doctree.findall(nodes.title), None)
    if path.suffix != ".ipynb" or title is None:
        return
    paragraph = nodes.paragraph("", sentence(*measured(path)), classes=[TIME])
    title.parent.insert(title.parent.index(title) + 1, paragraph)


class Reading(SphinxDirective):
    """A fence that begins with {reading}: the chapters that are written, with the minutes that each takes."""

    def run(self) -> list[nodes.Node]:
        """Put the table in the place of the fence."""
        book, rows = Path(self.env.srcdir) / "book", []
        for chapter in CHAPTERS:
            if chapter.written and (book / chapter.file_name).is_file():
                minutes, count = measured(book / chapter.file_name)
                self.env.note_dependency(str(book / chapter.file_name))
                rows.append({"chapter": chapter.heading, "minutes to read": minutes, "exercises": count})
        total = {"chapter": "all", **{key: sum(row[key] for row in rows) for key in ("minutes to read", "exercises")}}
        shown = table([*rows, total], "Minutes that each chapter takes to read, and its exercises, which are extra.")
        return [nodes.raw("", page_html(shown._repr_html_()), format="html")]


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.add_directive("reading", Reading)
    app.connect("doctree-read", head)

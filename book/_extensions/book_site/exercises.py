"""The appendix "Exercises at a glance": the directive `exercises` lists what the registry of the package holds."""

import re
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from blockbyblock.figures.chapters import CHAPTERS
from blockbyblock.practice import Overview, overview

BOOK = Path(__file__).parents[2]
TITLES = {
    f"{chapter.number:02}": (f"{chapter.number:02} {chapter.title}", f"{chapter.file_name}#exercises")
    for chapter in CHAPTERS
}
TITLES["notation"] = ("Notation", "notation.ipynb#exercise")


def lines() -> Iterator[str]:
    """Yield the appendix in Markdown: the chapters, below each its exercises, below each the mistakes, folded."""
    for chapter, rows in groupby(overview(), key=lambda row: row.chapter):
        title, place = TITLES[chapter] if chapter in TITLES else own(chapter)
        yield f"- [{title}]({place})"
        for row in rows:
            yield f"  - {row.title}."
            yield ""
            yield f"    {folded(row)}"
            yield ""


def own(chapter: str) -> tuple[str, str]:
    """Return the title and the file of a chapter that a fork has added: `music-scale` is an exercise of music.ipynb.

    Raises:
        LookupError: there is no such notebook.
    """
    found = sorted([*BOOK.glob(f"{chapter}.ipynb"), *BOOK.glob(f"{chapter}_*.ipynb")])
    if not found:
        raise LookupError(f"exercises {chapter}-..., and no notebook {chapter}.ipynb or {chapter}_*.ipynb in book/")
    heading = re.search(r"^# (.+)", nbformat.read(found[0], as_version=4).cells[0].source, re.MULTILINE)
    return (heading[1] if heading else found[0].stem), found[0].name


def folded(row: Overview) -> str:
    """Return what an exercise recognises, closed until somebody opens it."""
    mistakes = "".join(f"<li>{escape(mistake)}</li>" for mistake in row.mistakes)
    return f"<details><summary>recognises {len(row.mistakes)} wrong answers</summary><ul>{mistakes}</ul></details>"


class Exercises(SphinxDirective):
    """A fence that begins with {exercises}."""

    def run(self) -> list[nodes.Node]:
        """List the exercises in the place of the fence."""
        place = nodes.container()
        self.state.nested_parse(StringList(list(lines()), "exercises"), 0, place)
        return place.children


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.add_directive("exercises", Exercises)

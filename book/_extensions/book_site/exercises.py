"""The appendix "Exercises at a glance": the directive `exercises` lists what the registry of the package holds."""

from collections.abc import Iterator
from html import escape
from itertools import groupby

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from blockbyblock.figures.chapters import CHAPTERS
from blockbyblock.practice import Overview, overview

TITLES = {f"{chapter.number:02}": (f"{chapter.number:02} {chapter.title}", chapter.file_name) for chapter in CHAPTERS}
TITLES["notation"] = ("Notation", "notation.ipynb")


def lines() -> Iterator[str]:
    """Yield the appendix in Markdown: the chapters, below each its exercises, below each the mistakes, folded."""
    for chapter, rows in groupby(overview(), key=lambda row: row.chapter):
        title, file = TITLES[chapter]
        yield f"- [{title}]({file}{'#exercises' if chapter.isdigit() else '#exercise'})"
        for row in rows:
            yield f"  - {row.title}."
            yield ""
            yield f"    {folded(row)}"
            yield ""


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

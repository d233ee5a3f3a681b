"""How long a notebook is to read: what its reader has in front of them, and how many minutes that takes.

The cells that set up and that hold the map are the same everywhere, and the exercises are extra: neither is counted.
"""

import re
from dataclasses import dataclass, fields

from nbformat import NotebookNode

from book._tools.notebooks import BOOK, cells, count_words, tags

FRAME = {"setup", "map"}  # the ids of the cells that every chapter has
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
UNSEEN_OUTPUT = {"hide-cell", "remove-cell", "hide-output", "remove-output"}
WORDS_A_MINUTE, SECONDS_A_LINE, SECONDS_A_CELL = 200, 4, 6

_NUMBER = re.compile(r"(?<![\w.])[-−+]?\d+(?:[.,]\d+)*(?:e[-+−]?\d+)?")


@dataclass(frozen=True)
class Lengths:
    """What a reader of a notebook meets, exercises not counted.

    Attributes:
        words: of prose.
        cells: of code.
        lines: of code in sight.
        assertions: in sight.
        folded: lines of code that are folded away.
        numbers: the most that one output in sight shows.
        minutes: to read all of it: words, lines in sight, cells.
    """

    words: int
    cells: int
    lines: int
    assertions: int
    folded: int
    numbers: int

    @property
    def minutes(self) -> int:
        """Reading time: 200 words a minute, four seconds a line in sight, six seconds for each cell's output."""
        seconds = self.lines * SECONDS_A_LINE + self.cells * SECONDS_A_CELL
        return round(self.words / WORDS_A_MINUTE + seconds / 60)

    def over(self, limits: "Lengths") -> list[str]:
        """Return a complaint for each length that is above its limit."""
        found = [(each.name, getattr(self, each.name), getattr(limits, each.name)) for each in fields(self)]
        return [f"{name}: {here}, at most {most}" for name, here, most in found if here > most]


A_CHAPTER = Lengths(words=1900, cells=24, lines=170, assertions=8, folded=120, numbers=40)
# The exceptions, each with its reason.
LONGER = {
    "13_transformer.ipynb": Lengths(1900, 32, 300, 8, 120, 40),  # the whole model stands there, every line of it once
}
# A chapter that has no laboratory yet still holds its experiments.
BEFORE_ITS_LABORATORY = Lengths(3500, 45, 10_000, 10_000, 10_000, 10_000)


def limits(name: str) -> Lengths:
    """Return what a chapter may have; `name` is its file's."""
    if not (BOOK / "laboratory" / name).is_file():
        return BEFORE_ITS_LABORATORY
    return LONGER.get(name, A_CHAPTER)


def counted(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook without its set-up, its map and its exercises.

    An exercise is a tagged cell, the paragraph before a stub, and whatever stands under the heading "Exercises".
    """
    kept, in_exercises = [], False
    for cell, following in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^##? (.*)", cell.source, re.MULTILINE):
                in_exercises = heading.startswith("Exercise")
            of_exercise = following is not None and "exercise-stub" in tags(following)
        else:
            of_exercise = any(tag.startswith("exercise-") for tag in tags(cell))
        if not (in_exercises or of_exercise or cell.id in FRAME or not cell.source.strip()):
            kept.append(cell)
    return NotebookNode({**notebook, "cells": kept})


def exercises(notebook: NotebookNode) -> int:
    """Count the exercises."""
    return sum("exercise-stub" in tags(cell) for cell in notebook.cells)


def lengths(notebook: NotebookNode) -> Lengths:
    """Measure a notebook."""
    rest = counted(notebook)
    code = cells(rest, "code")
    in_sight = [cell for cell in code if not FOLDED & tags(cell)]
    return Lengths(
        words=count_words(rest),
        cells=len(code),
        lines=sum(map(_lines, in_sight)),
        assertions=sum(len(re.findall(r"^\s*assert\b", cell.source, re.MULTILINE)) for cell in in_sight),
        folded=sum(_lines(cell) for cell in code if FOLDED & tags(cell)),
        numbers=max((_numbers(cell) for cell in code if not UNSEEN_OUTPUT & tags(cell)), default=0),
    )


def _lines(cell: NotebookNode) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def _numbers(cell: NotebookNode) -> int:
    """Count the numbers in a cell's largest output; a figure is no text."""
    return max((len(_NUMBER.findall(_shown(output))) for output in cell.outputs), default=0)


def _shown(output: NotebookNode) -> str:
    data = output.get("data", {})
    html = data.get("text/html", "")
    if "<table" in html and not re.search("<svg|<script", html):
        return re.sub(r"<[^>]+>", " ", html)
    if html or any(kind.startswith("image/") for kind in data):
        return ""
    return str(output.get("text", "") or data.get("text/plain", ""))

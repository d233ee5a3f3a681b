"""The page of questions: the directive `questions` lays out `book/questions.toml`, chapter by chapter."""

import tomllib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from blockbyblock.figures.chapters import CHAPTERS


def lines(questions: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the page in Markdown: below the heading of a chapter each question, its answer and where it is shown."""
    for number, group in groupby(questions, key=lambda question: question["chapter"]):
        chapter = CHAPTERS[number]
        yield f"## [{chapter.heading}]({chapter.file_name})"
        yield ""
        for question in group:
            asked = ", ".join(
                f"[{'asked' if place == 0 else 'again'}]({address})" for place, address in enumerate(question["asked"])
            )
            yield f"“{question['asks']}” ({asked})"
            yield f": {question['answer']} [Shown here]({question['shown']})."
            yield ""


class Questions(SphinxDirective):
    """A fence that begins with {questions}."""

    def run(self) -> list[nodes.Node]:
        """Lay the questions out in the place of the fence."""
        file = Path(self.env.srcdir) / "book" / "questions.toml"
        self.env.note_dependency(str(file))
        questions = tomllib.loads(file.read_text(encoding="utf-8"))["question"]
        place = nodes.section()
        self.state.nested_parse(StringList(list(lines(questions)), str(file)), 0, place, match_titles=True)
        return place.children


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.add_directive("questions", Questions)

"""The page of questions: each is answered shortly, shown in the book, and was asked in public."""

import re
import tomllib

import nbformat
import pytest

from blockbyblock.figures.chapters import CHAPTERS
from book._tools.notebooks import BOOK

QUESTIONS = tomllib.loads((BOOK / "questions.toml").read_text(encoding="utf-8"))["question"]


def slugs(name):
    """The anchors of a notebook's headings, as a link names them."""
    cells = nbformat.read(BOOK / name, as_version=4).cells
    headings = [
        heading
        for cell in cells
        if cell.cell_type == "markdown"
        for heading in re.findall(r"^#+ (.+)", cell.source, re.MULTILINE)
    ]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["asks"][:40])
def test_a_question_is_answered_shown_and_was_asked(question):
    assert set(question) == {"chapter", "asks", "answer", "shown", "asked"}
    assert CHAPTERS[question["chapter"]].written
    assert 1 <= len(re.findall(r"[.?](?:\s|$)", question["answer"])) <= 4, "two or three sentences"
    assert len(question["answer"].split()) <= 70
    name, _, anchor = question["shown"].partition("#")
    assert anchor in slugs(name), sorted(slugs(name))
    assert question["asked"]
    assert all(address.startswith("https://") for address in question["asked"])


def test_the_questions_are_in_the_order_of_the_chapters_and_each_once():
    numbers = [question["chapter"] for question in QUESTIONS]
    assert numbers == sorted(numbers)
    asked = [question["asks"] for question in QUESTIONS]
    assert len(asked) == len(set(asked))


def test_a_chapter_with_a_laboratory_has_its_questions_here_and_none_of_its_own():
    for path in (BOOK / "laboratory").glob("*.ipynb"):
        assert sum(question["chapter"] == int(path.name[:2]) for question in QUESTIONS) >= 10
        assert not any("question" in slug for slug in slugs(path.name))

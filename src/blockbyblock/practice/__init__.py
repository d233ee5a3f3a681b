"""Exercises that answer back.

A notebook's cell `check("notation-shapes", attention_shapes)` tries the reader's answer, recognises the well-known
wrong answers by what they do, and says what to look at. The exercises of a chapter stand in the module of that chapter,
`practice/chapter_01.py` or `practice/notation.py`, as a tuple named `EXERCISES`; a new file there is found by itself.
"""

from blockbyblock.practice.exercise import (
    Exercise,
    Forbidden,
    Mistake,
    NotUsable,
    Overview,
    apply,
    build,
    choose,
    find,
    overview,
    registry,
)
from blockbyblock.practice.result import Result, Verdict
from blockbyblock.practice.trial import check, judge

__all__ = [
    "Exercise",
    "Forbidden",
    "Mistake",
    "NotUsable",
    "Overview",
    "Result",
    "Verdict",
    "apply",
    "build",
    "check",
    "choose",
    "find",
    "judge",
    "overview",
    "registry",
]

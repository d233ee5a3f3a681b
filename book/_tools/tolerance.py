"""Comparing an output that differs from run to run: words are equal, numbers are close, a time may be anything.

A cell tagged `nbval-ignore-output` asserts its claim about the fresh value; what a reader sees is the stored one. So it
is compared too, on the platform where all outputs are. Two tags of the cell say what may differ:

- `tolerance-30`: its numbers may differ by 30 percent instead of 10;
- `timing`: all its numbers come from a clock, and only its words are compared.
"""

import re
from collections.abc import Iterable
from itertools import zip_longest

PERCENT = 10
TOLERANCE = re.compile(r"tolerance-(\d+)")
NUMBER = re.compile(
    r"""
    (?<![\w.])[-+−]?                      # not within a word or a version: float32, W2, 2.13.0
    (?P<whole>\d+(?:,\d{3})*)(?P<decimals>\.\d+)?(?P<exponent>[eE][-+]?\d+)?
    (?P<unit>[ ]?(?:%|(?:ns|[µu]s|ms|s|min|seconds?|minutes?|hours?)\b(?![-_/])))?
    """,
    re.VERBOSE,
)


def percent_of(tags: Iterable[str]) -> float:
    """Return by how many percent the numbers of a cell with these tags may differ; infinity for a timing."""
    stated = [float(found[1]) for found in map(TOLERANCE.fullmatch, tags) if found]
    return float("inf") if "timing" in tags else max(stated, default=PERCENT)


def is_time(number: re.Match[str]) -> bool:
    """Tell whether a unit of time follows the number."""
    return bool(number["unit"]) and "%" not in number["unit"]


def value(number: re.Match[str]) -> float:
    """Return a printed number as a float."""
    digits = number[0].removesuffix(number["unit"] or "").strip()
    return float(digits.replace(",", "").replace("−", "-"))


def rounding(number: re.Match[str]) -> float:
    """Return one unit of the last digit of a rounded number; zero for a whole one, which counts something."""
    if not (number["decimals"] or number["exponent"] or number["unit"]):
        return 0.0
    return float(10 ** (int((number["exponent"] or "e0")[1:]) - len(number["decimals"] or ".") + 1))


def difference(stored: str, fresh: str, percent: float = PERCENT) -> str | None:
    """Return the first place where two outputs differ by more than they may, or None.

    A number may differ by `percent` of the larger one, or by one unit of its last digit if it is rounded. So a count
    below ten has to be equal.

    Args:
        stored: the output in the notebook.
        fresh: that of this run.
        percent: see `percent_of`.
    """
    for before, after in zip_longest(stored.splitlines(), fresh.splitlines(), fillvalue=""):
        if words(before) != words(after):
            return f"{before.strip()!r} is now {after.strip()!r}"
        for old, new in zip(NUMBER.finditer(before), NUMBER.finditer(after), strict=True):
            largest = max(abs(value(old)), abs(value(new)))
            allowed = max(percent / 100 * largest, 1.001 * max(rounding(old), rounding(new)))
            if not is_time(old) and abs(value(old) - value(new)) > allowed:
                return f"{old[0].strip()} is now {new[0].strip()}, in {before.strip()!r}"
    return None


def words(line: str) -> list[str]:
    """Return what is no number in a line; how wide a column is depends on its numbers."""
    return NUMBER.sub(
        lambda number: " # time " if is_time(number) else " # % " if number["unit"] else " # ", line
    ).split()


class Roughly(str):
    """A text that equals another one if it differs from it by no more than `percent` lets it."""

    percent: float = PERCENT

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and difference(self, other, self.percent) is None

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

"""Numbers in prose are bound to the cells that compute them, so that one that has become stale is seen.

A paragraph named after a cell speaks of that cell: each number in `cost-intro`, `cost-read` or `cost-note` occurs in
the source or the output of `cost` or of a cell whose name begins with `cost-`. A paragraph with another name takes its
numbers from anywhere in the notebook. One that comes from elsewhere, a paper or another chapter, is named in a comment
at the end of the cell, which no reader sees: <!-- elsewhere: 38, 48 -->

Not looked at: whole numbers up to twelve, years, and what follows "section", "chapter", "Table" or the like.
"""

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from book._tools.notebooks import cells, prose

SMALL, YEARS = 12, range(1990, 2031)
SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9}
PLACE = r"(?:[Ss]ections?|[Cc]hapters?|Tables?|Figures?|Equations?|[Aa]ppendix|[Pp]ages?|Python|PyTorch)\s"
IN_PROSE = re.compile(
    rf"(?:(?P<place>{PLACE})|(?<![\w.,/#-]))"
    r"(?P<digits>\d+(?:,\d{3})*(?:\.\d+)?)(?![\w]|\.\d|,\d)(?:\s(?P<scale>thousand|million|billion))?"
)
IN_CELL = re.compile(r"\d+(?:[,_]\d{3})*(?:\.\d+)?(?:[eE][-+]?\d+)?")
ELSEWHERE = re.compile(r"<!--\s*elsewhere:(.*?)-->", re.DOTALL)


def numbers_in_prose_are_computed(notebook: NotebookNode, name: str) -> Iterator[str]:
    """A number in a paragraph occurs in the cells that the paragraph is named for."""
    code = cells(notebook, "code")
    everywhere = known(code)
    for cell in cells(notebook, "markdown"):
        subject = re.sub(r"-(?:intro|read|note)$", "", cell.id)
        named = [each for each in code if each.id == subject or each.id.startswith(f"{subject}-")]
        named = named if subject != cell.id else []
        there = known(named) if named else everywhere
        exempt = {digits.strip() for list_ in ELSEWHERE.findall(cell.source) for digits in list_.split(", ")}
        for found in IN_PROSE.finditer(prose(cell.source)):
            digits = found["digits"]
            if not (found["place"] or is_small(found) or digits in exempt or occurs(found, there)):
                where = f"the cells named {', '.join(each.id for each in named)}" if named else "any cell"
                yield (
                    f"{cell.id}: {digits} is not in {where}: is it stale? "
                    f"If it comes from elsewhere: <!-- elsewhere: {digits} -->"
                )


def known(code: list[NotebookNode]) -> set[float]:
    """Return each number in the sources and text outputs of code cells; a share also as a percentage."""
    found = set()
    for cell in code:
        outputs = [output.get("text", "") for output in cell.outputs]
        outputs += [text for output in cell.outputs for kind, text in output.get("data", {}).items() if "text" in kind]
        text = re.sub(r"<svg\b.*?</svg>", "", "\n".join([cell.source, *outputs]), flags=re.DOTALL)
        found |= {float(number.replace(",", "").replace("_", "")) for number in IN_CELL.findall(text)}
    return found | {round(100 * number, 6) for number in found if number <= 1}


def is_small(found: re.Match[str]) -> bool:
    """Tell whether a number is too common to look for: a small count, or a year."""
    digits = found["digits"]
    return digits.isdigit() and not found["scale"] and (int(digits) <= SMALL or int(digits) in YEARS)


def occurs(found: re.Match[str], there: set[float]) -> bool:
    """Tell whether a number of the prose is one of these, or what one of them is rounded to."""
    scale = SCALES.get(found["scale"], 1.0)
    digits = found["digits"].replace(",", "")
    half = 0.5000001 * scale * 10.0 ** -len(digits.partition(".")[2])
    sought = float(digits) * scale
    if scale == 1.0 and "." not in digits:  # 128 is not 128, rounded, of another whole number, but may be of 127.8
        return any(number == sought or (number % 1 and abs(number - sought) <= half) for number in there)
    return any(abs(number - sought) <= half for number in there) or (float(digits) in there and scale != 1.0)

"""Text from files: two aligned ones, one tab-separated or one by itself, plain, `.gz` or inside a `.zip`.

How text is read, `texts` says. What cannot be used is left out, counted and shown in a report.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from os import PathLike
from pathlib import Path
from typing import Literal, get_args

from blockbyblock.checks import check_choice, check_positive
from blockbyblock.data.pairs import Pair
from blockbyblock.texts import BadLine, Line, read_lines

Problem = Literal[BadLine, "unpaired", "empty", "too long"]
Unpaired = Literal["refuse", "leave out"]
MAX_CHARACTERS = 1000
SHOWN = 3  # lines of each problem that a report shows


@dataclass
class ReadingReport:
    """What was found in a text, and what was left out of it.

    Attributes:
        name: the file, or the two files.
        lines: lines read; of two aligned files, those of the longer one.
        pairs: lines that became a pair, or a text where `kept` says so.
        refused: the number of lines with each problem. `lines` is the sum of these and `pairs`.
        first: for each problem its first few lines, as (line number from 1, text, shortened).
        kept: what became of the good lines: "pairs", "texts".
    """

    name: str
    lines: int = 0
    pairs: int = 0
    refused: dict[Problem, int] = field(default_factory=dict)
    first: dict[Problem, list[tuple[int, str]]] = field(default_factory=dict)
    kept: str = "pairs"

    def refuse(self, problem: Problem, text: str) -> None:
        """Count the line read last as one with this problem."""
        self.refused[problem] = self.refused.get(problem, 0) + 1
        shown = self.first.setdefault(problem, [])
        if len(shown) < SHOWN:
            shown.append((self.lines, text if len(text) <= 60 else f"{text[:60]}..."))

    def __str__(self) -> str:
        rows = [f"{self.name}: {self.lines:,} lines, {self.pairs:,} {self.kept}"]
        for problem, count in self.refused.items():
            shown = "; ".join(f"line {number}: {text!r}" for number, text in self.first[problem])
            rows.append(f"  {count:,} {problem} ({shown}{'; ...' if count > SHOWN else ''})")
        return "\n".join(rows)


def read_aligned(
    source: str | PathLike[str],
    target: str | PathLike[str],
    *,
    max_characters: int = MAX_CHARACTERS,
    unpaired: Unpaired = "refuse",
) -> tuple[list[Pair], ReadingReport]:
    """Pairs of the lines with the same number.

    Args:
        source: text file, UTF-8, a sentence on each line; `.gz` too.
        target: the translations, line by line.
        max_characters: a longer sentence is refused, on either side.
        unpaired: what to do with files of different length, in which lines have no counterpart: "refuse" them, since
            a line that is missing in the middle shifts all that follow, or "leave out" the lines beyond the shorter.

    Returns:
        The usable pairs, without white space around a sentence, and the report.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is in another encoding, a compressed one is damaged, or they differ in length.
    """
    check_choice(get_args(Unpaired), unpaired=unpaired)
    source, target = Path(source), Path(target)
    lengths = [0, 0]

    def rows() -> Iterator[list[Line]]:
        for sides in zip_longest(read_lines(source), read_lines(target)):
            lengths[:] = [length + (side is not None) for length, side in zip(lengths, sides, strict=True)]
            yield [side for side in sides if side is not None]

    pairs, report = _collect(rows(), f"{source.name} and {target.name}", max_characters)
    if unpaired == "refuse" and lengths[0] != lengths[1]:
        raise ValueError(
            f"{source} has {lengths[0]:,} lines and {target} {lengths[1]:,}: they do not pair, and one line missing in "
            'the middle would shift all that follow. Where lines are missing at the end only, unpaired="leave out" '
            "takes the others"
        )
    return pairs, report


def read_tsv(
    path: str | PathLike[str],
    *,
    columns: tuple[int, int] = (0, 1),
    member: str | None = None,
    max_characters: int = MAX_CHARACTERS,
) -> tuple[list[Pair], ReadingReport]:
    """Pairs from one file with tabs between the columns. There is no quoting: a quotation mark is a character.

    Args:
        path: text file, UTF-8, a pair on each line; `.gz` too.
        columns: where source and target stand, counted from 0; other columns are not read.
        member: the file to read inside a `.zip`.
        max_characters: a longer sentence is refused, on either side.

    Returns:
        As `read_aligned`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is in another encoding, or a compressed one is damaged or holds no such member.
    """
    path = Path(path)

    def rows() -> Iterator[list[Line]]:
        for line in read_lines(path, member):
            cells = line.text.split("\t")
            whole = max(columns) < len(cells)
            yield [line._replace(text=cells[column]) for column in columns] if whole else [line]

    return _collect(rows(), member or path.name, max_characters)


def read_texts(path: str | PathLike[str], *, max_characters: int = MAX_CHARACTERS) -> tuple[list[str], ReadingReport]:
    """The lines of a file, each a text by itself.

    Args:
        path: text file, UTF-8, a text on each line; `.gz` too.
        max_characters: a longer text is refused.

    Returns:
        The usable texts, without white space around them, and the report.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is in another encoding, or a compressed one is damaged.
    """
    path = Path(path)
    rows, report = _usable(([line] for line in read_lines(path)), 1, path.name, max_characters)
    report.kept = "texts"
    return [text for (text,) in rows], report


def _collect(rows: Iterable[list[Line]], name: str, max_characters: int) -> tuple[list[Pair], ReadingReport]:
    """Make a pair of each row that has two usable sides; a row with fewer sides is one that does not pair."""
    good, report = _usable(rows, 2, name, max_characters)
    return [Pair(*texts) for texts in good], report


def _usable(
    rows: Iterable[list[Line]], sides: int, name: str, max_characters: int
) -> tuple[list[list[str]], ReadingReport]:
    check_positive(max_characters=max_characters)
    good: list[list[str]] = []
    report = ReadingReport(name)
    for row in rows:
        report.lines += 1
        texts = [side.text.strip() for side in row]
        if problem := _problem(row, texts, sides, max_characters):
            report.refuse(problem, " | ".join(side.text for side in row))
        else:
            good.append(texts)
    report.pairs = len(good)
    return good, report


def _problem(row: list[Line], texts: list[str], sides: int, max_characters: int) -> Problem | None:
    if bad := [side.problem for side in row if side.problem]:
        return bad[0]
    if len(row) < sides:
        return "unpaired"
    if not all(texts):
        return "empty"
    return "too long" if max(map(len, texts)) > max_characters else None

"""Parallel text from files: two aligned ones or one tab-separated, plain, `.gz` or inside a `.zip`.

A line ends at a line feed, with or without a carriage return before it, and nowhere else: U+2028, U+0085 and the like
are characters of the text, and a reader that splits at them shifts one side against the other. What cannot be used is
left out, counted and shown in a report.
"""

import codecs
import gzip
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from os import PathLike
from pathlib import Path
from typing import Literal, NamedTuple

from blockbyblock.checks import check_positive
from blockbyblock.data.pairs import Pair

Problem = Literal["unpaired", "not UTF-8", "empty", "too long"]
MAX_CHARACTERS = 1000
SHOWN = 3  # lines of each problem that a report shows


@dataclass
class ReadingReport:
    """What was found in a text, and what was left out of it.

    Attributes:
        name: the file, or the two files.
        lines: lines read; of two aligned files, those of the longer one.
        pairs: lines that became a pair.
        refused: the number of lines with each problem. `lines` is the sum of these and `pairs`.
        first: for each problem its first few lines, as (line number from 1, text, shortened).
    """

    name: str
    lines: int = 0
    pairs: int = 0
    refused: dict[Problem, int] = field(default_factory=dict)
    first: dict[Problem, list[tuple[int, str]]] = field(default_factory=dict)

    def refuse(self, problem: Problem, text: str) -> None:
        """Count the line read last as one with this problem."""
        self.refused[problem] = self.refused.get(problem, 0) + 1
        shown = self.first.setdefault(problem, [])
        if len(shown) < SHOWN:
            shown.append((self.lines, text if len(text) <= 60 else f"{text[:60]}..."))

    def __str__(self) -> str:
        rows = [f"{self.name}: {self.lines:,} lines, {self.pairs:,} pairs"]
        for problem, count in self.refused.items():
            shown = "; ".join(f"line {number}: {text!r}" for number, text in self.first[problem])
            rows.append(f"  {count:,} {problem} ({shown}{'; ...' if count > SHOWN else ''})")
        return "\n".join(rows)


class _Line(NamedTuple):
    text: str
    valid: bool


def read_aligned(
    source: str | PathLike[str], target: str | PathLike[str], *, max_characters: int = MAX_CHARACTERS
) -> tuple[list[Pair], ReadingReport]:
    """Pairs of the lines with the same number.

    Args:
        source: text file, UTF-8, a sentence on each line; `.gz` too.
        target: the translations, line by line.
        max_characters: a longer sentence is refused, on either side.

    Returns:
        The usable pairs, without white space around a sentence, and the report.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a compressed file is damaged.
    """
    source, target = Path(source), Path(target)
    rows = ([side for side in sides if side] for sides in zip_longest(_lines(source), _lines(target)))
    return _collect(rows, f"{source.name} and {target.name}", max_characters)


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
        ValueError: a compressed file is damaged, or holds no such member.
    """
    path = Path(path)

    def rows() -> Iterator[list[_Line]]:
        for line in _lines(path, member):
            cells = line.text.split("\t")
            whole = max(columns) < len(cells)
            yield [_Line(cells[column], line.valid) for column in columns] if whole else [line]

    return _collect(rows(), member or path.name, max_characters)


def _collect(rows: Iterable[list[_Line]], name: str, max_characters: int) -> tuple[list[Pair], ReadingReport]:
    """Make a pair of each row that has two usable sides; a row with fewer sides is one that does not pair."""
    check_positive(max_characters=max_characters)
    pairs: list[Pair] = []
    report = ReadingReport(name)
    for sides in rows:
        report.lines += 1
        texts = [side.text.strip() for side in sides]
        if problem := _problem(sides, texts, max_characters):
            report.refuse(problem, " | ".join(side.text for side in sides))
        else:
            pairs.append(Pair(*texts))
    report.pairs = len(pairs)
    return pairs, report


def _problem(sides: list[_Line], texts: list[str], max_characters: int) -> Problem | None:
    if not all(side.valid for side in sides):
        return "not UTF-8"
    if len(sides) < 2:
        return "unpaired"
    if not all(texts):
        return "empty"
    return "too long" if max(map(len, texts)) > max_characters else None


def _lines(path: Path, member: str | None = None) -> Iterator[_Line]:
    with _open(path, member) as file:
        for number, line in enumerate(file):  # a binary file splits at b"\n" only
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            if number == 0:
                line = line.removeprefix(codecs.BOM_UTF8)
            try:
                yield _Line(line.decode(), True)
            except UnicodeDecodeError:
                yield _Line(line.decode(errors="backslashreplace"), False)


@contextmanager
def _open(path: Path, member: str | None) -> Iterator[Iterable[bytes]]:
    try:
        if member is not None:
            with zipfile.ZipFile(path) as archive, archive.open(member) as file:
                yield file
        elif path.suffix == ".gz":
            with gzip.open(path) as file:
                yield file
        else:
            with path.open("rb") as file:
                yield file
    except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged or not what its name says: {error}") from error
    except KeyError as error:
        raise ValueError(f"{path} holds no file {member}") from error

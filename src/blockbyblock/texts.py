"""The one way in which this package reads text: UTF-8, from a file, a `.gz`, a member of a `.zip` or standard input.

A line ends at a line feed, with or without a carriage return before it, and nowhere else: U+2028, U+0085 and the like
are characters of the text, and a reader that splits at them shifts one side of a parallel text against the other. A
byte order mark is taken off, also where one text was put behind another. Text in UTF-16 or UTF-32, as some editors on
Windows write it, is refused as a whole: its bytes would make text full of NULs.
"""

import codecs
import gzip
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, Literal, NamedTuple, cast

BadLine = Literal["not UTF-8", "NUL"]
# The longer marks first: that of UTF-32, little end first, begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
# Of four bytes, those that are NUL: in UTF-16 of Latin text, in UTF-32 of any.
_NULS = {
    (False, True, False, True): "UTF-16LE",
    (True, False, True, False): "UTF-16BE",
    (False, True, True, True): "UTF-32LE",
    (False, False, True, True): "UTF-32LE",
    (True, True, True, False): "UTF-32BE",
    (True, True, False, False): "UTF-32BE",
}
_MOST = 0.7  # the least share of such bytes that are NUL, in a line that may hold other letters too


class Line(NamedTuple):
    """A line without its end.

    Attributes:
        text: of a line that cannot be used, what can be shown of it.
        problem: why it cannot be used.
        place: the first bad byte, as "byte 3 is 0xff".
    """

    text: str
    problem: BadLine | None = None
    place: str = ""


def read_lines(path: str | PathLike[str], member: str | None = None) -> Iterator[Line]:
    """The lines of a file, one by one.

    Args:
        path: the file; one that ends in `.gz` is unpacked.
        member: the file to read inside a `.zip`.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: it is in another encoding, or a compressed file is damaged or holds no such member.
    """
    with _opened(Path(path), member) as stream:
        yield from to_lines(stream, str(path))


def to_lines(stream: Iterable[bytes], name: str) -> Iterator[Line]:
    """The lines of a stream of bytes, each as soon as it has come.

    Args:
        stream: what gives its bytes line by line: a binary file, standard input.
        name: what to call it in an error.

    Raises:
        ValueError: it is in another encoding.
    """
    before, known = 0, False
    for content in stream:
        if not known:  # until a line of text has come, it may be in any encoding
            _require_utf8(content, before, name)
        before += len(content)
        line = _line(content.removesuffix(b"\n").removesuffix(b"\r").removeprefix(codecs.BOM_UTF8))
        known = known or bool(line.text and not line.problem)
        yield line


def read_good_lines(path: str | PathLike[str]) -> list[str]:
    """The lines of a file in which every line must be good.

    Raises:
        OSError, ValueError: as `read_lines`; or a line cannot be used, with its number.
    """
    lines = []
    for number, line in enumerate(read_lines(path), start=1):
        if line.problem:
            raise ValueError(f"{path}, line {number}: {line.problem}: {line.place}")
        lines.append(line.text)
    return lines


def read_text(path: str | PathLike[str]) -> str:
    """The whole text of a file, with its line ends as they are.

    Raises:
        OSError, ValueError: as `read_good_lines`.
    """
    with _opened(Path(path)) as stream:
        content = stream.read()
    _require_utf8(content, 0, str(path))
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        read_good_lines(path)  # which says where
        raise


def _line(content: bytes) -> Line:
    try:
        text, problem, at = content.decode(), "NUL", content.find(b"\0")
    except UnicodeDecodeError as error:
        text, problem, at = content.decode(errors="backslashreplace"), "not UTF-8", error.start
    if at < 0:
        return Line(text)
    return Line(text, cast(BadLine, problem), f"byte {at} is 0x{content[at]:02x}")


def _require_utf8(content: bytes, before: int, name: str) -> None:
    """Refuse another encoding, by its mark or by its NULs, in a line that begins after so many bytes.

    Raises:
        ValueError: naming the encoding and what to do.
    """
    encoding = next((found for mark, found in _MARKS.items() if not before and content.startswith(mark)), None)
    encoding = encoding or _wide(content, before)
    if encoding:
        raise ValueError(
            f"{name} is text in {encoding}, and this package reads UTF-8: `iconv -f {encoding} -t UTF-8` turns one "
            'into the other; in an editor on Windows choose the encoding UTF-8 in "Save as"'
        )


def _wide(content: bytes, before: int) -> str | None:
    """The encoding whose NULs stand in a line, at their places among each four bytes of the file."""
    if content.count(0) < 2:
        return None
    places = [content[(place - before) % 4 :: 4] for place in range(4)]
    shares = [each.count(0) / len(each) if each else 0.0 for each in places]
    found = tuple(share >= _MOST for share in shares)
    spread = all(share >= _MOST or share <= 1 - _MOST for share in shares)
    return _NULS.get(cast(tuple[bool, bool, bool, bool], found)) if spread else None


@contextmanager
def _opened(path: Path, member: str | None = None) -> Iterator[IO[bytes]]:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, and a file with text is needed")
    try:
        if member is not None:
            with zipfile.ZipFile(path) as archive, archive.open(member) as file:
                yield file
        elif path.suffix.lower() == ".gz":
            with gzip.open(path) as packed:
                yield cast(IO[bytes], packed)
        else:
            with path.open("rb") as plain:
                yield plain
    except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged or not what its name says: {error}") from error
    except KeyError as error:
        raise ValueError(f"{path} holds no file {member}") from error

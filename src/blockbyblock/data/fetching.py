"""Files of published corpora: from a local folder, from the cache, or from their home.

A download can be interrupted at any time. What has come is kept beside the file with the server's mark of its version,
and the next call goes on from there if the version is still the same. A file gets its name only when it is whole.
"""

import hashlib
import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from filelock import FileLock
from platformdirs import user_cache_path
from tqdm.auto import tqdm  # type: ignore[import-untyped]

FOLDER_VARIABLE = "BLOCKBYBLOCK_DATA"
CHUNK = 1 << 16  # bytes
TIMEOUT = 30.0  # seconds without an answer


class DownloadError(OSError):
    """A file could not be had from its home; the message says what to do."""


@dataclass(frozen=True)
class Remote:
    """A file of a corpus.

    Attributes:
        url: where it is downloaded from.
        unpacked: the name that its text has when the user holds it unpacked.
        sha256: the hash of the whole file; None where the home replaces it now and then.
    """

    url: str
    unpacked: str
    sha256: str | None = None

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.url.rpartition("/")[2]


def obtain(corpus: str, remotes: Sequence[Remote], folder: str | os.PathLike[str] | None = None) -> list[Path]:
    """The files of a corpus, in the order asked for.

    Looks into `folder` if it is given, and nowhere else. Else into the folder that the environment variable
    BLOCKBYBLOCK_DATA names, then into the user's cache, into which missing files are downloaded. In a folder the files
    may stand directly or in a folder of the corpus's name, packed or unpacked.

    Raises:
        FileNotFoundError: `folder` is given and does not hold the files.
        DownloadError: a file cannot be had from its home.
    """
    for place in _local_places(corpus, folder):
        found = [path for remote in remotes for path in _held(place, remote)]
        if len(found) == len(remotes):
            return found
    if folder is not None:
        places = " or ".join(str(place) for place in _local_places(corpus, folder))
        raise FileNotFoundError(f"{', '.join(remote.name for remote in remotes)}: not all found in {places}")
    cache = _cache() / corpus
    for remote in remotes:
        download(remote.url, cache / remote.name, sha256=remote.sha256)
    return [cache / remote.name for remote in remotes]


def _local_places(corpus: str, folder: str | os.PathLike[str] | None) -> list[Path]:
    named = os.environ.get(FOLDER_VARIABLE) if folder is None else folder
    place = expanded(named) if named else None
    return [] if place is None else [place / corpus, place]


def expanded(folder: str | os.PathLike[str]) -> Path:
    """A path with the folder of a user in the place of `~`, which the shell leaves alone inside quotes.

    Raises:
        ValueError: there is no such user, or this one has no folder.
    """
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{folder}: {_no_home(error)}; write the path without ~") from error


def _cache() -> Path:
    """Where downloads are kept.

    Raises:
        ValueError: the user has no folder.
    """
    try:
        cache = user_cache_path("blockbyblock")
    except RuntimeError as error:
        raise ValueError(f"no place to download to: {_no_home(error)}; name a folder in {FOLDER_VARIABLE}") from error
    if not cache.is_absolute():  # "~" stays where nobody knows what it means, and would become a folder of that name
        raise ValueError(f"no place to download to: this user has no home; set HOME, or {FOLDER_VARIABLE}")
    return cache


def _no_home(error: RuntimeError) -> str:
    return str(error).rstrip(".")


def _held(place: Path, remote: Remote) -> Iterator[Path]:
    """The one path under which `place` holds the file, or none."""
    yield from [path for path in (place / remote.name, place / remote.unpacked) if path.is_file()][:1]


def download(url: str, path: Path, *, sha256: str | None = None) -> None:
    """Make `path` the whole file at `url`; do nothing if it is there already.

    Args:
        url: where the file is.
        path: where it shall be; its folder is made if need be.
        sha256: the hash that it must have, if that is known.

    Raises:
        DownloadError: the server does not answer, refuses, breaks off, or sends another file than expected.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):  # the processes of one run ask for the same file at the same time
        if path.is_file() and sha256 in (None, sha256_of(path)):
            return
        part = path.with_name(f"{path.name}.part")
        try:
            _transfer(url, part)
        except (URLError, HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
            raise DownloadError(f"{url} could not be read: {error}. {_advice(path.name)}") from error
        actual = sha256_of(part)
        if sha256 not in (None, actual):
            part.unlink()
            raise DownloadError(f"{url} is another file than expected: its SHA-256 is {actual}, not {sha256}")
        os.replace(part, path)
        _version_file(part).unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _transfer(url: str, part: Path) -> None:
    """Bring `part` to its full length, from where it is."""
    version_file = _version_file(part)
    version = version_file.read_text(encoding="ascii") if version_file.exists() else ""
    held = part.stat().st_size if version and part.exists() else 0
    # The home of Tatoeba turns away Python's own name.
    headers = {"User-Agent": "Mozilla/5.0 (compatible; blockbyblock)"}
    if held:
        # A file that has changed since is sent from its start: two halves of two versions are no file.
        headers |= {"Range": f"bytes={held}-", "If-Range": version}
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        if error.code != 416 or not held:
            raise
        # Nothing lies beyond what is held: it was whole and never renamed, or it is too long. Begin again.
        part.unlink()
        return _transfer(url, part)
    with response:
        resumed = response.status == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {held}-"):
            raise HTTPException(f"asked for the bytes from {held}, got {response.headers.get('Content-Range')}")
        if response.headers["Content-Length"] is None:
            raise HTTPException("the server does not say how long the file is")
        held = held if resumed else 0
        total = held + int(response.headers["Content-Length"])
        with (
            part.open("ab" if resumed else "wb") as file,
            tqdm(desc=part.stem, total=total, initial=held, unit="B", unit_scale=True) as bar,
        ):
            if not resumed:  # and only now that the old bytes are gone
                version_file.write_text(_version(response.headers), encoding="ascii")
            while chunk := response.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
            held = file.tell()
    if held != total:
        raise HTTPException(f"the connection ended after {held} of {total} bytes")


def _version_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")


def _version(headers: Message) -> str:
    """What names this version of the file byte by byte; empty where the server has no such name.

    A weak tag (W/"...") promises the same meaning, not the same bytes.
    """
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")


def _advice(name: str) -> str:
    return (
        "What has come so far is kept: the same call again goes on from there. Without a network, put "
        f"{name} into a folder and name it, by --data (`folder` in Python) or in {FOLDER_VARIABLE}. Number names need "
        "no file."
    )

"""Where the files of the user's own text are: the paths in the section [corpus] of a recipe."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from blockbyblock.data.fetching import expanded

OWN_TEXT = "parallel-text"
OWN_TEXTS = {OWN_TEXT: ("source", "target"), "plain-text": ("file",), "labelled-text": ("file",)}  # and its paths


def located(corpus: Mapping[str, Any], folder: str | PathLike[str] | None = None) -> dict[str, Any]:
    """The section with its paths in full, so that it holds from any folder; that of another corpus as it is.

    Args:
        corpus: the section.
        folder: where relative paths begin, and where a file is looked for that is no longer in its old place; not
            given, the current folder.

    Raises:
        ValueError: what should be the name of a file is none, or it begins with the `~` of nobody.
    """
    return {**corpus, **{side: _place(path, folder) for side, path in _files(corpus).items()}}


def by_name(corpus: Mapping[str, Any]) -> dict[str, Any]:
    """The section with the names of its files alone: where a text lies is of no matter to what is learned from it."""
    return {**corpus, **{side: path.name for side, path in _files(corpus).items()}}


def _files(corpus: Mapping[str, Any]) -> dict[str, Path]:
    named = {side: corpus[side] for side in OWN_TEXTS.get(corpus["name"], ()) if side in corpus}
    for side, path in named.items():
        if not isinstance(path, (str, Path)):
            raise ValueError(f"the recipe's [corpus] has {side}={path!r} where the name of a file is due")
    return {side: Path(path) for side, path in named.items()}


def _place(path: Path, folder: str | PathLike[str] | None) -> str:
    start = expanded(folder or "")
    place = start / expanded(path)  # an absolute path stays what it is
    moved = start / path.name
    return str((moved if folder is not None and moved.exists() and not place.exists() else place).absolute())

"""Files that are either the old one or the new one, whole, whenever the power fails."""

import os
from pathlib import Path

TEMPORARY = ".tmp"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside its place, see it onto the disk, then rename it into place.

    A process that dies on the way leaves the old file as it was, and a file named `*.tmp` beside it.

    Raises:
        OSError: the disk is full, or the folder cannot be written; the old file is untouched.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, f"{error.strerror}; what was saved before is untouched", str(path)) from error
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """See the new name onto the disk too; Windows has no call for this, and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""Files that are either the old one or the new one, whole, whenever the power fails."""

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

TEMPORARY = ".tmp"
_LINKS = 40  # as many as the operating system follows before it speaks of a loop
# What file systems answer that have no such call: older CIFS, shared folders of virtual machines, FUSE.
_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF}


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside its place, see it onto the disk, then rename it into place.

    A process that dies on the way leaves the old file as it was, and a file named `*.tmp` beside it. The new file has
    the mode of the old one, and its owner where the process may give it away. A symbolic link stays one: the file that
    it names is replaced. What is no regular file (a device, a pipe, `/dev/stdout`) is written as it is.

    Raises:
        OSError: the disk is full, or the file or its folder cannot be written; the old file is untouched.
    """
    untouched = ""
    try:
        descriptor = _held_open(path)
        held = None if descriptor is not None else _status(path)
        if descriptor is not None:
            sys.stdout.flush()  # what was printed before stands before it
            _write_through(os.dup(descriptor), content)
        elif held is not None and not stat.S_ISREG(held.st_mode):
            _write_through(os.open(path, os.O_WRONLY), content)
        else:
            target, untouched = Path(os.path.realpath(path)), "; what was saved before is untouched"
            _replace(target, content, held)
            untouched = "; it is written, and may be lost if the power fails now"
            _sync_folder(target.parent)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}{untouched}", str(path)) from error


def _held_open(path: Path) -> int | None:
    """The number under which this process holds the file open: of `/dev/stdout`, `/dev/fd/63`, or a link to one.

    Opened anew by its name, a file that the shell has opened would be cut off, and a socket would not open at all.
    """
    for _ in range(_LINKS):
        if path.name.isdecimal() and os.path.realpath(path.parent) in ("/dev/fd", f"/proc/{os.getpid()}/fd"):
            return int(path.name)
        if not path.is_symlink():
            break
        path = path.parent / os.readlink(path)
    return None


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _write_through(descriptor: int, content: bytes) -> None:
    with open(descriptor, "wb") as file:
        file.write(content)


def _replace(path: Path, content: bytes, held: os.stat_result | None) -> None:
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        # Until it has the old file's mode nobody else may read it.
        mode = 0o666 if held is None else 0o600
        with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            if held is not None and os.name == "posix":
                _pass_on(held, file.fileno())
            file.write(content)
            file.flush()
            _sync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _pass_on(held: os.stat_result, descriptor: int) -> None:
    """Give a new file the owner, the group and the mode of an old one, as far as this process may."""
    new = os.fstat(descriptor)
    for user, group in ((held.st_uid, -1), (-1, held.st_gid)):
        if user not in (-1, new.st_uid) or group not in (-1, new.st_gid):
            with suppress(OSError):  # only root gives files away, and some file systems know no owners
                os.fchown(descriptor, user, group)
    with suppress(PermissionError):  # a file system without modes
        os.fchmod(descriptor, stat.S_IMODE(held.st_mode))  # last: a new owner clears some of its bits


def _sync_folder(folder: Path) -> None:
    """See the new name onto the disk too; Windows has no call for this, and needs none."""
    if os.name == "posix":
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except PermissionError:  # a folder that may be written and not listed: the file is in its place
            return
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)


def _sync(descriptor: int) -> None:
    """Ask the disk to hold what was written; a file system that cannot be asked decides by itself."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise

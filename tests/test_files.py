"""What is written: whole or not at all, through links, with the old mode, and into what is no regular file."""

import errno
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from blockbyblock.cli import main
from blockbyblock.files import write_atomically

OWN_PLACE = "import sys; from pathlib import Path; from blockbyblock.files import write_atomically\n"


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def cannot_sync(code):
    def fsync(_):
        raise OSError(code, os.strerror(code))

    return fsync


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
def test_a_file_system_that_cannot_sync_is_written_all_the_same(tmp_path, monkeypatch, code):
    monkeypatch.setattr(os, "fsync", cannot_sync(code))
    write_atomically(tmp_path / "file", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"new"}


def test_a_training_runs_on_a_file_system_that_cannot_sync(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "fsync", cannot_sync(errno.EINVAL))
    recipe = 'title = "Tiny"\nvocab_size = 280\nbatch_tokens = 200\n[corpus]\nname = "number-names"\ntrain = 20\n'
    recipe += "validation = 2\ntest = 2\n[model]\nd_model = 8\nheads = 2\nd_ff = 8\nencoder_layers = 1\n"
    recipe += "decoder_layers = 1\nmax_length = 64\n[training]\nsteps = 1\nwarmup = 1\n"
    (tmp_path / "tiny.toml").write_text(recipe, encoding="utf-8")
    assert main(["train", str(tmp_path / "tiny.toml"), "--to", str(tmp_path / "run"), "--quiet"]) == 0
    assert "finished after 1 steps" in capsys.readouterr().err


if sys.platform != "win32":  # which has neither modes nor devices, and links for administrators only

    @pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
    def test_a_folder_that_fails_is_an_error_with_the_name_of_the_file(tmp_path, monkeypatch, code):
        fsync = os.fsync

        def folders_fail(descriptor):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(code, os.strerror(code))
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", folders_fail)
        with pytest.raises(OSError, match=r"it is written, and may be lost.*file") as caught:
            write_atomically(tmp_path / "file", b"new")
        assert caught.value.errno == code

    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755])
    def test_the_mode_of_the_old_file_is_kept(tmp_path, mode):
        path = tmp_path / "file"
        path.write_bytes(b"old")
        path.chmod(mode)
        write_atomically(path, b"new")
        assert (path.read_bytes(), mode_of(path)) == (b"new", mode)

    def test_a_new_file_has_the_mode_of_any_other_new_file(tmp_path):
        (tmp_path / "other").touch()
        write_atomically(tmp_path / "file", b"new")
        assert mode_of(tmp_path / "file") == mode_of(tmp_path / "other")

    def test_a_secret_file_is_never_open_to_others(tmp_path, monkeypatch):
        path, seen, fsync = tmp_path / "file", [], os.fsync
        path.write_bytes(b"old")
        path.chmod(0o600)
        monkeypatch.setattr(os, "fchmod", lambda descriptor, mode: seen.append(os.fstat(descriptor).st_mode & 0o77))
        monkeypatch.setattr(os, "fsync", lambda number: seen.append(os.fstat(number).st_mode & 0o77) or fsync(number))
        write_atomically(path, b"new")
        assert seen[:2] == [0, 0]

    def test_owner_and_group_are_given_back_where_that_is_allowed(tmp_path, monkeypatch):
        path, given = tmp_path / "file", []
        path.write_bytes(b"old")

        held = os.stat_result((path.stat().st_mode, 0, 0, 1, os.getuid() + 1, os.getgid() + 1, 3, 0, 0, 0))

        def refuse(_, user, group):
            given.append((user, group))
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr("blockbyblock.files._status", lambda _: held)
        monkeypatch.setattr(os, "fchown", refuse)
        write_atomically(path, b"new")
        assert given == [(os.getuid() + 1, -1), (-1, os.getgid() + 1)]
        assert path.read_bytes() == b"new"

    def test_a_link_stays_and_what_it_names_is_written(tmp_path):
        (tmp_path / "there").mkdir()
        target = tmp_path / "there" / "file"
        target.write_bytes(b"old")
        target.chmod(0o600)
        (tmp_path / "second").symlink_to("there/file")
        (tmp_path / "first").symlink_to(tmp_path / "second")
        write_atomically(tmp_path / "first", b"new")
        assert (target.read_bytes(), mode_of(target)) == (b"new", 0o600)
        assert (tmp_path / "first").is_symlink()
        assert (tmp_path / "second").is_symlink()
        assert [path.name for path in target.parent.iterdir()] == ["file"]

    def test_a_link_to_a_file_that_is_not_there_yet(tmp_path):
        (tmp_path / "link").symlink_to("file")
        write_atomically(tmp_path / "link", b"new")
        assert (tmp_path / "file").read_bytes() == b"new"
        assert (tmp_path / "link").is_symlink()

    def test_links_in_a_circle_and_folders_are_refused_by_name(tmp_path):
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        with pytest.raises(OSError, match=r"symbolic links.*a'"):
            write_atomically(tmp_path / "a", b"new")
        with pytest.raises(IsADirectoryError, match=str(tmp_path)):
            write_atomically(tmp_path, b"new")
        assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}

    def test_a_named_pipe_is_written_and_stays_one(tmp_path):
        path, read = tmp_path / "pipe", []
        os.mkfifo(path)
        reader = Thread(target=lambda: read.append(path.read_bytes()))
        reader.start()
        write_atomically(path, b"new")
        reader.join(timeout=60)
        assert read == [b"new"]
        assert stat.S_ISFIFO(path.stat().st_mode)
        assert [found.name for found in tmp_path.iterdir()] == ["pipe"]

    def test_a_device_is_written_and_stays_one(tmp_path):
        """A terminal, which everybody may make; no test touches the machine's /dev/null, which a fault would cost."""
        ours, theirs = os.openpty()
        (tmp_path / "link").symlink_to(os.ttyname(theirs))
        write_atomically(tmp_path / "link", b"new")
        assert os.read(ours, 9) == b"new"
        assert stat.S_ISCHR((tmp_path / "link").stat().st_mode)
        assert [path.name for path in tmp_path.iterdir()] == ["link"]
        os.close(ours)
        os.close(theirs)

    def test_a_private_device_in_a_folder_of_ones_own(tmp_path):
        """For root, who may make one: there a rename is allowed, and turned the device into a file."""
        path = tmp_path / "null"
        try:
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            path.open("wb").close()
        except OSError:
            return
        write_atomically(path, b"new")
        assert stat.S_ISCHR(path.stat().st_mode)
        assert [found.name for found in tmp_path.iterdir()] == ["null"]

    def test_standard_output_gets_what_is_written_in_its_order(tmp_path):
        """Also where the shell has sent it into a file, which is neither cut off nor replaced."""
        (tmp_path / "link").symlink_to("/dev/stdout")
        names = ["/dev/stdout", "/dev/fd/1", "link"]
        program = OWN_PLACE + "for name in sys.argv[1:]:\n    print(name)\n    write_atomically(Path(name), b'new\\n')"
        command = [sys.executable, "-c", program, *names]
        expected = b"/dev/stdout\nnew\n/dev/fd/1\nnew\nlink\nnew\n"
        with (tmp_path / "out").open("w") as out:
            subprocess.run(command, stdout=out, cwd=tmp_path, check=True, timeout=120)
        assert (tmp_path / "out").read_bytes() == expected
        assert {path.name for path in tmp_path.iterdir()} == {"link", "out"}
        piped = subprocess.run(command, stdout=subprocess.PIPE, cwd=tmp_path, check=True, timeout=120)
        assert piped.stdout == expected

    def test_a_socket_that_is_open_is_written(tmp_path):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            write_atomically(Path(f"/dev/fd/{ours.fileno()}"), b"new")
            assert theirs.recv(9) == b"new"

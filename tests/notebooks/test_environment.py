"""Setting up .venv: the CPU build of torch where it is the right one, and what is missing named with its remedy."""

import http.server
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from book._tools import environment

LOCK = "-e .\nnumpy==2.0\ntorch==9.8.7\ntorchvision==1.0\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A Linux machine without a GPU whose programs do not run but are noted; what they return can be set."""
    state = SimpleNamespace(ran=[], installed="", answers=True, pip=0)

    def run(command, **options):
        words = " ".join(str(word) for word in command[1:])
        state.ran.append(words)
        status = state.pip if "pip install" in words else 0
        return subprocess.CompletedProcess(command, status, stdout=state.installed)

    monkeypatch.setattr(environment.subprocess, "run", run)
    monkeypatch.setattr(environment, "cpu_index_answers", lambda: state.answers)
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    monkeypatch.setattr(environment.sys, "platform", "linux")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path)
    for lock in ("requirements.txt", "requirements-dev.txt"):
        (tmp_path / lock).write_text(LOCK, encoding="utf-8")
    state.path = tmp_path
    return state


def installs(machine):
    return [words for words in machine.ran if "pip install" in words]


def test_the_cpu_build_comes_first_in_the_version_of_the_lock(machine):
    environment.main("requirements.txt")
    first, second = installs(machine)
    assert first.endswith(f"--no-deps --index-url {environment.CPU_INDEX} torch==9.8.7")
    assert second.endswith("-r requirements.txt")
    assert "-qq" in first.split()


@pytest.mark.parametrize(
    "platform, gpu, installed, answers",
    [
        ("darwin", None, "", True),
        ("win32", None, "", True),
        ("linux", "/usr/bin/nvidia-smi", "", True),
        ("linux", None, "9.8.7\n", True),
        ("linux", None, "", False),
    ],
    ids=["macOS", "Windows", "a GPU", "torch is there", "the index does not answer"],
)
def test_plain_pip_otherwise(machine, monkeypatch, platform, gpu, installed, answers):
    monkeypatch.setattr(environment.sys, "platform", platform)
    monkeypatch.setattr(environment.shutil, "which", lambda name: gpu)
    machine.installed, machine.answers = installed, answers
    environment.main("requirements.txt")
    assert [words.split()[-2:] for words in installs(machine)] == [["-r", "requirements.txt"]]


def test_the_index_is_asked_and_not_waited_for(monkeypatch):
    """A page is a yes; no such page, nobody there and somebody silent are a no."""
    monkeypatch.setattr(environment, "SECONDS_TO_ANSWER", 0.5)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/cpu/torch/" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        for address, answer in ((f"{here}/cpu", True), (f"{here}/elsewhere", False)):
            monkeypatch.setattr(environment, "CPU_INDEX", address)
            assert environment.cpu_index_answers() is answer
        server.shutdown()
    monkeypatch.setattr(environment, "CPU_INDEX", here)
    assert not environment.cpu_index_answers()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(environment, "CPU_INDEX", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert not environment.cpu_index_answers()


def test_another_version_of_torch_is_replaced_by_the_cpu_build(machine):
    machine.installed = "9.8.6\n"
    environment.main("requirements.txt")
    assert len(installs(machine)) == 2


def test_a_stamp_says_what_is_installed_and_a_failure_leaves_none(machine):
    environment.main("requirements.txt")
    assert [path.name for path in machine.path.glob("*.stamp")] == ["requirements.txt.stamp"]
    (machine.path / "requirements.txt.stamp").unlink()
    environment.main("requirements-dev.txt")
    assert sorted(path.name for path in machine.path.glob("*.stamp")) == [
        "requirements-dev.txt.stamp",
        "requirements.txt.stamp",
    ]
    for stamp in machine.path.glob("*.stamp"):
        stamp.unlink()
    machine.pip = 1
    with pytest.raises(SystemExit, match="pip could not install"):
        environment.main("requirements-dev.txt")
    assert not list(machine.path.glob("*.stamp"))


def test_a_missing_ensurepip_is_named_with_its_remedy(machine, monkeypatch):
    monkeypatch.setattr(environment, "environment_is_sound", lambda: False)
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="sudo apt install python3-venv"):
        environment.main("requirements.txt")
    assert machine.ran == []


def test_an_old_python_is_named(machine, monkeypatch):
    monkeypatch.setattr(environment, "environment_is_sound", lambda: False)
    old = type("Version", (tuple,), {"major": 3, "minor": 9})((3, 9))
    monkeypatch.setattr(environment.sys, "version_info", old)
    with pytest.raises(SystemExit, match=r"3\.11 or newer is needed, this is 3\.9"):
        environment.main("requirements.txt")


def test_half_an_environment_is_not_sound(tmp_path, monkeypatch):
    assert environment.environment_is_sound() or not environment.PYTHON.exists()
    monkeypatch.setattr(environment, "PYTHON", tmp_path / "python")
    assert not environment.environment_is_sound()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    name = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    monkeypatch.setattr(environment, "PYTHON", tmp_path / "venv" / name)
    assert not environment.environment_is_sound()

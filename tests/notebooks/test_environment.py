"""Setting up .venv: the CPU build of torch where it is the right one, and what is missing named with its remedy."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from book._tools import environment

LOCK = "-e .\nnumpy==2.0\ntorch==9.8.7\ntorchvision==1.0\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A Linux machine without a GPU whose programs do not run but are noted; what they return can be set."""
    state = SimpleNamespace(ran=[], installed="", index=0, pip=0, hangs=False)

    def run(command, **options):
        words = " ".join(str(word) for word in command[1:])
        state.ran.append(words)
        if "index versions" in words and state.hangs:
            raise subprocess.TimeoutExpired(command, options["timeout"])
        status = state.index if "index versions" in words else state.pip if "pip install" in words else 0
        return subprocess.CompletedProcess(command, status, stdout=state.installed)

    monkeypatch.setattr(environment.subprocess, "run", run)
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
    assert first.endswith(f"--index-url {environment.CPU_INDEX} torch==9.8.7")
    assert second.endswith("-r requirements.txt")
    assert "-qq" in first.split()


@pytest.mark.parametrize(
    "platform, gpu, installed, index, hangs",
    [
        ("darwin", None, "", 0, False),
        ("win32", None, "", 0, False),
        ("linux", "/usr/bin/nvidia-smi", "", 0, False),
        ("linux", None, "9.8.7\n", 0, False),
        ("linux", None, "", 1, False),
        ("linux", None, "", 0, True),
    ],
    ids=["macOS", "Windows", "a GPU", "torch is there", "the index answers no", "the index is silent"],
)
def test_plain_pip_otherwise(machine, monkeypatch, platform, gpu, installed, index, hangs):
    monkeypatch.setattr(environment.sys, "platform", platform)
    monkeypatch.setattr(environment.shutil, "which", lambda name: gpu)
    machine.installed, machine.index, machine.hangs = installed, index, hangs
    environment.main("requirements.txt")
    assert [words.split()[-2:] for words in installs(machine)] == [["-r", "requirements.txt"]]


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

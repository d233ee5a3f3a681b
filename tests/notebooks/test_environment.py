"""Setting up .venv: the CPU build of torch where it is the right one, and what is missing named with its remedy."""

import http.server
import re
import shutil
import socket
import subprocess
import sys
import threading
import zipfile
from types import SimpleNamespace

import pytest
import yaml
from hygiene import ROOT

from book._tools import environment

PLACE_OF_PYTHON = environment.PYTHON.relative_to(environment.VENV)
LOCK = "-e .\nnumpy==2.0\ntorch==9.8.7\ntorchvision==1.0\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A Linux machine without a GPU whose programs do not run but are noted; what they return can be set."""
    state = SimpleNamespace(ran=[], installed="", answers=True, pip=0, packages=set())
    state.imports = str(tmp_path / "src" / "blockbyblock" / "__init__.py")

    def run(command, **options):
        words = " ".join(str(word) for word in command[1:])
        state.ran.append(words)
        status = state.pip if "pip install" in words else 0
        if command[0] == "apt-cache":
            status = 0 if command[-1] in state.packages else 100
        printed = state.imports if "find_spec" in words else state.installed
        return subprocess.CompletedProcess(command, status, stdout=printed)

    monkeypatch.setattr(environment.subprocess, "run", run)
    monkeypatch.setattr(environment, "environment_is_sound", lambda: True)
    monkeypatch.setattr(environment, "cpu_index_answers", lambda: state.answers)
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    monkeypatch.setattr(environment.sys, "platform", "linux")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path)
    for lock in ("requirements.txt", "requirements-dev.txt"):
        (tmp_path / lock).write_text(LOCK, encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
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


@pytest.mark.parametrize("version", [(3, 9), (3, 10), (3, 15), (4, 0)])
def test_a_python_out_of_range_is_named(machine, monkeypatch, version):
    monkeypatch.setattr(environment, "environment_is_sound", lambda: False)
    monkeypatch.setattr(environment.sys, "version_info", version)
    said = rf"^Python 3\.11 to 3\.14 is needed, .* is {version[0]}\.{version[1]}: [^\n]*$"
    with pytest.raises(SystemExit, match=said):
        environment.main("requirements.txt")
    assert not [words for words in machine.ran if "venv" in words.split()]


@pytest.mark.parametrize(
    ("program", "packages", "remedy"),
    [
        ("apt-cache", {"python3.11-venv", "python3.13-venv"}, "sudo apt install python3.13 python3.13-venv"),
        ("apt-cache", set(), "uv python install 3.14, then make PYTHON="),
        ("dnf", set(), "sudo dnf install python3.14"),
        ("brew", set(), "brew install python@3.14"),
        (None, set(), "uv python install 3.14, then make PYTHON="),
    ],
)
def test_the_remedy_is_one_that_this_system_has(machine, monkeypatch, program, packages, remedy):
    machine.packages = packages
    monkeypatch.setattr(environment.shutil, "which", lambda name: f"/usr/bin/{name}" if name == program else None)
    assert remedy in environment.remedy()


def test_a_link_to_another_environment_is_not_emptied(machine, monkeypatch):
    monkeypatch.setattr(environment, "environment_is_sound", lambda: False)
    (machine.path / "theirs").mkdir()
    (machine.path / "link").symlink_to(machine.path / "theirs")
    monkeypatch.setattr(environment, "VENV", machine.path / "link")
    with pytest.raises(SystemExit, match="is a link"):
        environment.main("requirements.txt")
    assert not [words for words in machine.ran if "--clear" in words]


@pytest.mark.parametrize("imports", ["", "None", "/elsewhere/src/blockbyblock/__init__.py"])
def test_packages_that_went_elsewhere_are_said(machine, imports):
    """A file of settings with `target` sends them there, and pip is content."""
    machine.imports = imports
    with pytest.raises(SystemExit, match=r"elsewhere .* target, prefix or root .* pip config list"):
        environment.main("requirements.txt")
    assert not list(machine.path.glob("*.stamp"))


# With a real environment ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An environment as `create_environment` makes it, in a folder whose name holds a space."""
    venv = tmp_path_factory.mktemp("a checkout") / ".venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    return venv


@pytest.fixture
def here(made, monkeypatch):
    """Take an environment for ours, the one made unless told otherwise."""

    def take(venv=made):
        monkeypatch.setattr(environment, "VENV", venv)
        monkeypatch.setattr(environment, "PYTHON", venv / PLACE_OF_PYTHON)
        return venv

    take()
    return take


def site_packages(venv):
    return next(venv.glob("[Ll]ib*/**/site-packages"))


def test_an_environment_is_sound_where_it_was_made(here):
    assert environment.environment_is_sound()


def test_one_that_is_not_there_or_has_no_pip_is_not(here, tmp_path):
    here(tmp_path / "nowhere")
    assert not environment.environment_is_sound()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    here(tmp_path / "venv")
    assert not environment.environment_is_sound()


def test_a_copy_is_not_sound(here, made, tmp_path):
    here(shutil.copytree(made, tmp_path / ".venv", symlinks=True))
    assert not environment.environment_is_sound()


def test_one_whose_installation_was_cut_off_is_not_sound(here, made):
    """pip writes RECORD last, and takes a package without it for one that is there."""
    info = site_packages(made) / "torch-9.8.7.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.8.7\n")
    assert not environment.environment_is_sound()
    (info / "RECORD").touch()
    assert environment.environment_is_sound()
    shutil.rmtree(info)


def test_one_of_a_python_that_the_project_does_not_take_is_not_sound(here, monkeypatch):
    monkeypatch.setattr(environment, "supported", lambda: ["3.99"])
    assert not environment.environment_is_sound()


@pytest.mark.parametrize(
    "setting",
    ["USER=1", "TARGET=t", "PREFIX=t", "ROOT=t", "DRY_RUN=1", "REQUIRE_VIRTUALENV=1", "PYTHON=nobody", "PYTHONHOME=t"],
)
def test_pip_installs_into_the_environment_whatever_the_shell_says(here, made, tmp_path, monkeypatch, setting):
    name, _, value = setting.partition("=")
    name = name if name == "PYTHONHOME" else f"PIP_{name}"
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", "")
        file.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("tiny-1.0.dist-info/RECORD", "")
    monkeypatch.setenv(name, str(tmp_path / value) if value == "t" else value)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    environment.pip("install", "--no-index", "--force-reinstall", str(wheel))
    assert (site_packages(made) / "tiny.py").exists()
    monkeypatch.delenv(name)
    environment.pip("uninstall", "-y", "tiny")
    assert not (site_packages(made) / "tiny.py").exists()


# The Makefile ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose environment is in order, and no Python on the path: `say` returns what make would do."""
    for program in ("sh", "sed", "head", "grep", "awk", "rm"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / program).symlink_to(shutil.which(program))
    root = tmp_path / "a checkout"
    root.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, root)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / ".venv"], check=True)
    (site_packages(root / ".venv") / "pip.py").touch()  # a whole one takes seconds
    (root / ".venv" / "bin" / "pip").write_text(f'#!/bin/sh\nexec "{root}/.venv/bin/python" "$0" "$@"\n')
    for stamp in ("requirements.txt.stamp", "requirements-dev.txt.stamp"):
        (root / ".venv" / stamp).touch()

    def say(*arguments, at=root, **variables):
        environ = {"PATH": str(tmp_path / "bin"), **variables}
        ran = subprocess.run(
            [shutil.which("make"), *(arguments or ("-n", "book"))], cwd=at, env=environ, capture_output=True, text=True
        )
        return ran.stdout + ran.stderr

    def add(program, status):
        """Put a Python on the path which says that it suits (0) or not (1)."""
        path = tmp_path / "bin" / program
        path.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit {status}\necho {program} "$@"\n')
        path.chmod(0o755)

    return SimpleNamespace(root=root, say=say, add=add)


needs_make = pytest.mark.skipif(sys.platform == "win32", reason="README gives the plain commands for Windows")


@needs_make
def test_make_leaves_an_environment_alone_that_is_in_order(checkout):
    assert "environment.py" not in checkout.say()


@needs_make
@pytest.mark.parametrize("change", ["moved", "copied", "its Python is gone"])
def test_make_sets_up_again_what_does_not_work_here(checkout, change):
    root = checkout.root
    if change == "moved":
        root = root.rename(root.with_name("elsewhere"))
    elif change == "copied":
        root = shutil.copytree(root, root.with_name("elsewhere"), symlinks=True)
    else:
        (root / ".venv" / "bin" / "python").unlink()
    assert "environment.py requirements.txt" in checkout.say(at=root)


@needs_make
def test_make_takes_the_first_python_of_the_range(checkout):
    (checkout.root / ".venv" / "requirements.txt.stamp").unlink()
    checkout.add("python3", 1)
    for version in environment.supported()[1:]:
        checkout.add(f"python{version}", 0)
    said = checkout.say(".venv/requirements.txt.stamp")
    assert said.startswith(f"python{environment.supported()[1]} book/_tools/environment.py")
    checkout.add("python3", 0)
    assert checkout.say(".venv/requirements.txt.stamp").startswith("python3 book/_tools/environment.py")


@needs_make
def test_make_lets_a_python_out_of_range_say_what_helps_and_names_a_remedy_where_there_is_none(checkout):
    (checkout.root / ".venv" / "requirements.txt.stamp").unlink()
    assert "No Python found: sudo apt install python3 python3-venv" in checkout.say(".venv/requirements.txt.stamp")
    checkout.add("python3", 1)
    assert checkout.say(".venv/requirements.txt.stamp").startswith("python3 book/_tools/environment.py")


@needs_make
@pytest.mark.parametrize("name", ["PYTHONHOME", "PYTHONOPTIMIZE", "PYTHONSAFEPATH", "PYTHONPATH"])
def test_make_drops_what_a_shell_has_set_for_another_python(checkout, name):
    shown = checkout.root / "shown.mk"
    shown.write_text(f'include Makefile\nshown:\n\t@echo "[$${name}]"\n')
    said = checkout.say("-f", "shown.mk", "shown", **{name: "/elsewhere"})
    assert said == (f"[{checkout.root}/src]\n" if name == "PYTHONPATH" else "[]\n")
    assert "environment.py" not in checkout.say(**{name: "/elsewhere"})


# What else names the range --------------------------------------------------------------------------------------------


def test_the_pages_and_the_workflow_name_the_range_of_pyproject():
    first, *_, last = environment.supported()
    for page in ("README.md", "book/before_you_start.md"):
        assert f"Python {first} to {last}" in (ROOT / page).read_text(encoding="utf-8")
    jobs = yaml.safe_load((ROOT / ".github/workflows/validate.yml").read_text(encoding="utf-8"))["jobs"]
    tested = {entry["python"] for entry in jobs["lax"]["strategy"]["matrix"]["include"]}
    assert tested == set(environment.supported())
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'requires-python = "(.*)"', text)[1] == f">={first}"

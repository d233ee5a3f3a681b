"""Make or update .venv from a lock file: python3 book/_tools/environment.py requirements.txt.

It needs nothing but Python, and does what README.md says to do by hand, with one thing more: on Linux without an NVIDIA
GPU it takes the CPU build of torch, a tenth of the size, from PyTorch's own index if that index answers.
"""

from __future__ import annotations  # so that a Python too old for this project can read on to the line that says so

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
PYTHON = VENV / SCRIPTS / ("python.exe" if os.name == "nt" else "python")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SECONDS_TO_ANSWER = 10
# What sends packages elsewhere, or sends none. Indexes, proxies and certificates stay as the user has set them.
ELSEWHERE = {f"PIP_{name}" for name in ("TARGET", "PREFIX", "ROOT", "PYTHON", "DRY_RUN", "NO_DEPS", "REQUIREMENT")}
ELSEWHERE |= {"PYTHONHOME", "PYTHONPATH"}


def main(lock: str) -> None:
    """Install what the lock file pins into .venv, and leave a stamp that says so.

    Args:
        lock: the lock file's name, in the root of the project.

    Raises:
        SystemExit: the environment cannot be made, with the remedy; or pip failed.
    """
    if not environment_is_sound():
        create_environment()
    print(f"Installing {lock} into {VENV}: a few minutes, most of it for torch ...", flush=True)
    torch = re.search(r"^torch==([\w.]+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)
    if torch and wants_cpu_build(torch[1]) and cpu_index_answers():
        pip("install", "--no-deps", "--index-url", CPU_INDEX, torch[0], check=False)  # the lock pins its dependencies
    pip("install", "-r", lock)
    if not package_is_ours():
        sys.exit(
            f"pip put the packages elsewhere than in {VENV}: look for target, prefix or root in what"
            f" '{PYTHON} -m pip config list' prints, and unset it. Then run the same command again."
        )
    for satisfied in {lock, lock.replace("-dev", "")}:  # the larger lock holds all of the smaller one
        (VENV / f"{satisfied}.stamp").touch()


def supported() -> list[str]:
    """Return the versions of Python that the project takes, as pyproject.toml, the one place, lists them."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)


def environment_is_sound() -> bool:
    """Tell whether .venv can be used as it is.

    A set-up that was cut off leaves half of one. One that was moved or copied starts the programs of its old place, or
    none, and one whose Python was upgraded has lost its packages.
    """
    try:
        asked = python("import pip, sys; print('%d.%d' % sys.version_info[:2], *sys.path, sep='\\n')")
        first_lines = (VENV / SCRIPTS / ("pip.exe" if os.name == "nt" else "pip")).read_bytes()
    except OSError:
        return False
    version, *paths = asked.splitlines() or [""]
    halves = [info for path in paths for info in Path(path).glob("*.dist-info") if not (info / "RECORD").exists()]
    return version in supported() and os.fsencode(VENV.resolve() / SCRIPTS) in first_lines and not halves


def package_is_ours() -> bool:
    """Tell whether .venv imports the package of this checkout."""
    ask = "import importlib.util as util; print(getattr(util.find_spec('blockbyblock'), 'origin', ''))"
    return Path(python(ask).strip()).resolve() == ROOT / "src" / "blockbyblock" / "__init__.py"


def create_environment() -> None:
    """Make .venv anew with the Python that runs this."""
    version = "%d.%d" % sys.version_info[:2]  # noqa: UP031 - read by any Python
    if version not in supported():
        sys.exit(f"Python {supported()[0]} to {supported()[-1]} is needed, {sys.executable} is {version}: {remedy()}")
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            f"Python {version} cannot make a virtual environment: its part ensurepip is missing.\n"
            f"On Debian and Ubuntu:  sudo apt install python3-venv   (or python{version}-venv)"
        )
    if VENV.is_symlink():
        sys.exit(f"{VENV} is a link, and what it leads to is no environment that works here: remove the link")
    print(f"Making {VENV} with Python {version} ...", flush=True)
    if subprocess.run([sys.executable, "-m", "venv", "--clear", VENV]).returncode:
        sys.exit(f"{sys.executable} could not make {VENV}; on Debian and Ubuntu:  sudo apt install python3-venv")


def remedy() -> str:
    """Return the command that installs a Python of the range on this system, as far as it can be told."""
    newest_first = supported()[::-1]
    if shutil.which("apt-cache"):
        for version in newest_first:
            name = f"python{version}-venv"
            if subprocess.run(["apt-cache", "show", name], capture_output=True).returncode == 0:
                return f"sudo apt install python{version} {name}, then the same command again"
    version = newest_first[0]
    if shutil.which("dnf"):
        return f"sudo dnf install python{version}, then the same command again"
    if shutil.which("brew"):
        return f"brew install python@{version}, then the same command again"
    found = f"make PYTHON=$(uv python find {version}) book"
    return f"this system's packages have none: uv python install {version}, then {found}; pyenv and conda have it too"


def wants_cpu_build(version: str) -> bool:
    """Tell whether plain pip would now bring several GB of CUDA that this machine has no use for."""
    if sys.platform != "linux" or shutil.which("nvidia-smi"):
        return False
    ask = "import importlib.metadata as metadata; print(metadata.version('torch').split('+')[0])"
    return python(ask).strip() != version


def cpu_index_answers() -> bool:
    """Ask PyTorch's index for its page of torch; a name that does not resolve or a silent host is given up soon."""
    try:
        with urllib.request.urlopen(f"{CPU_INDEX}/torch/", timeout=SECONDS_TO_ANSWER):
            return True
    except OSError:  # no such name, no route, a time-out, or an answer of 400 and more
        return False


def python(code: str) -> str:
    """Run a line in the environment's Python, without what the shell adds to it (-I), and return what it prints."""
    return subprocess.run([PYTHON, "-I", "-c", code], capture_output=True, text=True).stdout


def pip(*arguments: str, check: bool = True) -> None:
    """Run the environment's pip, errors only; end the program if it fails and `check` asks for it."""
    command = [str(PYTHON), "-I", "-m", "pip", arguments[0], "-qq", "--disable-pip-version-check", *arguments[1:]]
    environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE} | {"PIP_USER": "0"}
    if subprocess.run(command, cwd=ROOT, env=environment).returncode and check:
        sys.exit("pip could not install everything: see its message above. Then run the same command again.")


if __name__ == "__main__":
    main(*sys.argv[1:])

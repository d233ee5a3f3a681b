"""Make or update .venv from a lock file: python3 book/_tools/environment.py requirements.txt.

It needs nothing but Python, and does what README.md says to do by hand, with one thing more: on Linux without an NVIDIA
GPU it takes the CPU build of torch, a tenth of the size, from PyTorch's own index if that index answers.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SECONDS_TO_ANSWER = 10


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
    for satisfied in {lock, lock.replace("-dev", "")}:  # the larger lock holds all of the smaller one
        (VENV / f"{satisfied}.stamp").touch()


def environment_is_sound() -> bool:
    """Tell whether .venv has a Python that runs and that has pip: a set-up that was cut off leaves half of one."""
    try:
        return not subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode
    except OSError:
        return False


def create_environment() -> None:
    """Make .venv anew with the Python that runs this."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python may well be the one that was asked to run this
        sys.exit(f"Python 3.11 or newer is needed, this is {version}: make PYTHON=/path/to/python3.12 ...")
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            f"Python {version} cannot make a virtual environment: its part ensurepip is missing.\n"
            f"On Debian and Ubuntu:  sudo apt install python3-venv   (or python{version}-venv)"
        )
    print(f"Making {VENV} with Python {version} ...", flush=True)
    if subprocess.run([sys.executable, "-m", "venv", "--clear", VENV]).returncode:
        sys.exit(f"{sys.executable} could not make {VENV}; on Debian and Ubuntu:  sudo apt install python3-venv")


def wants_cpu_build(version: str) -> bool:
    """Tell whether plain pip would now bring several GB of CUDA that this machine has no use for."""
    if sys.platform != "linux" or shutil.which("nvidia-smi"):
        return False
    ask = "import importlib.metadata as metadata; print(metadata.version('torch').split('+')[0])"
    installed = subprocess.run([PYTHON, "-c", ask], capture_output=True, text=True)
    return installed.stdout.strip() != version


def cpu_index_answers() -> bool:
    """Ask PyTorch's index for its page of torch; a name that does not resolve or a silent host is given up soon."""
    try:
        with urllib.request.urlopen(f"{CPU_INDEX}/torch/", timeout=SECONDS_TO_ANSWER):
            return True
    except OSError:  # no such name, no route, a time-out, or an answer of 400 and more
        return False


def pip(*arguments: str, check: bool = True) -> None:
    """Run the environment's pip, errors only; end the program if it fails and `check` asks for it."""
    command = [str(PYTHON), "-m", "pip", arguments[0], "-qq", "--disable-pip-version-check", *arguments[1:]]
    if subprocess.run(command, cwd=ROOT).returncode and check:
        sys.exit("pip could not install everything: see its message above. Then run the same command again.")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Deliberate faults, each with the test that must catch it. Run by hand: `make faults`.

Most of these have been published in tutorials or libraries. Each is planted in a copy of the package; the named test
must then fail. A fault that its test does not notice, or a text that is no longer in the source, is an error.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from planted import Fault, core, decoding, live, live_inside, live_translator, newcomers, training, usage

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "blockbyblock"
ROOMS = (core, decoding, live, live_inside, live_translator, newcomers, training, usage)
FAULTS = tuple(fault for room in ROOMS for fault in room.FAULTS)


def caught(fault: Fault) -> bool:
    """Plant the fault in a copy of the package, and say whether the test fails.

    Raises:
        ValueError: the text to replace is not in the source, or stands there more than once.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "blockbyblock"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / fault.file
        source = path.read_text(encoding="utf-8")
        if source.count(fault.old) != 1:
            raise ValueError(f"{fault.name}: {fault.old!r} stands {source.count(fault.old)} times in {fault.file}")
        path.write_text(source.replace(fault.old, fault.new), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:nbval",
            "-o",
            "addopts=",
        ]
        result = subprocess.run(
            [*command, str(ROOT / "tests" / fault.test)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode not in (0, 1):  # 1: tests ran and failed; anything else did not get that far
        raise RuntimeError(f"{fault.name}: pytest ended with {result.returncode}\n{result.stdout}{result.stderr}")
    return result.returncode == 1


def main() -> int:
    """Plant every fault; the exit status says whether all were caught."""
    missed = 0
    for fault in FAULTS:
        found = caught(fault)
        missed += not found
        print(f"{'caught' if found else 'MISSED'}  {fault.name:62} {fault.test}", flush=True)
    print(f"{len(FAULTS) - missed} of {len(FAULTS)} faults caught")
    return missed > 0


if __name__ == "__main__":
    sys.exit(main())

"""Deliberate faults, each with the test that must catch it. Run by hand: `make faults`, or one list: `faults.py core`.

Most of these have been published in tutorials or libraries. Each is planted in a copy of the package; the named test
must then fail. A fault that its test does not notice, or a text that is no longer in the source, is an error.
"""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from planted import (
    Fault,
    applications,
    core,
    decoding,
    live,
    live_applications,
    live_inside,
    live_translator,
    newcomers,
    texts,
    training,
    usage,
)

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "blockbyblock"
ROOMS = (
    applications,
    core,
    decoding,
    live,
    live_applications,
    live_inside,
    live_translator,
    newcomers,
    texts,
    training,
    usage,
)

LONGEST = 900.0  # seconds for one test: a fault that makes a loop endless is another one than was meant


@functools.cache
def built_site() -> Path:
    """Build the book once, for all faults that are in a module of a page; it goes when the process ends."""
    sys.path[:0] = [str(ROOT / "tests" / "site"), str(ROOT / "book" / "_extensions")]
    import building

    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    return building.build(folder)


def caught(fault: Fault) -> bool:
    """Plant the fault in a copy of the package, and say whether the test fails.

    Raises:
        ValueError: the text to replace is not in the source, or stands there more than once.
        subprocess.TimeoutExpired: the test comes to no end.
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
        in_page = fault.file.endswith(".mjs") and fault.test.startswith("site/")
        site = {"BUILT_SITE": str(built_site())} if in_page else {}
        result = subprocess.run(
            [*command, str(ROOT / "tests" / fault.test)],
            cwd=ROOT,
            env={**os.environ, **site, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST,
        )
    if result.returncode not in (0, 1):  # 1: tests ran and failed; anything else did not get that far
        raise RuntimeError(f"{fault.name}: pytest ended with {result.returncode}\n{result.stdout}{result.stderr}")
    return result.returncode == 1


def main(only: Sequence[str] = ()) -> int:
    """Plant every fault, or those of the lists named; the exit status says whether all were caught."""
    rooms = [room for room in ROOMS if not only or room.__name__.rpartition(".")[2] in only]
    faults = [fault for room in rooms for fault in room.FAULTS]
    missed = 0
    for fault in faults:
        try:
            found = "caught" if caught(fault) else "MISSED"
        except (
            ValueError,
            RuntimeError,
            subprocess.TimeoutExpired,
        ) as error:  # one that cannot be tried does not end the others
            found = "ERROR "
            print(error, file=sys.stderr, flush=True)
        missed += found != "caught"
        print(f"{found}  {fault.name:62} {fault.test}", flush=True)
    print(f"{len(faults) - missed} of {len(faults)} faults caught")
    return missed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Where an experiment that is too long for a notebook keeps what it found.

A notebook runs a shortened version in its cells and reads the rest from a JSON file next to the experiment. The file
says which command makes it, on what, and how long that took.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from blockbyblock.files import write_atomically
from blockbyblock.training.processes import processor_name


def recorded(experiment: str) -> dict[str, Any]:
    """Return what an experiment found: `about`, how its file was made, and `rows`, one object per run.

    Raises:
        ValueError: there is no such file; the message lists those that there are.
    """
    folder = Path(__file__).parent
    names = sorted(path.stem for path in folder.glob("*.json"))
    if experiment not in names:
        raise ValueError(f"no experiment has left {experiment!r}; there are {', '.join(names)}")
    found: dict[str, Any] = json.loads((folder / f"{experiment}.json").read_text(encoding="utf-8"))
    return found


def record(
    experiment: str, run: Callable[[], Sequence[dict[str, Any]]], arguments: Sequence[str] | None = None
) -> None:
    """Run an experiment with one thread and write its rows: one object per trained model or measured case.

    Args:
        experiment: the script's module name inside `blockbyblock.experiments`.
        run: does the work; returns rows of settings and results, each run's own, not means alone.
        arguments: the command line, by default the process's own: `--to FILE`.
    """
    parser = argparse.ArgumentParser(prog=f"python -m blockbyblock.experiments.{experiment}")
    parser.add_argument("--to", type=Path, default=Path(__file__).with_name(f"{experiment}.json"), metavar="FILE")
    to = parser.parse_args(arguments).to
    torch.set_num_threads(1)  # a sum that is split over threads rounds in another way
    start = time.perf_counter()
    rows = list(run())
    about = {
        "command": f"python -m blockbyblock.experiments.{experiment}",
        "processor": processor_name(torch.device("cpu")),
        "threads": 1,
        "torch": torch.__version__,
        "seconds": round(time.perf_counter() - start),
    }
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)  # one run per line: a change is easy to see
    text = f'{{"about": {json.dumps(about)},\n "rows": [\n{lines}\n ]}}\n'
    write_atomically(to, text.encode())
    print(f"{to}: {len(rows)} rows, {about['seconds']} s")

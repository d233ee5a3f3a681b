"""Where an experiment that is too long for a notebook keeps what it found.

A chapter runs a shortened version in its cells and reads the rest from a JSON file next to the experiment. The file
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


def record(
    experiment: str, run: Callable[[], Sequence[dict[str, Any]]], arguments: Sequence[str] | None = None
) -> None:
    """Run an experiment with one thread and write its rows: one object per trained model or measured case.

    Args:
        experiment: the script's module name inside `book.experiments`.
        run: does the work; returns rows of settings and results, each run's own, not means alone.
        arguments: the command line, by default the process's own: `--to FILE`.
    """
    parser = argparse.ArgumentParser(prog=f"python -m book.experiments.{experiment}")
    parser.add_argument("--to", type=Path, default=Path(__file__).with_name(f"{experiment}.json"), metavar="FILE")
    to = parser.parse_args(arguments).to
    torch.set_num_threads(1)  # a sum that is split over threads rounds in another way
    start = time.perf_counter()
    rows = list(run())
    about = {
        "command": f"python -m book.experiments.{experiment}",
        "processor": processor_name(torch.device("cpu")),
        "threads": 1,
        "torch": torch.__version__,
        "seconds": round(time.perf_counter() - start),
    }
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)  # one run per line: a change is easy to see
    text = f'{{"about": {json.dumps(about)},\n "rows": [\n{lines}\n ]}}\n'
    write_atomically(to, text.encode())
    print(f"{to}: {len(rows)} rows, {about['seconds']} s")

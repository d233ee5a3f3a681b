"""The log of a training run: one JSON object per line."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

from blockbyblock.files import write_atomically
from blockbyblock.texts import read_text

Record = dict[str, Any]


def read_log(path: str | PathLike[str]) -> list[Record]:
    """The records of a log, in order. A last line without an end, of a process that was killed, is left out.

    Args:
        path: the file.

    Returns:
        Each record has "kind" ("train" or "validation"), "step" and "loss" (nats per prediction, without smoothing:
        per target token, or per text of a classifier); those of training also "smoothed_loss", "gradient_norm",
        "learning_rate", "epoch", "predictions_per_second" and "seconds".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a whole line is no record.
    """
    records: list[Record] = []
    lines = read_text(path).split("\n")
    for number, line in enumerate(lines[:-1], start=1):  # what follows the last line's end is no line
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: not JSON: {error}") from error
        if not isinstance(record, dict) or not {"kind", "step", "loss"} <= record.keys():
            raise ValueError(f"{path}, line {number}: no record of a training")
        records.append(record)
    return records


class TrainingLog:
    """A log that is being written.

    Args:
        path: the file.
        step: where the run goes on. What an earlier process wrote about later steps is dropped, as those steps will be
            made again.
    """

    def __init__(self, path: Path, step: int) -> None:
        kept = [record for record in read_log(path) if record["step"] <= step] if step and path.exists() else []
        write_atomically(path, "".join(map(_line, kept)).encode())
        self._path = path

    def write(self, kind: str, step: int, **values: float | int) -> None:
        """Append a record; it is in the file when this returns.

        Raises:
            OSError: the disk is full.
        """
        try:
            with open(self._path, "a", encoding="utf-8", newline="\n") as file:
                file.write(_line({"kind": kind, "step": step} | values))
        except OSError as error:  # a failed write does not say of which file
            raise OSError(error.errno, error.strerror, str(self._path)) from error


def _line(record: Record) -> str:
    return json.dumps(record) + "\n"

"""The mean of the last checkpoints, which translates better than any one of them (paper, section 6.1)."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import torch

from blockbyblock.kinds import TRANSLATION, Model, new_model
from blockbyblock.weights import (
    CheckpointError,
    copy_weights,
    model_weights,
    read_tensors,
    require_config,
    require_tensors,
    write_tensors,
)


def average_checkpoints(paths: Sequence[str | PathLike[str]], model: Model) -> None:
    """Give a model the mean of the weights of several checkpoints (paper, section 6.1).

    Args:
        paths: the files, at least one.
        model: of the same configuration; unchanged if a file is refused.

    Raises:
        ValueError: there is no file.
        CheckpointError: a file is truncated, foreign, or of another model.
    """
    if not paths:
        raise ValueError("there is no checkpoint to average")
    expected = model_weights(model)
    # In float64: the mean of equal weights is then exactly that weight.
    sums = {name: torch.zeros(tensor.shape, dtype=torch.float64) for name, tensor in expected.items()}
    for path in map(Path, paths):
        tensors, values = read_tensors(path)
        require_config(path, values, model.config)
        require_tensors(path, tensors, expected)
        for name, total in sums.items():
            total += tensors[name]
    copy_weights({name: total / len(paths) for name, total in sums.items()}, model)


def average_files(paths: Sequence[str | PathLike[str]], to: str | PathLike[str]) -> None:
    """Write the mean of the weights of several checkpoints into a file.

    Args:
        paths: the checkpoints, of one model.
        to: the file; an old one of that name is replaced when the new one is whole.

    Raises:
        ValueError: there is no checkpoint.
        CheckpointError: a file is truncated, foreign, or of another model than the first.
        OSError: the file cannot be written.
    """
    if not paths:
        raise ValueError("there is no checkpoint to average")
    _, values = read_tensors(Path(paths[0]))
    try:
        model = new_model(values.get("task", TRANSLATION), values["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{paths[0]} does not describe a model: {error}") from error
    average_checkpoints(paths, model)
    write_tensors(Path(to), model_weights(model), model.config)

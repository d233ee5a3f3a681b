"""Checkpoints: everything that a training run is, in one file; and the folder that holds the last of them."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from blockbyblock.data import BatchState
from blockbyblock.files import TEMPORARY
from blockbyblock.kinds import Model
from blockbyblock.weights import (
    CheckpointError,
    copy_weights,
    model_weights,
    read_tensors,
    require_config,
    require_tensors,
    write_tensors,
)

_NAME = re.compile(r"(step|interrupted)_(\d+)\.safetensors")
_MOMENTS = ("exp_avg", "exp_avg_sq")  # Adam's running means of the gradient and of its square
_OPTIMIZER, _RANDOM = "optimizer.", "random."


@dataclass(frozen=True)
class TrainingState:
    """Where a training run stands, besides weights, optimizer and random numbers.

    Attributes:
        batches: where the order of the data goes on.
        batches_per_epoch: of one process; tells other data from the same.
        processes: how many take part.
        step: updates made.
        seconds: time spent, earlier parts of the run included.
        best_loss: the least validation loss so far, in nats per prediction.
        best_step: where it was measured.
        since_best: validations since then.
    """

    batches: BatchState
    batches_per_epoch: int
    processes: int
    step: int = 0
    seconds: float = 0.0
    best_loss: float | None = None
    best_step: int | None = None
    since_best: int = 0


def random_state(device: torch.device) -> UInt8[Tensor, "bytes"]:
    """The state of the generators that dropout draws from: the CPU's, and that of an NVIDIA GPU."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return torch.cat(states)


def set_random_state(state: UInt8[Tensor, "bytes"], device: torch.device) -> None:
    """Set the generators to a state that `random_state` returned on the same kind of device."""
    on_cpu = torch.get_rng_state().numel()
    torch.set_rng_state(state[:on_cpu])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state[on_cpu:], device)


def save_checkpoint(
    path: Path,
    model: Model,
    optimizer: torch.optim.Adam,
    state: TrainingState,
    random_states: Sequence[UInt8[Tensor, "bytes"]],
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: the file.
        model: its weights are written.
        optimizer: its running means and its count of steps are written.
        state: the rest.
        random_states: of each process, by rank.

    Raises:
        OSError: the file cannot be written; other checkpoints are untouched.
    """
    tensors = model_weights(model) | _optimizer_tensors(model, optimizer)
    tensors |= {f"{_RANDOM}{rank}": random for rank, random in enumerate(random_states)}
    write_tensors(path, tensors, model.config, state=asdict(state))


def load_checkpoint(
    path: Path,
    model: Model,
    optimizer: torch.optim.Adam,
    device: torch.device,
    *,
    expected: TrainingState,
) -> tuple[TrainingState, list[UInt8[Tensor, "bytes"]]]:
    """Put model and optimizer back to where they were; nothing is changed if the file is refused.

    Args:
        path: the file.
        model: of the same configuration.
        optimizer: of this model's parameters.
        device: where the run goes on.
        expected: a state of this run, any: its data and its number of processes must be those of the file.

    Returns:
        The state, and the random state of each process.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is truncated, foreign, of another model, of other data, of another number of
            processes, or of another kind of device.
    """
    tensors, values = read_tensors(path)
    require_config(path, values, model.config)
    state = _training_state(path, values.get("state"))
    for name, found, own, remedy in (  # the number of processes first: it decides that of the batches, too
        ("processes", state.processes, expected.processes, f"; start {state.processes} of them to go on"),
        ("seed", state.batches.seed, expected.batches.seed, ""),
        ("batches_per_epoch", state.batches_per_epoch, expected.batches_per_epoch, ""),
    ):
        if found != own:
            raise CheckpointError(
                f"{path} was written with {name}={found}, and this run has {own}: the order of the data would "
                f"differ{remedy}"
            )
    parameters = dict(model.named_parameters())
    templates = model_weights(model)
    for name, parameter in parameters.items():
        templates |= {f"{_OPTIMIZER}{moment}.{name}": parameter for moment in _MOMENTS}
        templates[f"{_OPTIMIZER}step.{name}"] = torch.zeros(())
    templates |= {f"{_RANDOM}{rank}": random_state(device) for rank in range(state.processes)}
    require_tensors(path, tensors, templates)
    copy_weights(tensors, model)
    moments = {
        index: {key: tensors[f"{_OPTIMIZER}{key}.{name}"] for key in (*_MOMENTS, "step")}
        for index, name in enumerate(parameters)
    }
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return state, [tensors[f"{_RANDOM}{rank}"] for rank in range(state.processes)]


def _training_state(path: Path, values: Any) -> TrainingState:
    try:
        state = TrainingState(**values | {"batches": BatchState(*values["batches"])})
        counts = (*state.batches, state.batches_per_epoch, state.processes, state.step, state.since_best)
        if not all(isinstance(count, int) for count in counts):
            raise TypeError(f"{counts} are not all whole numbers")
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path} does not hold the state of a training: {error}") from error
    return state


def _optimizer_tensors(model: Model, optimizer: torch.optim.Adam) -> dict[str, Tensor]:
    return {
        f"{_OPTIMIZER}{key}.{name}": optimizer.state[parameter][key]
        for name, parameter in model.named_parameters()
        for key in (*_MOMENTS, "step")
    }


class CheckpointFolder:
    """The checkpoints of one run: `step_*` at regular steps, and `interrupted_*` where somebody stopped it.

    An interruption must not change what the run ends with, so its checkpoint is only there to go on from: it is never
    averaged, and it goes when the next regular one is there.

    Args:
        path: the folder; made if it is not there.

    Raises:
        NotADirectoryError: it is a file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(f"{path} is a file, and a training needs a folder to write into")
        path.mkdir(parents=True, exist_ok=True)

    def file(self, step: int, *, interrupted: bool = False) -> Path:
        """The name of a step's checkpoint."""
        return self.path / f"{'interrupted' if interrupted else 'step'}_{step:08}.safetensors"

    def regular(self) -> list[Path]:
        """The checkpoints of regular steps, in the order of their steps."""
        return [path for _, kind, path in _found(self.path) if kind == "step"]

    def newest(self) -> Path | None:
        """The checkpoint to go on from."""
        return self.newest_in(self.path)

    @staticmethod
    def newest_in(path: Path) -> Path | None:
        """The same of a folder that need not be there, and is not made."""
        found = _found(path) if path.is_dir() else []
        return found[-1][2] if found else None

    def prune(self, keep: int, best_step: int | None) -> None:
        """Delete what is no longer needed: all but the last regular checkpoints, the best one and the newest one.

        Args:
            keep: how many regular ones.
            best_step: the step with the best validation loss.
        """
        best = [] if best_step is None else [self.file(best_step)]
        kept = {*self.regular()[-keep:], *best, self.newest()}
        for _, _, path in _found(self.path):
            if path not in kept:
                path.unlink()
        for path in self.path.glob(f"*.safetensors{TEMPORARY}"):  # of a process that was killed as it wrote
            path.unlink()


def _found(folder: Path) -> list[tuple[int, str, Path]]:
    matches = [(match, path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return sorted((int(match[2]), match[1], path) for match, path in matches)

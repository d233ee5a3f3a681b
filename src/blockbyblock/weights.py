"""A model's weights in safetensors files: numbers and text, nothing that could run when it is read."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from blockbyblock.files import write_atomically
from blockbyblock.kinds import TRANSLATION, Model, ModelConfig, task_of

KEY, VERSION = "blockbyblock", 1
WEIGHTS = "model."


class CheckpointError(ValueError):
    """A file that cannot be used; the message begins with its name."""


def model_weights(model: Model) -> dict[str, Tensor]:
    """The tensors of a model by name, those that share one matrix once, as they are: not copied."""
    weights: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            weights[WEIGHTS + name] = tensor.detach()
    return weights


def write_tensors(path: Path, tensors: Mapping[str, Tensor], config: ModelConfig, **metadata: Any) -> None:
    """Write tensors, the model's configuration and JSON values, so that the file is whole or not there.

    Raises:
        OSError: the file cannot be written; an old one of that name is untouched.
    """
    # One text, as the library writes several in no fixed order: equal content gives equal files.
    text = json.dumps({"version": VERSION, "task": task_of(config), "config": asdict(config)} | metadata)
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(contiguous, {KEY: text}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the JSON values of a file that `write_tensors` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        IsADirectoryError: it is a folder.
        CheckpointError: it is truncated, or something else.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, and a file *.safetensors is needed")
    try:
        with _name_in_utf8(path) as name, safe_open(name, framework="pt") as file:
            values = json.loads((file.metadata() or {}).get(KEY, "null"))
            if not isinstance(values, dict) or values.get("version") != VERSION:
                raise CheckpointError(f"{path} is a safetensors file, but none of this book, version {VERSION}")
            # Copied: what the library returns may be the file itself, mapped into memory.
            return {name: file.get_tensor(name).clone() for name in file.keys()}, values  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path} is truncated, or no safetensors file: {error}") from error
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path} holds a text that is not JSON: {error}") from error


@contextmanager
def _name_in_utf8(path: Path) -> Iterator[str]:
    """A name by which the library can open the file. It knows UTF-8 alone, and Linux gives names of any bytes."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open("rb") as file:
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        yield str(path)


def require_config(path: Path, values: Mapping[str, Any], config: ModelConfig) -> None:
    """Refuse a file of a model with other sizes or choices.

    Shapes alone do not tell: 4 heads and 8 heads have the same matrices.

    Raises:
        CheckpointError: naming what differs.
    """
    found = values.get("config")
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} does not say what model it belongs to")
    found, expected = {"task": values.get("task", TRANSLATION), **found}, {"task": task_of(config), **asdict(config)}
    differences = [
        f"{name}={found.get(name)!r} in the file and {expected.get(name)!r} in the model"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]
    if differences:
        raise CheckpointError(f"{path} belongs to another model: {'; '.join(differences)}")


def require_tensors(path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Refuse a file in which a tensor is missing, or has another shape or kind than expected.

    Raises:
        CheckpointError: naming the first such tensor.
    """
    for name, tensor in expected.items():
        if name not in found:
            raise CheckpointError(f"{path} does not hold {name}")
        if (found[name].shape, found[name].dtype) != (tensor.shape, tensor.dtype):
            raise CheckpointError(
                f"{path} holds {name} as {found[name].dtype} {list(found[name].shape)}, expected "
                f"{tensor.dtype} {list(tensor.shape)}"
            )


@torch.no_grad()
def copy_weights(tensors: Mapping[str, Tensor], model: Model) -> None:
    """Copy tensors into the model, in place, so that tied matrices stay tied and the optimizer keeps its parameters."""
    for name, tensor in model_weights(model).items():
        tensor.copy_(tensors[name])


def load_weights(path: str | PathLike[str], model: Model) -> None:
    """Give a model the weights of a checkpoint or of an average.

    Args:
        path: the file.
        model: of the same configuration; unchanged if the file is refused.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is truncated, foreign, or of another model.
    """
    path = Path(path)
    tensors, values = read_tensors(path)
    require_config(path, values, model.config)
    require_tensors(path, tensors, model_weights(model))
    copy_weights(tensors, model)

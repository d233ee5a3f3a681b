"""A trained model as one file: weights, configuration, tokenizer, and what is known about it.

The file is a safetensors file: eight bytes with the length of a JSON header, the header, the numbers. So it is read in
Python by the library and in a browser by a dozen lines, and nothing in it can run.

In "int8" each matrix is rounded row by row: 127 steps to each side of zero, and one scale per row, stored beside it as
`<name>.scale`. A row is what produces one output feature, or embeds one token; rows differ in size, and so a scale for
the whole matrix would waste most steps on the largest row. Biases and norms, a hundredth of the numbers, stay float32.
"""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Literal, TypeVar, get_args, overload

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from blockbyblock.checks import check_choice
from blockbyblock.data.tokenizer import Tokenizer
from blockbyblock.kinds import TRANSLATION, new_model
from blockbyblock.text_classifier import TextClassifier
from blockbyblock.text_generator import TextGenerator
from blockbyblock.text_model import TextModel
from blockbyblock.translator import Translator
from blockbyblock.weights import (
    CheckpointError,
    copy_weights,
    model_weights,
    read_tensors,
    require_tensors,
    write_tensors,
)

Precision = Literal["int8", "float16", "float32"]
TEXT_MODELS: Mapping[str, type[TextModel]] = {kind.task: kind for kind in (Translator, TextGenerator, TextClassifier)}
Opened = TypeVar("Opened", bound=TextModel)
SCALE = ".scale"
_STEPS = 127


def quantise_rows(matrix: Float[Tensor, "rows columns"]) -> tuple[Int8[Tensor, "rows columns"], Float[Tensor, "rows"]]:
    """Round each row to whole multiples of its scale, the row's largest number over 127.

    Returns:
        The multiples and the scales: matrix ≈ multiples * scales[:, None], wrong by half a scale at most.
    """
    scales = matrix.abs().amax(1) / _STEPS
    steps = matrix / scales.where(scales > 0, 1.0)[:, None]  # a row of zeros has no scale to divide by
    return steps.round().clamp(-_STEPS, _STEPS).to(torch.int8), scales


def save_portable(path: str | PathLike[str], text_model: TextModel, precision: Precision = "int8") -> None:
    """Write a trained model into one file, whole or not at all.

    Args:
        path: the file, usually `*.safetensors`.
        text_model: what to write.
        precision: "int8" (a quarter of the size of float32), "float16" (half) or "float32" (exact).

    Raises:
        ValueError: the precision is unknown.
        OSError: the file cannot be written; an old one of that name is untouched.
    """
    check_choice(get_args(Precision), precision=precision)
    tensors: dict[str, Tensor] = {}
    for name, tensor in model_weights(text_model.model).items():
        if precision == "int8" and tensor.ndim == 2:
            tensors[name], tensors[name + SCALE] = quantise_rows(tensor)
        else:
            tensors[name] = tensor.to(torch.float16 if precision == "float16" else torch.float32)
    write_tensors(
        Path(path),
        tensors,
        text_model.model.config,
        precision=precision,
        tokenizer=json.loads(text_model.tokenizer.to_json()),
        about=text_model.about,
    )


@overload
def load_portable(path: str | PathLike[str]) -> Translator: ...
@overload
def load_portable(path: str | PathLike[str], kind: type[Opened]) -> Opened: ...
def load_portable(path: str | PathLike[str], kind: type[TextModel] = Translator) -> TextModel:
    """Read a file that `save_portable` wrote; the weights are float32 again, rounded ones as they were rounded.

    Args:
        path: the file.
        kind: what it must hold; `TextModel` for any of them.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it is truncated, or something else.
        ValueError: it holds another kind of model.
    """
    path = Path(path)
    tensors, values = read_tensors(path)
    if not {"precision", "tokenizer", "about", "config"} <= values.keys():
        raise CheckpointError(f"{path} holds no tokenizer: it is a checkpoint, and no exported model")
    try:
        task = values.get("task", TRANSLATION)
        tokenizer = Tokenizer.from_json(json.dumps(values["tokenizer"]))
        with torch.random.fork_rng(devices=[]):  # the first weights are drawn for nothing, and nobody shall notice
            model = new_model(task, values["config"])
        text_model = TEXT_MODELS[task](model, tokenizer, values["about"])
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path} does not describe a model and its tokenizer: {error}") from error
    rounded = [name for name, tensor in tensors.items() if tensor.dtype == torch.int8]
    require_tensors(path, tensors, {name + SCALE: torch.empty(len(tensors[name])) for name in rounded})
    weights = {name: _as_float(tensors, name) for name in tensors if not name.endswith(SCALE)}
    require_tensors(path, weights, model_weights(model))
    copy_weights(weights, model)
    return require_kind(text_model, kind, path)


def require_kind(text_model: TextModel, kind: type[Opened], name: str | PathLike[str]) -> Opened:
    """The model, if it is of this kind.

    Raises:
        ValueError: it is for another task.
    """
    if not isinstance(text_model, kind):
        raise ValueError(f"{name} is a model for {text_model.task}, and one for {kind.task} is needed")
    return text_model


def _as_float(tensors: dict[str, Tensor], name: str) -> Tensor:
    scales = tensors.get(name + SCALE)
    numbers = tensors[name].float()
    return numbers if scales is None else numbers * scales[:, None]

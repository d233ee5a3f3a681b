"""Put values into words: short enough to read, and the same in every run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

PRINTED = 32
"""A tensor of up to this many entries is printed in full: it can be read at a glance."""


def to_tensor(value: Any) -> Tensor | None:
    """Return numbers in any dress (tensor, array, number, nested lists) as a CPU tensor, and None for anything else."""
    try:
        if isinstance(value, (list, tuple)):
            entries = [to_tensor(entry) for entry in value]
            numbers = [entry for entry in entries if entry is not None]
            if len(numbers) < len(entries):
                return None
            return torch.stack(numbers) if numbers else torch.empty(0)
        # A Python float has 64 bits; torch would round it to its default dtype.
        dtype = torch.float64 if isinstance(value, float) else None
        return torch.as_tensor(value, dtype=dtype).detach().cpu()
    except (TypeError, ValueError, RuntimeError):  # not numbers, or rows of different lengths
        return None


def describe(value: Any, *, revealing: bool = True) -> str:
    """Say in words what kind of thing a value is, with its shape and dtype where it has them.

    Args:
        value: anything.
        revealing: whether a single number or a text is quoted, or only called a number or a text.
    """
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and dtype {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, (bool, int, float)):
        return f"the number {number(value)}" if revealing else "a number"
    if isinstance(value, str):
        return f"the text {value!r}" if revealing else "a text"
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        numbers = to_tensor(value)
        if numbers is None:
            return f"a {kind} of {counted(len(value), 'part')}"
        if numbers.dim() == 1:
            return f"a {kind} of {counted(len(value), 'number')}"
        return f"a {kind} of numbers of shape {tuple(numbers.shape)}"
    if isinstance(value, Mapping):
        return "a dict with the keys " + ", ".join(f"`{key}`" for key in value) if value else "an empty dict"
    if value is None or value is ...:
        return f"`{show(value)}`"
    numbers = to_tensor(value)
    if numbers is None:
        return f"an object of type `{type(value).__name__}`"
    return f"an array of shape {tuple(numbers.shape)}"


def show(value: Any) -> str:
    """Write a value out: numbers with four significant digits, a large tensor only as `describe` puts it."""
    if isinstance(value, Tensor) and 0 < value.numel() <= PRINTED:
        return _brackets(value.shape, _aligned(value.detach().cpu().flatten().tolist()))
    if isinstance(value, (bool, int, float)):
        return number(value)
    if isinstance(value, (list, tuple)) and len(value) <= PRINTED:
        inner = ", ".join(show(entry) for entry in value)
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, str):
        return repr(value)
    if value is None or value is ...:
        return "None" if value is None else "..."
    return describe(value)


def number(value: int | float, digits: int = 4) -> str:
    """Write one number with so many significant digits, and whole numbers in full."""
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def labelled(label: str, value: Any) -> str:
    """Write `label = value` as an indented block, its rows one under the other."""
    start = f"    {label} = "
    return start + show(value).replace("\n", "\n" + " " * len(start))


def listed(names: Iterable[str]) -> str:
    """Write names one after the other, each as code."""
    return ", ".join(f"`{name}`" for name in names)


def written_out(inputs: Mapping[str, Any]) -> list[str]:
    """Write inputs in full as indented blocks, the numbers among them in one line."""
    numbers = {name: value for name, value in inputs.items() if isinstance(value, (bool, int, float))}
    lines = ["    " + ", ".join(f"{name} = {show(value)}" for name, value in numbers.items())] if numbers else []
    return lines + [labelled(name, value) for name, value in inputs.items() if name not in numbers]


def tried_on(cases: Sequence[Mapping[str, Any]]) -> str:
    """Say on which inputs an answer was tried, by the numbers and the shapes of the first and the last of them."""
    if len(cases) == 1:
        return f"Tried on {_in_short(cases[0])}."
    return f"Tried on {len(cases)} inputs, from {_in_short(cases[0])} to {_in_short(cases[-1])}."


def counted(count: int, noun: str) -> str:
    """Write a count and its noun: 1 entry, 2 entries."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun.removesuffix('y')}ies" if noun.endswith("y") else f"{count} {noun}s"


def sentence(text: str) -> str:
    """Write the first letter as a capital and leave the rest as it is."""
    return text[:1].upper() + text[1:]


def _in_short(inputs: Mapping[str, Any]) -> str:
    texts = []
    for name, value in inputs.items():
        if isinstance(value, Tensor):
            texts.append(f"{name} of shape {tuple(value.shape)}")
        elif isinstance(value, (bool, int, float, str)):
            texts.append(f"{name} = {show(value)}")
    return f"({', '.join(texts)})"


def _aligned(entries: Sequence[int | float]) -> list[str]:
    """Write numbers in one width, with as many decimals as give the largest four significant digits."""
    texts = [number(entry) for entry in entries]
    largest = max((abs(entry) for entry in entries if math.isfinite(entry)), default=0)
    if any(isinstance(entry, float) for entry in entries) and 1e-3 <= largest < 1e4:
        whole = all(entry == round(entry) for entry in entries if math.isfinite(entry))
        decimals = 0 if whole else 3 - math.floor(math.log10(largest))
        texts = [f"{entry:.{decimals}f}" for entry in entries]
    width = max(map(len, texts))
    return [text.rjust(width) for text in texts]


def _brackets(shape: Sequence[int], texts: Sequence[str], indent: int = 0) -> str:
    """Nest the written entries in brackets, one row to a line."""
    if len(shape) == 0:
        return texts[0]
    if len(shape) == 1:
        return "[" + ", ".join(texts) + "]"
    step = len(texts) // shape[0]
    rows = [_brackets(shape[1:], texts[row * step : (row + 1) * step], indent + 1) for row in range(shape[0])]
    return "[" + (",\n" + " " * (indent + 1)).join(rows) + "]"

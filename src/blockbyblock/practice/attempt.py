"""Run an answer on one input, and say where in the reader's code it fails."""

from __future__ import annotations

import copy
import inspect
import linecache
import re
import sysconfig
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from blockbyblock.practice.compare import Comparing
from blockbyblock.practice.exercise import SEED, Exercise, Forbidden, Inputs, NotUsable
from blockbyblock.practice.wording import counted

_PACKAGE = Path(__file__).parents[1]
# Code under these folders is not the reader's: the standard library, installed packages, and this package.
_LIBRARIES = (*(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")), _PACKAGE)
_INSTALLED = {"site-packages", "dist-packages"}
_UNCHANGED = Comparing(tolerance=0.0)
_ERROR_LENGTH = 400  # some errors of torch go on with a backtrace of C++
# What torch says of shapes that do not fit, and what to look at.
_ABOUT_SHAPES = (
    (
        r"shapes cannot be multiplied|size mismatch, got|inconsistent tensor size|Expected size for first two dim",
        "In `a @ b` the last dimension of `a` must be as long as the last but one of `b`. Print both shapes. Where "
        "a factor is stored the other way round, it is transposed first: `b.T`, or `b.transpose(-2, -1)` in a batch.",
    ),
    (
        r"must match the (size of tensor|existing size)",
        "Entry by entry, two dimensions fit if they are equal or one of them is 1, counted from the last. Print both "
        "shapes. `x[..., None]` or `keepdim=True` gives a dimension of 1.",
    ),
    (
        r"is invalid for input of size|doesn't divide|don't multiply up to the size",
        "A view keeps the number of entries: its sizes multiply to the same product. `-1` stands for what is left.",
    ),
    (
        r"view size is not compatible",
        "After a transpose the entries do not lie in order in memory, and `view` does not move them: use `reshape`.",
    ),
    (
        r"Dimension out of range",
        "The tensor has fewer dimensions than that. Print its shape; -1 is the last dimension, however many there are.",
    ),
)


@dataclass(frozen=True)
class Returned:
    """What an answer gave for one input, the inputs that it changed in place, and what it called though forbidden."""

    output: Any
    changed: tuple[str, ...] = ()
    called: tuple[str, ...] = ()


@dataclass(frozen=True)
class Raised:
    """The error that an answer raised for one input."""

    error: BaseException


Outcome = Returned | Raised


@dataclass(frozen=True)
class Line:
    """A line of the reader's code: its place in words and its text (empty where the source is not at hand)."""

    place: str
    text: str


def attempt(exercise: Exercise, answer: Any, inputs: Inputs) -> Outcome:
    """Use an answer on a copy of one input, with a random generator of its own.

    Returns:
        What came back, or what was raised: everything but `KeyboardInterrupt`, which passes through.
    """
    own = copy.deepcopy(dict(inputs))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)  # torch.manual_seed would reseed an accelerator too
        watch = _Watch(exercise.without)
        try:
            with watch if exercise.without else nullcontext():
                output = exercise.use(answer, **own)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: a check must not end the reader's session
            return Raised(error)
    changed = (name for name, value in inputs.items() if not _UNCHANGED(_contents(value), _contents(own[name])).equal)
    return Returned(output, tuple(changed), tuple(watch.called))


class _Watch(TorchFunctionMode):
    """Notes the calls of forbidden functions, by whatever name they are called."""

    def __init__(self, forbidden: Sequence[Forbidden]) -> None:
        super().__init__()
        self.forbidden, self.called = forbidden, dict[str, None]()

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        for each in self.forbidden:
            if func is each.function and (not each.argument or given.get(each.argument)):
                self.called[each.name] = None
        return func(*args, **given)


def readers_line(error: BaseException) -> Line | None:
    """Return the innermost line of the reader's code on the way to an error, or None where there is none."""
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = frame.f_code.co_filename
        if not _is_library(file):
            where = "the cell" if _is_cell(file) else Path(file).name
            text = linecache.getline(file, number, frame.f_globals).strip()
            return Line(f"line {number} of {where}, in `{frame.f_code.co_name}`", text)
    return None


def error_in_words(error: BaseException, exercise: Exercise, inputs: Inputs) -> str:
    """Say what the reader's code raised and in which of its lines, without a line of ours."""
    if isinstance(error, NotUsable):
        return str(error)
    text = "".join(traceback.format_exception_only(error)).strip()
    shortened = text if len(text) <= _ERROR_LENGTH else text[:_ERROR_LENGTH] + " ..."
    lines = ["Your code raises an error.", *(f"    {line}" for line in shortened.splitlines())]
    line = readers_line(error)
    if line is not None:
        lines.append(f"It comes from {line.place}" + (f":\n    {line.text}" if line.text else "."))
    elif isinstance(error, TypeError):  # raised by the call itself
        lines.append(_how_it_is_called(exercise.solution, inputs))
    if isinstance(error, RecursionError):
        lines.append("A function that calls itself must stop at some point.")
    lines += [advice for pattern, advice in _ABOUT_SHAPES if re.search(pattern, text)][:1]
    return "\n".join(lines)


def is_unfilled(outcome: Outcome) -> bool:
    """Whether the reader's stub has not been replaced: it gives None or `...`, or raises `NotImplementedError`."""
    if isinstance(outcome, Returned):
        return any(True for _ in blanks(outcome.output))
    if not isinstance(outcome.error, NotImplementedError):
        return False
    line = readers_line(outcome.error)  # torch raises this error as well, for a dtype without a kernel
    return line is not None and (not line.text or "NotImplementedError" in line.text)


def blanks(value: Any, where: str = "") -> Iterator[str]:
    """Yield the name of each place in an answer that still holds None or `...`; the whole answer's name is empty."""
    if value is None or value is ...:
        yield where
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from blanks(part, f"`{key}`")
    elif isinstance(value, (list, tuple)):
        for place, part in enumerate(value, start=1):
            yield from blanks(part, f"part {place}{f' of {where}' if where else ''}")


def _how_it_is_called(solution: Any, inputs: Inputs) -> str:
    if not isinstance(solution, type):
        return f"It is called with {counted(len(inputs), 'argument')}: ({', '.join(inputs)})."
    built = f"It is built with ({', '.join(inspect.signature(solution).parameters)})"
    if not issubclass(solution, nn.Module):
        return f"{built}."
    _, *arguments = inspect.signature(solution.forward).parameters  # without self
    return f"{built} and called with ({', '.join(arguments)})."


def _contents(value: Any) -> Any:
    return dict(value.state_dict()) if isinstance(value, nn.Module) else value


def _is_library(file: str) -> bool:
    # "<frozen ...>" is the interpreter's, "<@..." is what decorators such as beartype generate.
    if file.startswith(("<frozen", "<@")):
        return True
    path = Path(file)
    return any(path.is_relative_to(library) for library in _LIBRARIES) or not _INSTALLED.isdisjoint(path.parts)


def _is_cell(file: str) -> bool:
    # "<stdin>" or "<ipython-input-...>" in a terminal, a temporary file in a notebook, named otherwise in Colab
    return file.startswith("<") or "ipykernel" in file or "ipython-input" in file

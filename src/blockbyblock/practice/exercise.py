"""What an exercise is, and where the exercises of a chapter are found."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

PACKAGE = __name__.rpartition(".")[0]
SEED = 0
"""Every check draws its inputs from this seed, so that a message is the same in every run."""

Inputs = Mapping[str, Any]
"""One input of an exercise: the arguments by name, in the order in which a function takes them."""


class NotUsable(Exception):
    """Raised by an exercise's `use` when it cannot work with the answer; its text is shown to the reader."""


def apply(answer: Any, /, **inputs: Any) -> Any:
    """Call a function with the inputs, in their order, or take a value as it is."""
    return answer(*inputs.values()) if callable(answer) else answer


def choose(answer: Any, /) -> Any:
    """Take a choice such as "B" whether or not it is typed with capitals and spaces."""
    return answer.strip().casefold() if isinstance(answer, str) else answer


def build(*settings: str) -> Callable[..., Any]:
    """Return a `use` for exercises whose answer is a subclass of `nn.Module`.

    It builds the module from the inputs named in `settings`, copies the input `parameters` (a state dict, where there
    is one) into it, puts it in evaluation mode and calls it with the inputs that are left. Raises `NotUsable` if the
    module's parameters have other names or shapes.
    """

    def use(answer: Any, /, **inputs: Any) -> Any:
        module = answer(*(inputs.pop(name) for name in settings))
        _copy_parameters(inputs.pop("parameters", None), module)
        return module.eval()(*inputs.values())

    return use


@dataclass(frozen=True, eq=False)
class Mistake:
    """A well-known wrong answer.

    Args:
        name: what is wrong, as a clause: "the softmax runs over the queries".
        answer: the wrong answer itself: a function, a class or a value, like the exercise's solution.
        advice: what to look at.
    """

    name: str
    answer: Any
    advice: str


@dataclass(frozen=True, eq=False)
class Forbidden:
    """A function of torch that an exercise asks to do without, since it is what the exercise is about.

    Args:
        name: as a reader writes it, with the argument if it is that which is forbidden.
        function: the function itself; torch must see each call of it, as it does for all that take tensors.
        argument: the name of an argument, where only calls with it are forbidden.
    """

    name: str
    function: Callable[..., Any]
    argument: str = ""


@dataclass(frozen=True, eq=False)
class Exercise:
    """An exercise that knows its solution and its well-known wrong answers.

    Args:
        name: starts with its chapter, "01-..." or "notation-...", which says in which module it stands.
        title: one line that says what to do.
        solution: a function, a subclass of `nn.Module`, or a value to be worked out by hand.
        cases: draws the inputs from a seeded generator, the smallest and most readable first. A value has none.
        mistakes: the well-known wrong answers. They must differ from the solution and from each other on the cases;
            where the answer is a dict, each part of it is recognised for itself.
        use: what is done with an answer for one input: `apply`, `choose`, `build(...)` or a function of one's own.
        hint: what to look at when an answer is wrong in a way that is not listed.
        tolerance: the largest error that still counts as right; None takes the one that belongs to the dtype.
        without: what a right answer must not call.
    """

    name: str
    title: str
    solution: Any
    cases: Callable[[torch.Generator], Iterable[Inputs]] = lambda generator: [{}]
    mistakes: tuple[Mistake, ...] = ()
    use: Callable[..., Any] = apply
    hint: str = ""
    tolerance: float | None = None
    without: tuple[Forbidden, ...] = ()

    @property
    def chapter(self) -> str:
        """The first part of the name: "notation", "01"."""
        return self.name.partition("-")[0]

    @property
    def by_hand(self) -> bool:
        """Whether the answer is a value, and not a function or a class."""
        return not callable(self.solution)

    def inputs(self) -> list[Inputs]:
        """Draw the inputs on which an answer is tried: the same ones at every call."""
        return list(self.cases(torch.Generator().manual_seed(SEED)))


class Overview(NamedTuple):
    """One row of "Exercises at a glance"."""

    exercise: str
    chapter: str
    title: str
    mistakes: tuple[str, ...]


def find(name: str) -> Exercise:
    """Return the exercise of that name, loading its chapter's module only.

    Raises:
        LookupError: there is no such exercise; the message lists the names that come close.
    """
    chapter = name.partition("-")[0]
    module = f"chapter_{chapter}" if chapter.isdigit() else chapter
    for exercise in _exercises(module) if module in _modules() else ():
        if exercise.name == name:
            return exercise
    names = [exercise.name for exercise in registry()]
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names
    raise LookupError(f"There is no exercise named {name!r}. Did you mean {' or '.join(map(repr, close))}?")


def registry() -> tuple[Exercise, ...]:
    """Return the exercises of every chapter, in the order of the modules' names."""
    return tuple(exercise for module in _modules() for exercise in _exercises(module))


def overview() -> list[Overview]:
    """Return one row for each exercise, for the appendix "Exercises at a glance"."""
    return [
        Overview(exercise.name, exercise.chapter, exercise.title, tuple(mistake.name for mistake in exercise.mistakes))
        for exercise in registry()
    ]


def _modules() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(importlib.import_module(PACKAGE).__path__)]


def _exercises(module: str) -> tuple[Exercise, ...]:
    """Return the `EXERCISES` of one module of this package; the machinery has none."""
    exercises: tuple[Exercise, ...] = getattr(importlib.import_module(f"{PACKAGE}.{module}"), "EXERCISES", ())
    return exercises


def _copy_parameters(wanted: Mapping[str, Tensor] | None, module: nn.Module) -> None:
    if wanted is None:
        return
    own = dict(module.named_parameters())
    if {name: part.shape for name, part in own.items()} != {name: part.shape for name, part in wanted.items()}:
        raise NotUsable(f"Your module has {_listed(own)}; {_listed(wanted)} are expected, by these names.")
    with torch.no_grad():
        for name, part in own.items():
            part.copy_(wanted[name])


def _listed(parameters: Mapping[str, Tensor]) -> str:
    listed = ", ".join(f"`{name}` {tuple(part.shape)}" for name, part in parameters.items())
    return f"the parameters {listed}" if listed else "no parameters"

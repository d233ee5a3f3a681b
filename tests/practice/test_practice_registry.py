"""Every exercise of the book, held to what it must answer. A new exercise is tested here without a line more."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from blockbyblock.practice import Exercise, Mistake, Verdict, check, find, overview, registry

EXERCISES = registry()
MISTAKES = [(exercise, mistake) for exercise in EXERCISES for mistake in exercise.mistakes]
every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
every_mistake = pytest.mark.parametrize(
    ("exercise", "mistake"), MISTAKES, ids=[f"{exercise.name}: {mistake.name}" for exercise, mistake in MISTAKES]
)


def perturbed(value: Any) -> Any:
    """Change every number and text of an answer by something that no reader would come up with."""
    if isinstance(value, torch.Tensor):
        return ~value if value.dtype == torch.bool else value + 97
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value} 97"
    if isinstance(value, dict):
        return {key: perturbed(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(perturbed(part) for part in value)
    return value + 97


def outside_of(change: Callable[[Any], Any], solution: Any) -> Any:
    """Return an answer that gives what the solution gives, after `change`."""
    if isinstance(solution, type) and issubclass(solution, nn.Module):
        return type(
            solution.__name__, (solution,), {"forward": lambda self, *args: change(solution.forward(self, *args))}
        )
    return (lambda *args: change(solution(*args))) if callable(solution) else change(solution)


def stubs_of(solution: Any) -> list[Any]:
    if isinstance(solution, type) and issubclass(solution, nn.Module):

        class OnlyInit(nn.Module):
            def __init__(self, *settings: object) -> None:
                super().__init__()

        class Stub(OnlyInit):
            def forward(self, *inputs: object) -> None:
                raise NotImplementedError

        return [None, ..., OnlyInit, Stub]
    if not callable(solution):
        return [None, ...]

    def raising(*inputs: object) -> None:
        raise NotImplementedError("your turn")

    return [None, ..., lambda *inputs: None, lambda *inputs: ..., raising]


def test_names_are_unique_and_lead_to_their_exercise() -> None:
    names = [exercise.name for exercise in EXERCISES]
    assert names
    assert len(set(names)) == len(names)
    assert [find(name) for name in names] == list(EXERCISES)


@every_exercise
def test_is_described(exercise: Exercise) -> None:
    assert exercise.title.strip()
    assert "\n" not in exercise.title
    assert len(exercise.mistakes) >= 3, "the three best-known wrong answers are the least that an exercise recognises"
    assert all(mistake.name and mistake.advice.endswith(".") for mistake in exercise.mistakes)


@every_exercise
def test_solution_passes_and_says_the_same_in_every_run(exercise: Exercise) -> None:
    result = check(exercise.name, exercise.solution).require()
    assert result.message.startswith("Right.")
    assert result.detail == check(exercise.name, exercise.solution).detail
    assert "counts" not in result.message, "the solution itself should need no remark"


@every_exercise
def test_unfilled_stub_is_called_unfilled(exercise: Exercise) -> None:
    for stub in stubs_of(exercise.solution):
        result = check(exercise.name, stub)
        assert result.verdict is Verdict.UNFILLED, result.message
        assert result.message.startswith("Not filled in yet.")


@every_mistake
def test_mistake_is_recognised_by_its_own_name(exercise: Exercise, mistake: Mistake) -> None:
    result = check(exercise.name, mistake.answer)
    assert result.mistakes == (mistake.name,), result.message
    assert result.verdict is Verdict.MISTAKE
    assert mistake.name[1:] in result.message
    assert mistake.advice in result.message


@every_mistake
def test_mistake_is_recognised_in_one_part_alone(exercise: Exercise, mistake: Mistake) -> None:
    """An answer with named parts may be wrong in one of them only; then too the name must be the right one."""
    outputs = [exercise.use(exercise.solution, **inputs) for inputs in exercise.inputs()]
    if not isinstance(outputs[0], dict):
        assert check(exercise.name, mistake.answer).mistakes == (mistake.name,)
        return
    for part in outputs[0]:

        def only_here(*args: Any, part: str = part) -> Any:
            return exercise.solution(*args) | {part: mistake.answer(*args)[part]}

        result = check(exercise.name, only_here)
        assert result.passed or result.mistakes == (mistake.name,), f"{part}: {result.message}"


@every_exercise
def test_unlisted_wrong_answer_gets_what_it_was_tried_on(exercise: Exercise) -> None:
    result = check(exercise.name, outside_of(perturbed, exercise.solution))
    assert result.verdict is Verdict.WRONG, result.message
    if exercise.by_hand:
        assert "expected" not in result.message, "a value worked out by hand is not given away"
    else:
        assert "expected" in result.message
        assert "It was tried with" in result.message


def test_overview_has_a_row_for_each_exercise() -> None:
    rows = overview()
    assert [row.exercise for row in rows] == [exercise.name for exercise in EXERCISES]
    row = next(row for row in rows if row.exercise == "notation-shapes")
    assert row.chapter == "notation"
    assert row.title.startswith("Write down")
    assert len(row.mistakes) >= 3


def test_unknown_name_lists_the_close_ones() -> None:
    with pytest.raises(LookupError, match=r"no exercise named 'notation-shape'.*'notation-shapes'"):
        check("notation-shape", None)
    with pytest.raises(LookupError, match=r"Did you mean '.+'"):
        check("exercise-zzz", None)  # close to no name, and its first part is a module without exercises

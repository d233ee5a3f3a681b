"""Judge an answer, and say what to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from blockbyblock.practice.attempt import (
    Line,
    Outcome,
    Raised,
    Returned,
    attempt,
    blanks,
    error_in_words,
    is_unfilled,
    readers_line,
)
from blockbyblock.practice.compare import TWO_DECIMALS, Comparing, Comparison
from blockbyblock.practice.exercise import Exercise, Inputs, Mistake, find
from blockbyblock.practice.result import Result, Verdict
from blockbyblock.practice.wording import describe, listed, sentence, to_tensor, tried_on, written_out

_WHOLE = ""  # the name of the only part of an answer that is not a dict


def check(name: str, answer: Any) -> Result:
    """Check an answer to an exercise and say what to look at.

    Nothing that the answer does is raised, and the state of torch's random generator is the same before and after. An
    answer that never ends can be stopped (Ctrl-C, the stop button): the result then says where it was.

    Args:
        name: the exercise, for example "notation-shapes".
        answer: the function, the class or the value itself.

    Returns:
        A result that shows itself at the end of a cell. `check(...).require()` raises unless the answer is right.

    Raises:
        LookupError: there is no exercise of that name.
    """
    return judge(find(name), answer)


def judge(exercise: Exercise, answer: Any) -> Result:
    """Check an answer to an exercise that is at hand, as `check` does for one that it finds by its name."""
    if answer is None or answer is ... or _has_no_forward(answer):
        return Result(
            exercise.name, Verdict.UNFILLED, "Fill in the exercise's cell, run it, then run this check again."
        )
    misfit = _misfit(exercise, answer)
    if misfit:
        return Result(exercise.name, Verdict.WRONG, misfit)
    try:
        trial = _Trial.of(exercise, answer)
    except KeyboardInterrupt as stop:
        line = readers_line(stop)
        if line is None:  # not in the reader's code
            raise
        return Result(exercise.name, Verdict.ERROR, _stopped_at(line))
    return trial.unfilled() or trial.right() or trial.mistaken() or trial.in_two_decimals() or trial.different()


@dataclass(frozen=True)
class _Trial:
    """An answer beside the solution, on every input."""

    exercise: Exercise
    cases: list[Inputs]
    expected: list[Returned]
    yours: list[Outcome]

    @classmethod
    def of(cls, exercise: Exercise, answer: Any) -> _Trial:
        cases = exercise.inputs()
        expected = []
        for inputs in cases:
            outcome = attempt(exercise, exercise.solution, inputs)
            if isinstance(outcome, Raised):
                raise outcome.error  # the exercise itself is at fault
            expected.append(outcome)
        return cls(exercise, cases, expected, [attempt(exercise, answer, inputs) for inputs in cases])

    def unfilled(self) -> Result | None:
        outcome = next(filter(is_unfilled, self.yours), None)
        if outcome is None:
            return None
        missing = [name for name in blanks(outcome.output) if name] if isinstance(outcome, Returned) else []
        if missing:
            return self._result(Verdict.UNFILLED, f"Still to do: {', '.join(missing)}.")
        if isinstance(outcome, Returned) and outcome.output is None:
            return self._result(Verdict.UNFILLED, "Your code returns `None`: write its body and end it with `return`.")
        return self._result(
            Verdict.UNFILLED, "Write the body in the exercise's cell, run it, then run this check again."
        )

    def right(self) -> Result | None:
        comparisons = [self._comparison(place) for place in range(len(self.cases))]
        if not all(comparison.equal for comparison in comparisons):
            return None
        if self._changes:
            return self._result(Verdict.WRONG, f"The output is right, but {self._changes}")
        called = {name: None for outcome in self.yours if isinstance(outcome, Returned) for name in outcome.called}
        if called:
            advice = "which this exercise is about: write out what it does."
            return self._result(Verdict.WRONG, f"The output is right, but your code calls {listed(called)}, {advice}")
        tried = [] if self.exercise.by_hand else [tried_on(self.cases)]
        remarks = next((comparison.remarks for comparison in comparisons if comparison.remarks), ())
        return self._result(Verdict.RIGHT, "\n".join([*tried, *remarks]))

    def in_two_decimals(self) -> Result | None:
        """Of an answer worked out by hand and typed with two decimals: whether it is right, or a mistake, so far."""
        numbers = to_tensor(self.yours[0].output) if isinstance(self.yours[0], Returned) else None
        if not self.exercise.by_hand or self.exercise.tolerance is not None or numbers is None:
            return None
        hundredths = 100 * numbers.double()
        if not torch.allclose(hundredths, hundredths.round(), rtol=0, atol=1e-4):
            return None
        coarse = replace(self, exercise=replace(self.exercise, tolerance=TWO_DECIMALS))
        if coarse.right():
            return self._result(Verdict.WRONG, "Your answer is right to two decimals. Give three.")
        return coarse.mistaken()

    def mistaken(self) -> Result | None:
        made: dict[Mistake, list[str]] = {}
        unexplained = []
        for part in self._parts():
            if all(self._agree(*pair, part) for pair in zip(self.expected, self.yours, strict=True)):
                continue
            mistake = next((mistake for mistake in self.exercise.mistakes if self._explains(mistake, part)), None)
            if mistake is None:
                unexplained.append(part)
            else:
                made.setdefault(mistake, []).append(part)
        if not made:
            return None
        lines = [f"{sentence(_in(parts) + mistake.name)}.\n{mistake.advice}" for mistake, parts in made.items()]
        lines += [f"Something else is wrong in {listed(unexplained)}."] if unexplained else []
        return self._result(Verdict.MISTAKE, self._with_changes(lines), tuple(mistake.name for mistake in made))

    def different(self) -> Result:
        place = next(place for place in range(len(self.cases)) if not self._comparison(place).equal)
        outcome, inputs = self.yours[place], self.cases[place]
        lines = [self._comparison(place).problem]
        if inputs:
            lines += ["It was tried with", *written_out(inputs)]
        right = sum(self._comparison(other).equal for other in range(len(self.cases)))
        if right:
            lines.append(f"It is right on {right} of the {len(self.cases)} inputs tried.")
        lines += [self.exercise.hint] if self.exercise.hint else []
        verdict = Verdict.ERROR if isinstance(outcome, Raised) else Verdict.WRONG
        return self._result(verdict, self._with_changes(lines))

    def _comparison(self, place: int) -> Comparison:
        outcome = self.yours[place]
        if isinstance(outcome, Raised):
            return Comparison(error_in_words(outcome.error, self.exercise, self.cases[place]))
        return self._compare(self.expected[place].output, outcome.output)

    def _compare(self, expected: Any, got: Any) -> Comparison:
        return Comparing(self.exercise.by_hand, self.exercise.tolerance)(expected, got)

    def _parts(self) -> list[str]:
        """Name the parts that are judged each for itself: the entries of a dict, or the whole."""
        right = self.expected[0].output
        by_key = isinstance(right, Mapping) and all(
            isinstance(outcome, Returned) and isinstance(outcome.output, Mapping) and set(outcome.output) == set(right)
            for outcome in self.yours
        )
        return list(right) if by_key else [_WHOLE]

    def _explains(self, mistake: Mistake, part: str) -> bool:
        """Whether a mistake gives the reader's output on every input, and a wrong one on at least one."""
        theirs = [attempt(self.exercise, mistake.answer, inputs) for inputs in self.cases]
        return all(self._agree(*pair, part) for pair in zip(theirs, self.yours, strict=True)) and any(
            isinstance(outcome, Returned) and not self._agree(right, outcome, part)
            for right, outcome in zip(self.expected, theirs, strict=True)
        )

    def _agree(self, expected: Outcome, got: Outcome, part: str) -> bool:
        if isinstance(expected, Raised) or isinstance(got, Raised):
            return isinstance(expected, Raised) and isinstance(got, Raised) and type(expected.error) is type(got.error)
        if part == _WHOLE:
            return self._compare(expected.output, got.output).equal
        return part in expected.output and self._compare(expected.output[part], got.output[part]).equal

    @property
    def _changes(self) -> str:
        names = {name: None for outcome in self.yours if isinstance(outcome, Returned) for name in outcome.changed}
        if not names:
            return ""
        return (
            f"your code changes its input {listed(names)} in place, and whoever called it still needs that. "
            "Write `x = x + 1` instead of `x += 1`, and use no method that ends in an underscore on an input."
        )

    def _with_changes(self, lines: Sequence[str]) -> str:
        return "\n".join([*lines, f"Besides, {self._changes}"] if self._changes else lines)

    def _result(self, verdict: Verdict, detail: str, mistakes: tuple[str, ...] = ()) -> Result:
        return Result(self.exercise.name, verdict, detail, mistakes)


def _stopped_at(line: Line) -> str:
    place = f"It was at {line.place}" + (f":\n    {line.text}" if line.text else ".")
    advice = "A loop ends when its condition becomes false: what in it changes?"
    return f"You have stopped your code while it ran.\n{place}\n{advice}"


def _has_no_forward(answer: Any) -> bool:
    return isinstance(answer, type) and issubclass(answer, nn.Module) and answer.forward is nn.Module.forward


def _misfit(exercise: Exercise, answer: Any) -> str:
    """Say what is wrong if the answer is of another kind than the solution: a call instead of the function ..."""
    if isinstance(exercise.solution, type) and not isinstance(answer, type):
        return f"The answer is {describe(answer)}; pass the class itself: its name, without parentheses."
    if not exercise.by_hand and not callable(answer):
        return f"The answer is {describe(answer)}; pass the function itself: its name, without parentheses."
    if exercise.by_hand and callable(answer):
        return f"The answer is {describe(answer)}; pass the value that you worked out."
    return ""


def _in(parts: Sequence[str]) -> str:
    return "" if list(parts) == [_WHOLE] else f"In {listed(parts)}: "

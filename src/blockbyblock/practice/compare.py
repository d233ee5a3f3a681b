"""Compare an answer with what is expected, and say the first difference in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from blockbyblock.practice.wording import PRINTED, counted, describe, labelled, number, sentence, show, to_tensor

# float32 carries 24 bits, a relative error of 6e-8 per operation. A right answer may add a hundred terms in another
# order and so be off by some 6e-6: 1e-5 leaves room for that, and the known mistakes change far more.
FLOAT32 = 1e-5
# Where both sides are float64 tensors, rounding (1e-16 per operation) is out of the way and finer mistakes show.
FLOAT64 = 1e-10
# Half precision carries 8 bits (bfloat16) or 11 (float16): a few roundings amount to a percent.
HALF = 2e-2
# An answer worked out by hand is typed with three decimals: one unit in the last of them, rounded or cut off.
BY_HAND = 1e-3
# One typed with two decimals, rounded: nearly there, or a mistake that can be told by its name all the same.
TWO_DECIMALS = 0.005 + 1e-9


@dataclass(frozen=True)
class Comparison:
    """What `Comparing` found: the first `problem` in words (empty where both are equal), and friendly `remarks`."""

    problem: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether nothing but remarks was found."""
        return not self.problem


@dataclass(frozen=True)
class Comparing:
    """Compares an answer with the expected one: tensors, numbers, texts, and lists, tuples and dicts of them.

    A list, an array or a number that is equal in value to the expected tensor counts, with a remark.

    Args:
        by_hand: the answer is a value that the reader worked out: the problem does not give the right one away, and
            the dtype is free.
        tolerance: the largest error, absolute for values near zero and relative for larger ones. None takes the one
            that belongs to the dtypes (the constants above say why).
        where: what the compared thing is called in the sentences.
    """

    by_hand: bool = False
    tolerance: float | None = None
    where: str = "your answer"

    def __call__(self, expected: Any, got: Any) -> Comparison:
        """Compare what a reader got with what is expected; the two are not interchangeable."""
        want = to_tensor(expected)
        if want is not None:
            return self._numbers(expected, got, want)
        if isinstance(expected, Mapping):
            return self._dict(expected, got)
        if isinstance(expected, (list, tuple)):
            return self._parts(expected, got)
        if not isinstance(got, type(expected)):
            return self._wrong("type", expected, got)
        return Comparison() if bool(expected == got) else self._not_that(expected, got)

    def _numbers(self, expected: Any, got: Any, want: Tensor) -> Comparison:
        have = to_tensor(got)
        if have is None:
            return self._wrong("type", expected, got)
        if not isinstance(expected, Tensor) and want.dim() == 0 and have.numel() == 1:
            have = have.reshape(())  # a tensor that holds one number is as good as the number
        if have.shape != want.shape:
            # A flat list or tuple, a shape for example, is shown in full: that says more than its length.
            flat = not isinstance(expected, Tensor) and not self.by_hand and want.dim() == have.dim() == 1
            return self._not_that(expected, got) if flat else self._wrong("shape", expected, got)
        both = isinstance(expected, Tensor) and isinstance(got, Tensor)
        equal = self._close(want, have, both)
        if both and not self.by_hand and want.dtype != have.dtype:
            values = "The values themselves are right." if bool(equal.all()) else "The values differ too."
            return self._wrong("dtype", expected, got, values)
        if not bool(equal.all()):
            return self._wrong_values(expected, got, want, have, equal)
        return Comparison(remarks=tuple(self._remarks(expected, got, want, have)))

    def _dict(self, expected: Mapping[Any, Any], got: Any) -> Comparison:
        if not isinstance(got, Mapping) or set(got) != set(expected):
            return self._wrong("keys" if isinstance(got, Mapping) else "type", expected, got)
        return _first_problem(replace(self, where=f"`{key}`")(part, got[key]) for key, part in expected.items())

    def _parts(self, expected: Sequence[Any], got: Any) -> Comparison:
        if not isinstance(got, (list, tuple)) or len(got) != len(expected):
            return self._wrong("number of parts" if isinstance(got, (list, tuple)) else "type", expected, got)
        return _first_problem(
            replace(self, where=f"part {place} of {self.where}")(part, got[place - 1])
            for place, part in enumerate(expected, start=1)
        )

    def _close(self, want: Tensor, have: Tensor, both_given_as_tensors: bool) -> Tensor:
        """Say entry by entry where two tensors of one shape agree; floating-point numbers are compared in float64."""
        if not (want.is_floating_point() or have.is_floating_point()):
            return want == have
        dtypes = {want.dtype, have.dtype}
        if self.tolerance is not None:
            tolerance = self.tolerance
        elif self.by_hand:
            tolerance = BY_HAND
        elif dtypes & {torch.float16, torch.bfloat16}:
            tolerance = HALF
        elif both_given_as_tensors and dtypes == {torch.float64}:
            tolerance = FLOAT64
        else:  # a Python float may well come from a float32 tensor
            tolerance = FLOAT32
        return torch.isclose(
            have.double(), want.double(), rtol=0.0 if self.by_hand else tolerance, atol=tolerance, equal_nan=True
        )

    def _wrong(self, aspect: str, expected: Any, got: Any, more: str = "") -> Comparison:
        """Name the aspect that is wrong and say both sides of it in words."""
        wanted = describe(expected, revealing=False)
        return Comparison(f"Wrong {aspect}: {self.where} is {describe(got)}; {wanted} is expected. {more}".rstrip())

    def _not_that(self, expected: Any, got: Any) -> Comparison:
        rest = ", which is not right" if self.by_hand else f", expected {show(expected)}"
        return Comparison(f"{sentence(self.where)} is {show(got)}{rest}.")

    def _wrong_values(self, expected: Any, got: Any, want: Tensor, have: Tensor, equal: Tensor) -> Comparison:
        start = sentence(self.where)
        strange = have.isnan() & ~want.isnan()
        if bool(strange.any()):
            return Comparison(
                f"{start} holds NaN (not a number) in {int(strange.sum())} of {counted(want.numel(), 'entry')}"
                f"{_at(_first(strange))}. NaN comes from 0/0, from inf - inf, from the root of a negative number, "
                "or from a softmax over a row in which every score is -inf."
            )
        spot = _first(~equal)
        yours, right = _apart(have[spot].item(), want[spot].item())
        if want.dim() == 0:
            return Comparison(f"{start} is {yours}{', which is not right' if self.by_hand else f', expected {right}'}.")
        if not isinstance(expected, Tensor) and not self.by_hand:
            return self._not_that(expected, got)
        wrong = f"{int((~equal).sum())} of {counted(want.numel(), 'entry')}"
        if self.by_hand:
            return Comparison(f"{start} is not right in {wrong}{_at(spot)}: {yours}.")
        blocks = f"\n{labelled('expected', expected)}\n{labelled('yours   ', have)}" if want.numel() <= PRINTED else ""
        return Comparison(f"{start} differs in {wrong}{_at(spot)}: {yours}, expected {right}.{blocks}")

    def _remarks(self, expected: Any, got: Any, want: Tensor, have: Tensor) -> Iterator[str]:
        start = sentence(self.where)
        if have.is_floating_point() and not want.is_floating_point() and not isinstance(got, Tensor):
            yield f"{start} holds a float where whole numbers are expected. It counts; `//` would give a whole number."
        elif any(isinstance(expected, kind) != isinstance(got, kind) for kind in (Tensor, list)):
            wanted = describe(expected, revealing=False)
            yield f"{start} is {describe(got)}; {wanted} is expected. The values are the same, so it counts."


def _first_problem(parts: Iterable[Comparison]) -> Comparison:
    remarks: tuple[str, ...] = ()
    for part in parts:
        if not part.equal:
            return part
        remarks += part.remarks
    return Comparison(remarks=remarks)


def _first(flags: Tensor) -> tuple[int, ...]:
    return tuple(flags.nonzero()[0].tolist())


def _at(spot: tuple[int, ...]) -> str:
    return f", first at {list(spot)}" if spot else ""


def _apart(yours: int | float, right: int | float) -> tuple[str, str]:
    """Write two different numbers with as many digits as it takes to see that they differ."""
    for digits in (4, 7, 9):
        pair = number(yours, digits), number(right, digits)
        if pair[0] != pair[1]:
            return pair
    return number(yours, 17), number(right, 17)

"""The exercises of chapter 05: wavelengths, the paper's table, adding its rows, and shifting them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from blockbyblock.embedding import sinusoids
from blockbyblock.practice.exercise import Exercise, Inputs, Mistake


def _angles(length: int, d_model: int, *, exponent: float = 2.0, first: int = 0) -> Tensor:
    """`[length, pair]`: positions from `first`, times 10000 to the power -exponent * i / d_model."""
    pair = torch.arange(d_model // 2, dtype=torch.float64)
    position = torch.arange(first, first + length, dtype=torch.float64)[:, None]
    return position * 10_000.0 ** (-exponent * pair / d_model)


def _interleaved(first: Tensor, second: Tensor) -> Tensor:
    return torch.stack((first, second), dim=-1).flatten(1).float()


def _halves(length: int, d_model: int) -> Tensor:
    angle = _angles(length, d_model)
    return torch.cat((angle.sin(), angle.cos()), dim=1).float()


def _cosine_first(length: int, d_model: int) -> Tensor:
    angle = _angles(length, d_model)
    return _interleaved(angle.cos(), angle.sin())


def _from_one(length: int, d_model: int) -> Tensor:
    angle = _angles(length, d_model, first=1)
    return _interleaved(angle.sin(), angle.cos())


def _half_the_exponent(length: int, d_model: int) -> Tensor:
    angle = _angles(length, d_model, exponent=1.0)
    return _interleaved(angle.sin(), angle.cos())


def _own_frequency_each(length: int, d_model: int) -> Tensor:
    """The exponent counts features instead of pairs, so that a cosine is slower than its sine."""
    feature = torch.arange(d_model, dtype=torch.float64)
    angle = torch.arange(length, dtype=torch.float64)[:, None] * 10_000.0 ** (-feature / d_model)
    return torch.where(feature % 2 == 0, angle.sin(), angle.cos()).float()


def _counted_in_twos(length: int, d_model: int) -> Tensor:
    """The loop variable already is 2i, and is doubled once more; the cosine counts on."""
    feature = torch.arange(d_model, dtype=torch.float64)
    angle = torch.arange(length, dtype=torch.float64)[:, None] * 10_000.0 ** (-2 * feature / d_model)
    return torch.where(feature % 2 == 0, angle.sin(), angle.cos()).float()


def _to_the_very_end(length: int, d_model: int) -> Tensor:
    """The exponents go from 0 to 1 with both ends, as in tensor2tensor."""
    frequency = 10_000.0 ** -torch.linspace(0, 1, d_model // 2, dtype=torch.float64)
    angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency
    return _interleaved(angle.sin(), angle.cos())


def _table_cases(generator: torch.Generator) -> Iterable[Inputs]:
    for length, d_model in ((3, 4), (6, 8), (20, 16), (1, 6)):
        yield {"length": length, "d_model": d_model}


def add_positions(x: Tensor, table: Tensor, start: int) -> Tensor:
    """x + the rows of its positions: `[batch, position, d_model]`, a table `[max_length, d_model]`, the first place."""
    return x + table[start : start + x.shape[1]]


def _add_cases(generator: torch.Generator) -> Iterable[Inputs]:
    # As many sentences as positions, then one position at a time, as a cached decoder works.
    for batch, length, d_model, start in ((1, 2, 4, 0), (3, 3, 6, 2), (2, 1, 4, 5), (2, 4, 8, 3)):
        x = torch.randn(batch, length, d_model, generator=generator)
        yield {"x": x, "table": sinusoids(12, d_model), "start": start}


def _along_the_batch(x: Tensor, table: Tensor, start: int) -> Tensor:
    return x + table[start : start + x.shape[0]].unsqueeze(1)


def _turned(rows: Tensor, angle: Tensor) -> Tensor:
    sine, cosine = rows[:, 0::2], rows[:, 1::2]
    return torch.stack(
        (sine * angle.cos() + cosine * angle.sin(), cosine * angle.cos() - sine * angle.sin()), dim=-1
    ).flatten(1)


def _frequency(rows: Tensor) -> Tensor:
    return 10_000.0 ** (-torch.arange(0, rows.shape[1], 2) / rows.shape[1])


def shift(rows: Tensor, k: int) -> Tensor:
    """The encodings of the positions that are `k` later: each pair turned by k times its frequency."""
    return _turned(rows, k * _frequency(rows))


def _shift_cases(generator: torch.Generator) -> Iterable[Inputs]:
    for start, count, d_model, k in ((0, 2, 4, 1), (5, 4, 8, 3), (17, 6, 16, 10), (3, 2, 6, -2)):
        yield {"rows": sinusoids(start + count, d_model)[start:], "k": k}


EXERCISES = (
    Exercise(
        name="05-wavelength",
        title="Find the first pair that comes round in more than 1,000 positions",
        solution=141,
        mistakes=(
            Mistake(
                "the circle's 2 pi was forgotten",
                193,
                "A pair comes round when its angle has grown by 2 pi, so the wavelength is 2 pi / frequency.",
            ),
            Mistake(
                "that is the number of a feature, not of a pair",
                282,
                "The pair i consists of the features 2i and 2i + 1, and its exponent is 2i / d_model.",
            ),
            Mistake("one pair too early", 140, "Its wavelength is still below 1,000: 968 positions."),
            Mistake("one pair too late", 142, "The pair before it is longer than 1,000 positions already."),
        ),
        hint="The wavelength is 2 pi times 10000 to the power 2i / 512.",
    ),
    Exercise(
        name="05-table",
        title="Write the paper's positional encoding",
        solution=sinusoids,
        cases=_table_cases,
        # a reader computes the angle in float32: 19 radians keep six digits
        tolerance=1e-5,
        mistakes=(
            Mistake(
                "sines first, cosines after",
                _halves,
                "Marian has that layout. The paper's takes turns: sine in feature 2i, cosine in 2i + 1.",
            ),
            Mistake("cosines stand in the even features", _cosine_first, "Sine comes first in each pair."),
            Mistake("positions count from one", _from_one, "Position 0 is the first: its sines are 0, its cosines 1."),
            Mistake(
                "the exponent is half of what it should be",
                _half_the_exponent,
                "The exponent is 2i / d_model, where i counts pairs: from 0 to nearly 1.",
            ),
            Mistake(
                "the two of a pair have different frequencies",
                _own_frequency_each,
                "Sine and cosine of a pair share one frequency, or a shift would be no rotation. Use 2i for both.",
            ),
            Mistake(
                "the exponent counts the features twice",
                _counted_in_twos,
                "In a loop over range(0, d_model, 2) the variable already is the paper's 2i. Divide it by d_model, "
                "once for both of a pair.",
            ),
            Mistake(
                "the last exponent is exactly 1",
                _to_the_very_end,
                "tensor2tensor and fairseq spread the exponents so. The paper divides 2i by d_model, and 2i ends at "
                "d_model - 2.",
            ),
        ),
    ),
    Exercise(
        name="05-add",
        title="Add positions to a batch of embeddings",
        solution=add_positions,
        cases=_add_cases,
        mistakes=(
            Mistake(
                "the start was ignored",
                lambda x, table, start: x + table[: x.shape[1]],
                "A decoder that keeps what it has read sends one token at a time. Each would be at position 0.",
            ),
            Mistake(
                "the rows were taken along the batch",
                _along_the_batch,
                "Dimension 0 is the batch, dimension 1 the position. So each sentence has one row for all its tokens, "
                "and the shapes fit.",
            ),
            Mistake(
                "every position got one and the same row",
                lambda x, table, start: x + table[start + x.shape[1]],
                "`table[n]` is one row, `table[:n]` are the first n. A colon is missing.",
            ),
            Mistake(
                "every position is one too late",
                lambda x, table, start: x + table[start + 1 : start + 1 + x.shape[1]],
                "Positions count from 0: the first token takes row `start`.",
            ),
            Mistake(
                "the embeddings were scaled once more",
                lambda x, table, start: x * x.shape[-1] ** 0.5 + table[start : start + x.shape[1]],
                "The factor belongs to the embedding (chapter 04), and x already has it.",
            ),
        ),
    ),
    Exercise(
        name="05-shift",
        title="Shift encodings by k positions without knowing the positions",
        solution=shift,
        cases=_shift_cases,
        tolerance=1e-4,
        mistakes=(
            Mistake(
                "turned the other way",
                lambda rows, k: _turned(rows, -k * _frequency(rows)),
                "That is k positions earlier. Write down sin(a + b) and look at the signs.",
            ),
            Mistake(
                "all pairs were turned by the same angle",
                lambda rows, k: _turned(rows, torch.full((rows.shape[1] // 2,), float(k))),
                "Each pair has its own frequency: pair i turns by k times 10000 ** (-2i / d_model).",
            ),
            Mistake(
                "the rows were moved instead",
                lambda rows, k: rows.roll(-k, 0),
                "The last rows would need encodings that are not in the table. Turn each row.",
            ),
            Mistake(
                "the encoding of position k was added",
                lambda rows, k: rows + sinusoids(abs(k) + 1, rows.shape[1])[abs(k)],
                "Encodings do not add up: sin(a + b) is not sin(a) + sin(b).",
            ),
        ),
        hint="sin(a + b) = sin a cos b + cos a sin b, and cos(a + b) = cos a cos b - sin a sin b.",
    ),
)

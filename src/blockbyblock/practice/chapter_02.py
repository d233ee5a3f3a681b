"""The exercises of chapter 02: weights by hand, attention, the entropy of its rows, a temperature for each query."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from blockbyblock.practice.exercise import Exercise, Forbidden, Inputs, Mistake


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(Q Kᵀ / √d_k) V for `[..., query, d_k]`, `[..., key, d_k]`, `[..., key, d_v]`."""
    return _scaled(query, key).softmax(-1) @ value


def _scores(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.transpose(-2, -1)


def _scaled(query: Tensor, key: Tensor) -> Tensor:
    return _scores(query, key) / math.sqrt(query.shape[-1])


def _attention_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {
        "query": torch.tensor([[2.0, 0.0], [0.0, 3.0]]),
        "key": torch.tensor([[1.0, 0.0], [1.0, 1.0]]),
        "value": torch.tensor([[10.0, 0.0], [0.0, 1.0]]),
    }
    # Lengths and widths that all differ, then one and two dimensions in front.
    for front, queries, keys, d_k, d_v in (((), 2, 3, 4, 5), ((2,), 3, 5, 8, 2), ((2, 3), 4, 6, 2, 7)):
        yield {
            "query": torch.randn(*front, queries, d_k, generator=generator),
            "key": torch.randn(*front, keys, d_k, generator=generator),
            "value": torch.randn(*front, keys, d_v, generator=generator),
        }


def entropy(weights: Tensor) -> Tensor:
    """-sum of p ln p over the keys: `[..., query, key]` -> `[..., query]`, with 0 ln 0 = 0."""
    return -torch.special.xlogy(weights, weights).sum(-1)


def _entropy_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {"weights": torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])}
    for shape in ((3, 4), (2, 3, 5), (2, 2, 3, 6)):
        weights = torch.randn(shape, generator=generator).softmax(-1)
        yield {"weights": torch.where(weights < 0.05, 0.0, weights)}  # hidden by a mask, say: exactly zero


def weights_at(query: Tensor, key: Tensor, temperature: Tensor) -> Tensor:
    """softmax(Q Kᵀ / (√d_k t)) for `[..., query, d_k]`, `[..., key, d_k]` and one temperature t for each query."""
    return (_scaled(query, key) / temperature.unsqueeze(-1)).softmax(-1)


def _temperature_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {
        "query": torch.tensor([[2.0, 0.0], [2.0, 0.0]]),
        "key": torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        "temperature": torch.tensor([0.5, 4.0]),
    }
    for front, queries, keys, d_k in (((), 3, 3, 4), ((2,), 4, 4, 8), ((2,), 4, 6, 8)):
        yield {
            "query": torch.randn(*front, queries, d_k, generator=generator),
            "key": torch.randn(*front, keys, d_k, generator=generator),
            "temperature": torch.rand(queries, generator=generator) + 0.2,
        }


_BY_HAND = torch.tensor([2.0, 0.0, -2.0])  # the scores 4, 0, -4, divided by sqrt(4)

EXERCISES = (
    Exercise(
        name="02-weights-by-hand",
        title="Work out the weights of one query over three keys",
        solution=_BY_HAND.softmax(-1).tolist(),
        mistakes=(
            Mistake(
                "the scores were not divided by the square root of d_k",
                (2 * _BY_HAND).softmax(-1).tolist(),
                "The dot products are 4, 0 and -4. With d_k = 4 each is divided by 2 before the exponential.",
            ),
            Mistake(
                "the scores were divided by d_k",
                (_BY_HAND / 2).softmax(-1).tolist(),
                "Divide by the square root of d_k: the square root of 4 is 2.",
            ),
            Mistake(
                "these are the scaled scores",
                _BY_HAND.tolist(),
                "The scale is right. Now take the exponential of each, and divide by the sum of the three.",
            ),
            Mistake(
                "the exponentials were not divided by their sum",
                _BY_HAND.exp().tolist(),
                "The exponentials are right. Weights sum to one: divide each by the sum of the three.",
            ),
            Mistake(
                "powers of 2 were taken instead of powers of e",
                (_BY_HAND * math.log(2)).softmax(-1).tolist(),
                "Softmax uses the exponential function, e = 2.718...",
            ),
        ),
        hint="First the three dot products, then the division by 2, then the exponentials, then their sum.",
    ),
    Exercise(
        name="02-attention",
        title="Write scaled dot-product attention",
        solution=attend,
        cases=_attention_cases,
        without=(
            Forbidden(
                "torch.nn.functional.scaled_dot_product_attention", torch.nn.functional.scaled_dot_product_attention
            ),
        ),
        mistakes=(
            Mistake(
                "the scores are not scaled",
                lambda query, key, value: _scores(query, key).softmax(-1) @ value,
                "Divide the scores by the square root of d_k, the last dimension of the query, before the softmax.",
            ),
            Mistake(
                "the scores are divided by d_k",
                lambda query, key, value: (_scores(query, key) / query.shape[-1]).softmax(-1) @ value,
                "The standard deviation of a score is the square root of d_k. Divided by d_k itself, the weights are "
                "nearly even.",
            ),
            Mistake(
                "the scores are multiplied by the square root of d_k",
                lambda query, key, value: (_scores(query, key) * math.sqrt(query.shape[-1])).softmax(-1) @ value,
                "The scale makes the scores smaller: divide. `** -0.5` multiplies by the inverse of the root.",
            ),
            Mistake(
                "the scale is taken from the width of the values",
                lambda query, key, value: (_scores(query, key) / math.sqrt(value.shape[-1])).softmax(-1) @ value,
                "d_k is the width of queries and keys, over which the dot product sums. The values may be wider.",
            ),
            Mistake(
                "the scale is taken from the number of keys",
                lambda query, key, value: (_scores(query, key) / math.sqrt(key.shape[-2])).softmax(-1) @ value,
                "d_k is the last dimension of the key, its width. Dimension -2 counts the keys.",
            ),
            Mistake(
                "the softmax runs over the queries",
                lambda query, key, value: _scaled(query, key).softmax(-2) @ value,
                "Each query shares out its attention: rows sum to one. The keys are the last dimension of the scores.",
            ),
            Mistake(
                "the softmax runs over dimension 0",
                lambda query, key, value: _scaled(query, key).softmax(0) @ value,
                "Dimension 0 is the batch where there is one. Count from the end: the keys are dimension -1.",
            ),
            Mistake(
                "the scale comes after the softmax",
                lambda query, key, value: _scores(query, key).softmax(-1) / math.sqrt(query.shape[-1]) @ value,
                "Scaled after the softmax the weights no longer sum to one, and they are as sharp as before. Scale the "
                "scores.",
            ),
            Mistake(
                "there is no softmax",
                lambda query, key, value: _scaled(query, key) @ value,
                "Scores may be negative and sum to anything. The softmax over the keys makes weights of them.",
            ),
            Mistake(
                "the key is not transposed",
                lambda query, key, value: (query @ key / math.sqrt(query.shape[-1])).softmax(-1) @ value,
                "Scores are dot products of rows with rows: the key must be transposed, `key.transpose(-2, -1)`. It "
                "goes unnoticed where there are as many keys as features.",
            ),
            Mistake(
                "query and key changed places",
                lambda query, key, value: _scaled(key, query).softmax(-1) @ value,
                "A row belongs to a query, which asks: scores are `query @ key.transpose(-2, -1)`. It goes unnoticed "
                "where there are as many queries as keys.",
            ),
            Mistake(
                "the weights average the keys",
                lambda query, key, value: _scaled(query, key).softmax(-1) @ key,
                "The key says how well it fits; what is handed over is the value.",
            ),
            Mistake(
                "these are the weights",
                lambda query, key, value: _scaled(query, key).softmax(-1),
                "The weights are right. The output is their product with the value.",
            ),
        ),
    ),
    Exercise(
        name="02-entropy",
        title="Compute the entropy of each row of weights",
        solution=entropy,
        cases=_entropy_cases,
        mistakes=(
            Mistake(
                "a weight of zero makes the row NaN",
                lambda weights: -(weights * weights.log()).sum(-1),
                "log(0) is -inf, and 0 times -inf is not a number. The limit is 0: `torch.special.xlogy` knows it.",
            ),
            Mistake(
                "the minus is missing",
                lambda weights: -entropy(weights),
                "The logarithm of a weight is negative or zero, the entropy is not: put a minus in front.",
            ),
            Mistake(
                "the unit is bits",
                lambda weights: entropy(weights) / math.log(2),
                "Base 2 gives bits. Nats come from the natural logarithm, `torch.log`.",
            ),
            Mistake(
                "the terms are averaged over the keys",
                lambda weights: entropy(weights) / weights.shape[-1],
                "The weights already are the probabilities of an average. Add the terms up.",
            ),
            Mistake(
                "the sum runs over the queries",
                lambda weights: -torch.special.xlogy(weights, weights).sum(-2),
                "Each query has an entropy: add up over the keys, the last dimension.",
            ),
            Mistake(
                "everything is added up to one number",
                lambda weights: -torch.special.xlogy(weights, weights).sum(),
                "Each row has an entropy of its own: sum over the last dimension only.",
            ),
            Mistake(
                "the entropy is divided by its largest value",
                lambda weights: entropy(weights) / math.log(weights.shape[-1]),
                "This goes from 0 to 1, a useful number when lengths differ. Asked for is the entropy itself.",
            ),
        ),
    ),
    Exercise(
        name="02-temperature",
        title="Give each query a temperature of its own",
        solution=weights_at,
        cases=_temperature_cases,
        mistakes=(
            Mistake(
                "the temperatures are dealt out to the keys",
                lambda query, key, temperature: (_scaled(query, key) / temperature).softmax(-1),
                "A vector is laid along the last dimension, and that is the keys. `temperature.unsqueeze(-1)` has one "
                "number for each row. With as many queries as keys nothing complains.",
            ),
            Mistake(
                "the scores are multiplied by the temperature",
                lambda query, key, temperature: (_scaled(query, key) * temperature.unsqueeze(-1)).softmax(-1),
                "A hot query spreads its weight: a high temperature makes the scores smaller.",
            ),
            Mistake(
                "the scale is gone",
                lambda query, key, temperature: (_scores(query, key) / temperature.unsqueeze(-1)).softmax(-1),
                "The temperature comes on top of the division by the square root of d_k.",
            ),
            Mistake(
                "the temperature divides the weights",
                lambda query, key, temperature: _scaled(query, key).softmax(-1) / temperature.unsqueeze(-1),
                "After the softmax it is too late: the rows no longer sum to one, and are as sharp as before.",
            ),
            Mistake(
                "the temperature stands under the square root",
                lambda query, key, temperature: (_scaled(query, key) / temperature.unsqueeze(-1).sqrt()).softmax(-1),
                "Only d_k stands under the root. Divide by the temperature itself.",
            ),
        ),
    ),
)

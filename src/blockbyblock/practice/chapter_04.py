"""The exercises of chapter 04: what tying saves, the lookup, and its gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from blockbyblock.practice.exercise import Exercise, Inputs, Mistake

TABLE = 37_000 * 512


def embed(ids: Tensor, table: Tensor) -> Tensor:
    """`[batch, position]` to `[batch, position, d_model]`, times the root of d_model."""
    return table[ids] * math.sqrt(table.shape[1])


def _embed_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {"ids": torch.tensor([[1, 0]]), "table": torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])}
    for batch, position, vocab, d_model in ((2, 5, 7, 4), (1, 3, 16, 9), (3, 1, 5, 5)):
        yield {
            "ids": torch.randint(vocab, (batch, position), generator=generator),
            "table": torch.randn(vocab, d_model, generator=generator),
        }


def table_gradient(ids: Tensor, arriving: Tensor, vocab: int) -> Tensor:
    """What arrives at each position, added to the row of its token: `[vocab, d_model]`."""
    return torch.zeros(vocab, arriving.shape[1]).index_add(0, ids, arriving)


def _last_one_wins(ids: Tensor, arriving: Tensor, vocab: int) -> Tensor:
    gradient = torch.zeros(vocab, arriving.shape[1])
    for token, row in zip(ids.tolist(), arriving, strict=True):
        gradient[token] = row
    return gradient


def _mean(ids: Tensor, arriving: Tensor, vocab: int) -> Tensor:
    times = torch.bincount(ids, minlength=vocab).clamp(min=1)
    return table_gradient(ids, arriving, vocab) / times[:, None]


def _gradient_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {"ids": torch.tensor([2, 0, 2]), "arriving": torch.tensor([[1.0, 1.0], [2.0, 0.0], [0.0, 3.0]]), "vocab": 4}
    for position, vocab, d_model in ((6, 4, 3), (8, 5, 2), (3, 9, 4)):
        yield {
            "ids": torch.randint(vocab, (position,), generator=generator),
            "arriving": torch.randn(position, d_model, generator=generator),
            "vocab": vocab,
        }


EXERCISES = (
    Exercise(
        name="04-tying",
        title="Count what three-way tying saves",
        solution=2 * TABLE,
        mistakes=(
            Mistake(
                "one table was saved",
                TABLE,
                "That is two-way tying: target embedding and output layer. The source embedding is a third table.",
            ),
            Mistake(
                "all three tables were saved",
                3 * TABLE,
                "One table stays: the model still has to look tokens up.",
            ),
            Mistake(
                "the factor was counted as a parameter",
                2 * TABLE + 1,
                "The root of d_model is a constant, not a parameter.",
            ),
            Mistake(
                "a bias of the output layer was counted",
                2 * TABLE + 37_000,
                "The paper's tied output layer has no bias, and a bias would not be shared with an embedding.",
            ),
        ),
        hint="How many rows and columns has one table, and how many tables are left?",
    ),
    Exercise(
        name="04-embed",
        title="Look up ids in a table, with the paper's factor",
        solution=embed,
        cases=_embed_cases,
        mistakes=(
            Mistake(
                "the factor is missing",
                lambda ids, table: table[ids],
                "The paper multiplies what is looked up by the root of d_model (section 3.4).",
            ),
            Mistake(
                "divided by the root",
                lambda ids, table: table[ids] / math.sqrt(table.shape[1]),
                "Scores are divided by the root of d_k, in attention. The embedding is multiplied.",
            ),
            Mistake(
                "the root of the vocabulary was taken",
                lambda ids, table: table[ids] * math.sqrt(table.shape[0]),
                "The table is [vocab, d_model]: the width is its last dimension.",
            ),
            Mistake(
                "multiplied by d_model itself",
                lambda ids, table: table[ids] * table.shape[1],
                "By its square root.",
            ),
            Mistake(
                "the root of the sentence's length was taken",
                lambda ids, table: table[ids] * math.sqrt(ids.shape[1]),
                "The factor depends on the model's width, and not on the sentence.",
            ),
        ),
    ),
    Exercise(
        name="04-gradient",
        title="Write the gradient of a lookup",
        solution=table_gradient,
        cases=_gradient_cases,
        mistakes=(
            Mistake(
                "the last occurrence wins",
                _last_one_wins,
                "`gradient[ids] = arriving` writes a row twice where a token occurs twice, and keeps one of the two. "
                "They add up.",
            ),
            Mistake(
                "occurrences were averaged",
                _mean,
                "The loss depends on the row through each place where it was read; its derivative is their sum.",
            ),
            Mistake(
                "the paper's factor was applied",
                lambda ids, arriving, vocab: table_gradient(ids, arriving, vocab) * math.sqrt(arriving.shape[1]),
                "This lookup has no factor.",
            ),
            Mistake(
                "every row got every gradient",
                lambda ids, arriving, vocab: arriving.sum(0).expand(vocab, -1),
                "Only the row that was looked up learns from a position.",
            ),
        ),
        hint="A token that is not in the batch gets zeros; one that occurs twice gets the sum of two rows.",
    ),
)

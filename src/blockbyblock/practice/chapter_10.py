"""The exercises of chapter 10: what kept keys save, attention to a padded source, weights from tokens to words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from blockbyblock.practice.exercise import Exercise, Inputs, Mistake

_D_MODEL, _HEADS, _LAYERS, _SOURCE = 512, 8, 6, 20
_SAVED = 2 * _LAYERS * _SOURCE * _D_MODEL**2  # keys and values

Cross = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def _cross(
    keep: Callable[[Tensor, Tensor], Tensor] = lambda real, scores: real[:, None].expand_as(scores),
    *,
    over: int = -1,
    scaled: bool = True,
) -> Cross:
    """Attention from a target to a source, with the parts that a mistake replaces.

    Args:
        keep: which scores are allowed, from `real` [batch, source] and the scores [batch, target, source].
        over: the dimension over which the softmax runs.
        scaled: whether scores are divided by the root of d_k.
    """

    def cross(y: Tensor, memory: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, real: Tensor) -> Tensor:
        query, key, value = y @ W_Q, memory @ W_K, memory @ W_V
        scores = query @ key.transpose(1, 2) / (math.sqrt(query.shape[-1]) if scaled else 1.0)
        return scores.masked_fill(~keep(real, scores), torch.finfo(scores.dtype).min).softmax(over) @ value

    return cross


cross = _cross()


def _everything(real: Tensor, scores: Tensor) -> Tensor:
    return torch.ones_like(scores, dtype=torch.bool)


def _padding_only(real: Tensor, scores: Tensor) -> Tensor:
    return ~real[:, None].expand_as(scores)


def _with_triangle(real: Tensor, scores: Tensor) -> Tensor:
    return real[:, None] & torch.ones_like(scores, dtype=torch.bool).tril()


def _the_other_way(y: Tensor, memory: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, real: Tensor) -> Tensor:
    """The source asks and the target answers; no padding of the target is known."""
    return cross(memory, y, W_Q, W_K, W_V, torch.ones(y.shape[:2], dtype=torch.bool))


def _target_alone(y: Tensor, memory: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, real: Tensor) -> Tensor:
    return cross(y, y, W_Q, W_K, W_V, torch.ones(y.shape[:2], dtype=torch.bool))


def _values_as_keys(y: Tensor, memory: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, real: Tensor) -> Tensor:
    return cross(y, memory, W_Q, W_K, W_K, real)


def _cross_cases(generator: torch.Generator) -> Iterable[Inputs]:
    for batch, target, d_model, d_k, lengths in (
        (1, 2, 2, 2, (3,)),
        (2, 3, 4, 4, (5, 3)),
        (3, 6, 4, 2, (4, 4, 2)),
        (2, 1, 6, 3, (6, 1)),
    ):
        source = max(lengths)
        yield {
            "y": torch.randn(batch, target, d_model, generator=generator),
            "memory": torch.randn(batch, source, d_model, generator=generator),
            "W_Q": torch.randn(d_model, d_k, generator=generator),
            "W_K": torch.randn(d_model, d_k, generator=generator),
            "W_V": torch.randn(d_model, d_k, generator=generator),
            "real": torch.arange(source) < torch.tensor(lengths)[:, None],
        }


def _members(word: Tensor, dtype: torch.dtype) -> Tensor:
    """1 where a token belongs to a word, `[token, word]`."""
    return (word[:, None] == torch.arange(int(word.max()) + 1)).to(dtype)


def word_weights(weights: Tensor, target_word: Tensor, source_word: Tensor) -> Tensor:
    """Weights between words, `[target words, source words]`: columns are added, rows averaged."""
    rows, columns = (_members(word, weights.dtype) for word in (target_word, source_word))
    return (rows / rows.sum(0)).T @ weights @ columns


def _rows_added(weights: Tensor, target_word: Tensor, source_word: Tensor) -> Tensor:
    rows, columns = (_members(word, weights.dtype) for word in (target_word, source_word))
    return rows.T @ weights @ columns


def _columns_averaged(weights: Tensor, target_word: Tensor, source_word: Tensor) -> Tensor:
    rows, columns = (_members(word, weights.dtype) for word in (target_word, source_word))
    return (rows / rows.sum(0)).T @ weights @ (columns / columns.sum(0))


def _first_row(weights: Tensor, target_word: Tensor, source_word: Tensor) -> Tensor:
    rows = _members(target_word, weights.dtype)
    return weights[rows.argmax(0)] @ _members(source_word, weights.dtype)


def _one_row_later(weights: Tensor, target_word: Tensor, source_word: Tensor) -> Tensor:
    return word_weights(weights.roll(-1, 0), target_word, source_word)


def _rest_to_the_last(weights: Tensor, target_word: Tensor, source_word: Tensor) -> Tensor:
    """Take -1 as an index, which counts from the end."""
    rows, columns = (torch.eye(int(word.max()) + 1, dtype=weights.dtype)[word] for word in (target_word, source_word))
    return (rows / rows.sum(0)).T @ weights @ columns


def _shares_again(weights: Tensor, target_word: Tensor, source_word: Tensor) -> Tensor:
    table = word_weights(weights, target_word, source_word)
    return table / table.sum(-1, keepdim=True)


def _word_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {
        "weights": torch.tensor([[0.5, 0.25, 0.0, 0.25], [0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 0.75, 0.25]]),
        "target_word": torch.tensor([0, 0, 1]),
        "source_word": torch.tensor([0, 1, 1, -1]),
    }
    for target, source in (([0, 1, -1, 2, 2, 2, -1], [0, 0, 0, 1, 2, -1]), ([0, 0, -1], [0, 1, -1, 2, 2, -1, -1])):
        yield {
            "weights": torch.randn(len(target), len(source), generator=generator).softmax(-1),
            "target_word": torch.tensor(target),
            "source_word": torch.tensor(source),
        }


EXERCISES = (
    Exercise(
        name="10-saved",
        title="Count what a step saves when keys and values of the memory are kept",
        solution=_SAVED,
        mistakes=(
            Mistake(
                "one layer was counted",
                _SAVED // _LAYERS,
                "Each decoder layer has an encoder-decoder attention of its own, with its own keys and values.",
            ),
            Mistake(
                "keys or values were counted, not both",
                _SAVED // 2,
                "The memory passes two matrices: one makes keys, the other values.",
            ),
            Mistake(
                "the heads were counted again",
                _SAVED * _HEADS,
                "Side by side, the matrices of all heads are 512 x 512. More heads are narrower heads.",
            ),
            Mistake(
                "one head was counted",
                _SAVED // _HEADS,
                "Each of the 8 heads makes keys and values; side by side their matrices are 512 x 512.",
            ),
            Mistake(
                "one source token was counted",
                _SAVED // _SOURCE,
                "A step would have to make the keys and values of all 20 source tokens again.",
            ),
            Mistake(
                "a multiply-add was counted as two operations",
                _SAVED * 2,
                "That is the number of floating-point operations. A multiply-add is one multiplication and one "
                "addition together.",
            ),
            Mistake(
                "query and output were counted, too",
                _SAVED + 2 * _LAYERS * _D_MODEL**2,
                "The query is new in each step, and so is the output: nothing is saved there.",
            ),
        ),
        hint="Per layer: how many tokens pass through how many matrices of which size?",
    ),
    Exercise(
        name="10-cross",
        title="Write attention from a target to a padded source",
        solution=cross,
        cases=_cross_cases,
        # float32 softmax and sums of a few terms, in an order that the reader chooses
        tolerance=1e-4,
        mistakes=(
            Mistake(
                "padding is not hidden",
                _cross(_everything),
                "`real` is False where a short sentence was filled up. Those keys must get no weight.",
            ),
            Mistake(
                "what is real is hidden, and padding is not",
                _cross(_padding_only),
                "`real` is True at real tokens: fill the scores where it is False.",
            ),
            Mistake(
                "a causal mask lies over the source",
                _cross(_with_triangle),
                "The whole source is known before the first word is written: none of it is a future.",
            ),
            Mistake(
                "the source asks and the target answers",
                _the_other_way,
                "The result has a row for each source token. Queries are made from `y`, keys and values from `memory`.",
            ),
            Mistake(
                "keys and values come from the target",
                _target_alone,
                "That is self-attention: the memory is never read.",
            ),
            Mistake(
                "the values are the keys",
                _values_as_keys,
                "Values have a matrix of their own, `W_V`.",
            ),
            Mistake(
                "the softmax runs over the queries",
                _cross(over=1),
                "Each target position shares its attention among source positions: softmax over the last dimension.",
            ),
            Mistake(
                "the scores are not scaled",
                _cross(scaled=False),
                "Divide by the root of d_k, the width of a query.",
            ),
        ),
    ),
    Exercise(
        name="10-words",
        title="Turn weights between tokens into weights between words",
        solution=word_weights,
        cases=_word_cases,
        mistakes=(
            Mistake(
                "the rows of a word are added",
                _rows_added,
                "Each row is the whole attention of one step. A word of two tokens would count double: average.",
            ),
            Mistake(
                "the columns of a word are averaged",
                _columns_averaged,
                "Weights are shares: what falls on the two tokens of a word falls on the word. Add.",
            ),
            Mistake(
                "only the first token of a word asks",
                _first_row,
                "All rows of a word count: average them.",
            ),
            Mistake(
                "the rows are one too late",
                _one_row_later,
                "Row k belongs to token k of `target_word`; nothing is to be shifted here.",
            ),
            Mistake(
                "tokens without a word went to the last word",
                _rest_to_the_last,
                "-1 as an index counts from the end. Leave those tokens out.",
            ),
            Mistake(
                "the rows were made to sum to one again",
                _shares_again,
                "What lies on punctuation and <end> is left out, so a row may sum to less than one.",
            ),
        ),
    ),
)

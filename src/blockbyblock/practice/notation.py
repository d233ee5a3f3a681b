"""The exercise of the page "Notation": the shapes on the way through multi-head attention."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from blockbyblock.practice.exercise import Exercise, Inputs, Mistake

Shapes = dict[str, tuple[int, ...]]


def attention_shapes(batch: int, query: int, key: int, d_model: int, heads: int) -> Shapes:
    """Return the shapes on the way through multi-head attention, where d_k = d_v = d_model / heads."""
    d_k = d_v = d_model // heads
    return {
        "query heads": (batch, heads, query, d_k),
        "key heads": (batch, heads, key, d_k),
        "scores": (batch, heads, query, key),
        "head outputs": (batch, heads, query, d_v),
        "concat": (batch, query, heads * d_v),
    }


def _cases(generator: torch.Generator) -> Iterable[Inputs]:
    # Within an input batch, query, key, heads and d_k all differ, so that no two letters can be taken for one another.
    yield {"batch": 1, "query": 2, "key": 5, "d_model": 12, "heads": 3}
    yield {"batch": 2, "query": 6, "key": 7, "d_model": 512, "heads": 8}
    for _ in range(3):
        sizes = torch.randperm(9, generator=generator)[:5] + 2
        batch, query, key, heads, d_k = sizes.tolist()
        yield {"batch": batch, "query": query, "key": key, "d_model": heads * d_k, "heads": heads}


def _instead(change: Callable[[int, int, int, int, int], Shapes]) -> Callable[[int, int, int, int, int], Shapes]:
    """Return the right shapes, with those that `change` gives put in their place."""
    return lambda *sizes: attention_shapes(*sizes) | change(*sizes)


EXERCISES = (
    Exercise(
        name="notation-shapes",
        title="Write down the shapes on the way through multi-head attention",
        solution=attention_shapes,
        cases=_cases,
        mistakes=(
            Mistake(
                "the positions of query and key are swapped",
                _instead(lambda batch, query, key, d_model, heads: {"scores": (batch, heads, key, query)}),
                "Each row of the scores belongs to one query, each column to one key: query comes before key.",
            ),
            Mistake(
                "the scores of all heads are one table",
                _instead(lambda batch, query, key, d_model, heads: {"scores": (batch, query, key)}),
                "Each head compares queries with keys for itself, so there is one table of scores for each head.",
            ),
            Mistake(
                "query and key are taken to be equally long",
                _instead(
                    lambda batch, query, key, d_model, heads: {
                        "key heads": (batch, heads, query, d_model // heads),
                        "scores": (batch, heads, query, query),
                    }
                ),
                "That holds in self-attention only. In encoder-decoder attention the keys come from the source, "
                "which has a length of its own.",
            ),
            Mistake(
                "each head has the full width d_model",
                _instead(
                    lambda batch, query, key, d_model, heads: {
                        "query heads": (batch, heads, query, d_model),
                        "key heads": (batch, heads, key, d_model),
                        "head outputs": (batch, heads, query, d_model),
                        "concat": (batch, query, heads * d_model),
                    }
                ),
                "The heads share the width between them: each has d_k = d_model / heads columns.",
            ),
            Mistake(
                "heads stands after the positions",
                _instead(
                    lambda batch, query, key, d_model, heads: {
                        "query heads": (batch, query, heads, d_model // heads),
                        "key heads": (batch, key, heads, d_model // heads),
                        "scores": (batch, query, key, heads),
                        "head outputs": (batch, query, heads, d_model // heads),
                    }
                ),
                "That is the shape right after the split. The heads then move before the positions, because a matrix "
                "product works on the last two axes and does the same for every index before them.",
            ),
            Mistake(
                "the heads are folded into the batch",
                _instead(
                    lambda batch, query, key, d_model, heads: {
                        "query heads": (batch * heads, query, d_model // heads),
                        "key heads": (batch * heads, key, d_model // heads),
                        "scores": (batch * heads, query, key),
                        "head outputs": (batch * heads, query, d_model // heads),
                    }
                ),
                "It computes the same, and some libraries do it. This book keeps an axis for the heads: "
                "batch comes first, then heads.",
            ),
            Mistake(
                "the head outputs have one row for each key",
                _instead(
                    lambda batch, query, key, d_model, heads: {"head outputs": (batch, heads, key, d_model // heads)}
                ),
                "The keys are summed over: each query gets one weighted sum of the values, so there is one row for "
                "each query.",
            ),
            Mistake(
                "the heads still have an axis of their own",
                _instead(lambda batch, query, key, d_model, heads: {"concat": (batch, heads, query, d_model // heads)}),
                "Concat lays the heads side by side in the last axis: h heads of d_v columns give one row of h * d_v.",
            ),
            Mistake(
                "the concat is as narrow as one head",
                _instead(lambda batch, query, key, d_model, heads: {"concat": (batch, query, d_model // heads)}),
                "Nothing is summed or averaged over the heads: h heads of d_v columns, side by side, are h * d_v "
                "columns.",
            ),
        ),
    ),
)

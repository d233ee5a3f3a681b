"""The exercises of chapter 01: a score by hand, a linear map, narrow matrices and a wide one, a count."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from blockbyblock.practice.exercise import Exercise, Forbidden, Inputs, Mistake


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x @ weight.T + bias, for a weight stored as `[out, in]`."""
    return x @ weight.T + bias


def _linear_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {
        "x": torch.tensor([[1.0, 2.0], [3.0, 5.0]]),
        "weight": torch.tensor([[1.0, 10.0], [2.0, 0.0]]),
        "bias": torch.tensor([0.5, -0.5]),
    }
    for shape in ((3,), (4, 3), (2, 5, 3), (2, 2, 4, 3)):
        yield {
            "x": torch.randn(shape, generator=generator),
            "weight": torch.randn(6, 3, generator=generator),
            "bias": torch.randn(6, generator=generator),
        }


def widen(matrices: Tensor) -> Tensor:
    """[heads, d_model, d_k] -> [d_model, heads * d_k], head 0 first."""
    return torch.cat(list(matrices), dim=1)


def _widen_cases(generator: torch.Generator) -> Iterable[Inputs]:
    # Head h, row r, column c holds 100 h + 10 r + c, so that a reader sees where each number went.
    head, row, column = torch.meshgrid(torch.arange(2), torch.arange(3), torch.arange(2), indexing="ij")
    yield {"matrices": (100 * head + 10 * row + column).float()}
    for heads, d_model, d_k in ((1, 4, 4), (3, 5, 2), (4, 2, 6)):
        yield {"matrices": torch.randn(heads, d_model, d_k, generator=generator)}


def projection_parameters(d_model: int, heads: int, d_k: int, d_v: int) -> int:
    """Weights and biases of the query, key and value projections of all heads."""
    return (d_model + 1) * heads * (2 * d_k + d_v)


def _count_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {"d_model": 4, "heads": 2, "d_k": 2, "d_v": 3}
    yield {"d_model": 512, "heads": 8, "d_k": 64, "d_v": 64}
    for _ in range(3):
        d_model, heads, d_k, d_v = (torch.randperm(20, generator=generator)[:4] + 2).tolist()
        yield {"d_model": d_model, "heads": heads, "d_k": d_k, "d_v": d_v}


EXERCISES = (
    Exercise(
        name="01-score-by-hand",
        title="Work out one score from a query matrix and a key matrix",
        solution=3.0,
        mistakes=(
            Mistake(
                "the score is still that of the mat",
                1.0,
                "The key of a living noun has two entries: it is found as a noun, and as something living.",
            ),
            Mistake(
                "only the living part was counted",
                2.0,
                "The dot product adds up every feature: what both say about nouns counts too.",
            ),
            Mistake(
                "query and key changed places",
                0.0,
                "That is the score of the dog for the verb: the noun's query is zero. The row belongs to the token "
                "that asks, and here the verb asks.",
            ),
            Mistake(
                "the entries were added instead of multiplied",
                5.0,
                "A dot product multiplies entry by entry, and adds the products: 1 * 1 + 2 * 1.",
            ),
        ),
        hint="Write down the row of W_Q for a verb and the sum of the rows of W_K for noun and living.",
    ),
    Exercise(
        name="01-linear",
        title="Write a linear layer for a weight stored as [out, in]",
        solution=linear,
        cases=_linear_cases,
        without=(Forbidden("torch.nn.functional.linear", torch.nn.functional.linear),),  # nn.Linear calls it
        mistakes=(
            Mistake(
                "the weight is not transposed",
                lambda x, weight, bias: x @ weight + bias,
                "PyTorch stores the weight as [out, in]. The last dimension of x must meet `in`, so the weight has to "
                "be transposed. With a square weight nothing complains, and the numbers are wrong.",
            ),
            Mistake(
                "the bias is missing",
                lambda x, weight, bias: x @ weight.T,
                "After the product comes the bias, one number for each output feature.",
            ),
            Mistake(
                "the bias is added before the product",
                lambda x, weight, bias: (x + bias) @ weight.T,
                "The bias has one number for each output feature, and so it is added to the output.",
            ),
            Mistake(
                "only the first row of x is projected",
                lambda x, weight, bias: x.reshape(-1, x.shape[-1])[0] @ weight.T + bias,
                "Everything before the last dimension of x is carried along: each row is projected.",
            ),
        ),
    ),
    Exercise(
        name="01-widen",
        title="Put the narrow matrices of all heads side by side",
        solution=widen,
        cases=_widen_cases,
        mistakes=(
            Mistake(
                "the heads stand on top of each other",
                lambda matrices: torch.cat(list(matrices), dim=0),
                "All heads read the same d_model inputs, so there are d_model rows. The heads lie side by side: "
                "concatenate along the columns.",
            ),
            Mistake(
                "a direct reshape mixes the heads",
                lambda matrices: matrices.reshape(matrices.shape[1], -1),
                "reshape keeps the order of the numbers in memory, where all of head 0 comes before head 1. The "
                "dimension of the heads must first stand beside the columns.",
            ),
            Mistake(
                "the columns of the heads take turns",
                lambda matrices: matrices.permute(1, 2, 0).reshape(matrices.shape[1], -1),
                "This puts column 0 of every head first, then column 1. All columns of head 0 must come first.",
            ),
            Mistake(
                "the heads are added up",
                lambda matrices: matrices.sum(0),
                "Each head keeps its own columns; they are put side by side, not summed.",
            ),
        ),
    ),
    Exercise(
        name="01-count",
        title="Count the parameters of the three projections",
        solution=projection_parameters,
        cases=_count_cases,
        mistakes=(
            Mistake(
                "the biases are missing",
                lambda d_model, heads, d_k, d_v: d_model * heads * (2 * d_k + d_v),
                "Each output feature has a bias: one more number for each column.",
            ),
            Mistake(
                "the values were given the width of the keys",
                lambda d_model, heads, d_k, d_v: (d_model + 1) * heads * 3 * d_k,
                "Queries and keys share d_k, because they meet in a dot product. Values may be of another width, d_v.",
            ),
            Mistake(
                "one head was counted",
                lambda d_model, heads, d_k, d_v: (d_model + 1) * (2 * d_k + d_v),
                "Each head has matrices of its own.",
            ),
            Mistake(
                "each head was taken to read its share of d_model",
                lambda d_model, heads, d_k, d_v: (d_model + heads) * (2 * d_k + d_v),
                "The output is divided among the heads, the input is not: each head reads all of d_model.",
            ),
            Mistake(
                "the output linear layer was counted too",
                lambda d_model, heads, d_k, d_v: (d_model + 1) * heads * (2 * d_k + d_v) + (heads * d_v + 1) * d_model,
                "The question is about the three projections in front of the attention. W_O stands behind it.",
            ),
        ),
    ),
)

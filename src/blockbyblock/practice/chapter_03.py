"""The exercises of chapter 03: the direct view by hand, cutting heads, one head's share, the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from blockbyblock.attention import concat_heads, scaled_dot_product_attention, split_heads
from blockbyblock.practice.exercise import Exercise, Inputs, Mistake


def _numbered(batch: int, position: int, width: int) -> Tensor:
    """Entry [b, p, f] holds 100 b + 10 p + f, so that a reader sees where each number went."""
    rows = 100 * torch.arange(batch)[:, None, None] + 10 * torch.arange(position)[:, None]
    return (rows + torch.arange(width)).float()


def _split_cases(generator: torch.Generator) -> Iterable[Inputs]:
    # Within an input batch, position, heads and d_k differ where they can, so that each wrong axis shows in the shape;
    # where position equals heads it shows in the numbers only.
    yield {"x": _numbered(1, 3, 4), "heads": 2}
    yield {"x": _numbered(2, 2, 6), "heads": 2}
    for batch, position, heads, d_k in ((2, 5, 3, 4), (3, 4, 1, 2), (1, 6, 4, 4)):
        yield {"x": torch.randn(batch, position, heads * d_k, generator=generator), "heads": heads}


def contribution(head_outputs: Tensor, weight: Tensor, bias: Tensor, head: int) -> Tensor:
    """What one head adds to the output: `[batch, position, d_model]`, for a weight stored as `[out, in]`."""
    return head_outputs[:, head] @ weight.unflatten(1, (head_outputs.shape[1], -1))[:, head].T


def _contribution_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {
        "head_outputs": torch.tensor([[[[1.0, 0.0]], [[0.0, 2.0]]]]),
        "weight": torch.arange(16.0).view(4, 4),
        "bias": torch.tensor([0.5, 0.5, 0.5, 0.5]),
        "head": 1,
    }
    # In the second a head is as wide as the model, so that a weight which is not transposed fits, and is wrong.
    for batch, heads, position, d_v, d_model, head in ((2, 3, 4, 2, 6, 0), (1, 4, 5, 2, 2, 3), (2, 2, 3, 3, 6, 1)):
        yield {
            "head_outputs": torch.randn(batch, heads, position, d_v, generator=generator),
            "weight": torch.randn(d_model, heads * d_v, generator=generator),
            "bias": torch.randn(d_model, generator=generator),
            "head": head,
        }


Cut = Callable[[Tensor, int], Tensor]
Join = Callable[[Tensor], Tensor]
Attend = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int], Tensor]


def _multi_head(cut: Cut = split_heads, join: Join = concat_heads, scale_width: str = "head") -> Attend:
    """Multi-head self-attention with the parts that a mistake replaces.

    Args:
        cut: how the projections are cut into heads.
        join: how the heads are put back.
        scale_width: "head" to scale by the root of d_k, "all" by the root of heads * d_k.
    """

    def attend(x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int) -> Tensor:
        query, key, value = (cut(x @ matrix, heads) for matrix in (W_Q, W_K, W_V))
        if scale_width == "all":
            query = query / heads**0.5
        output, _ = scaled_dot_product_attention(query, key, value)
        return join(output) @ W_O

    return attend


multi_head = _multi_head()


def _direct_cut(x: Tensor, heads: int) -> Tensor:
    return x.reshape(x.shape[0], heads, x.shape[1], -1)


def _heads_of_one_token(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(2, (heads, -1))


def _take_turns(x: Tensor, heads: int) -> Tensor:
    """Features 0, h, 2h, ... for head 0, features 1, h + 1, ... for head 1."""
    return x.unflatten(2, (-1, heads)).permute(0, 3, 1, 2)


def _direct_join(x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], x.shape[2], -1)


def _interleave(x: Tensor) -> Tensor:
    """Feature 0 of every head, then feature 1 of every head, ..."""
    return x.permute(0, 2, 3, 1).flatten(2)


def _one_wide_head(x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int) -> Tensor:
    return multi_head(x, W_Q, W_K, W_V, W_O, 1)


def _roles_swapped(x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int) -> Tensor:
    return multi_head(x, W_K, W_Q, W_V, W_O, heads)


def _transposed(which: str) -> Attend:
    """Some of the matrices transposed, as `nn.Linear` stores them and as the paper does not."""

    def attend(x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int) -> Tensor:
        matrices = {"Q": W_Q, "K": W_K, "V": W_V, "O": W_O}
        q, k, v, o = (matrix.T if name in which else matrix for name, matrix in matrices.items())
        return multi_head(x, q, k, v, o, heads)

    return attend


def _no_output_projection(x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int) -> Tensor:
    return multi_head(x, W_Q, W_K, W_V, torch.eye(W_V.shape[1]), heads)


def _multi_head_cases(generator: torch.Generator) -> Iterable[Inputs]:
    for batch, position, d_model, heads, d_k, d_v, d_out in (
        (1, 2, 2, 2, 1, 1, 2),
        (2, 4, 6, 2, 3, 3, 6),
        (2, 6, 6, 3, 2, 4, 5),
        (1, 4, 8, 4, 4, 4, 8),
    ):
        yield {
            "x": torch.randn(batch, position, d_model, generator=generator),
            "W_Q": torch.randn(d_model, heads * d_k, generator=generator),
            "W_K": torch.randn(d_model, heads * d_k, generator=generator),
            "W_V": torch.randn(d_model, heads * d_v, generator=generator),
            "W_O": torch.randn(heads * d_v, d_out, generator=generator),
            "heads": heads,
        }


EXERCISES = (
    Exercise(
        name="03-direct-view",
        title="Find a number after a direct view",
        solution=32,
        mistakes=(
            Mistake(
                "that is where the right cut puts it",
                12,
                "view, then transpose, gives head 1 the features 2 and 3 of each position. A direct view asks only "
                "for the order in memory: head 0 takes the first half of all numbers.",
            ),
            Mistake(
                "rows of a head were counted from one",
                30,
                "That is head 1, row 0, column 0. Rows are counted from zero: row 1 is the next pair.",
            ),
            Mistake(
                "one row too far",
                40,
                "Each position fills two rows of a head. Row 0 of head 1 is the first half of position 3, row 1 its "
                "second half.",
            ),
            Mistake(
                "that stands in head 0",
                2,
                "Head 0 takes the first twelve numbers, positions 0 to 2. Head 1 begins after them.",
            ),
            Mistake(
                "row and column changed places",
                31,
                "That is row 0, column 1. The row comes first.",
            ),
        ),
        hint="Write the 24 numbers in one line, in the order of reading, and cut the line into 2 x 6 pairs.",
    ),
    Exercise(
        name="03-split-heads",
        title="Cut the last dimension into heads and put the heads before the positions",
        solution=split_heads,
        cases=_split_cases,
        mistakes=(
            Mistake(
                "a direct view mixes positions",
                _direct_cut,
                "The shape is right and the content is not: the first positions fill head 0, the last ones the last "
                "head. Cut the last dimension first, [batch, position, heads, d_k], and then transpose.",
            ),
            Mistake(
                "the transpose is missing",
                _heads_of_one_token,
                "Your heads stand behind the positions. A matrix product works on the last two dimensions, so "
                "positions and features must be the last two: transpose dimensions 1 and 2.",
            ),
            Mistake(
                "the features of the heads take turns",
                _take_turns,
                "Head 0 gets the first d_k features, head 1 the next: cut into (heads, d_k), not into (d_k, heads).",
            ),
            Mistake(
                "positions and features changed places",
                lambda x, heads: split_heads(x, heads).transpose(2, 3),
                "The result is [batch, heads, d_k, position]. Only heads and positions change places.",
            ),
            Mistake(
                "the heads come before the batch",
                lambda x, heads: split_heads(x, heads).transpose(0, 1),
                "The batch stays first: [batch, heads, position, d_k].",
            ),
        ),
    ),
    Exercise(
        name="03-contribution",
        title="Write down what one head adds to the output",
        solution=contribution,
        cases=_contribution_cases,
        mistakes=(
            Mistake(
                "rows of the stored weight were taken instead of columns",
                lambda head_outputs, weight, bias, head: (
                    head_outputs[:, head] @ weight.unflatten(0, (head_outputs.shape[1], -1))[head]
                ),
                "nn.Linear stores W_O transposed, [d_model, heads * d_v]. The rows of W_O that belong to a head are "
                "columns of `weight`.",
            ),
            Mistake(
                "the columns of the head are not transposed",
                lambda head_outputs, weight, bias, head: (
                    head_outputs[:, head] @ weight.unflatten(1, (head_outputs.shape[1], -1))[:, head]
                ),
                "`weight` is stored as [out, in], so a head's columns are [d_model, d_v]. The head's output, with d_v "
                "at its end, meets them transposed: `.T`. It goes unnoticed where d_v is d_model.",
            ),
            Mistake(
                "every head's columns were taken in turn",
                lambda head_outputs, weight, bias, head: (
                    head_outputs[:, head] @ weight[:, head :: head_outputs.shape[1]].T
                ),
                "The columns of a head lie together: head * d_v up to (head + 1) * d_v.",
            ),
            Mistake(
                "the bias was added",
                lambda head_outputs, weight, bias, head: contribution(head_outputs, weight, bias, head) + bias,
                "The bias belongs to the sum, and is added once. Added to each head, it would be counted h times.",
            ),
            Mistake(
                "a share of the bias was added",
                lambda head_outputs, weight, bias, head: (
                    contribution(head_outputs, weight, bias, head) + bias / head_outputs.shape[1]
                ),
                "The shares would add up, but the bias is there whatever the heads do: it belongs to none of them.",
            ),
            Mistake(
                "the share was divided by the number of heads",
                lambda head_outputs, weight, bias, head: (
                    contribution(head_outputs, weight, bias, head) / head_outputs.shape[1]
                ),
                "The heads are added up, not averaged.",
            ),
            Mistake(
                "all heads were summed",
                lambda head_outputs, weight, bias, head: concat_heads(head_outputs) @ weight.T,
                "That is the output of all heads together. One head meets its own d_v columns of `weight` only.",
            ),
        ),
    ),
    Exercise(
        name="03-multi-head",
        title="Write multi-head self-attention with the paper's matrices",
        solution=multi_head,
        cases=_multi_head_cases,
        # float32 softmax and sums of a dozen terms, in an order that the reader chooses
        tolerance=1e-4,
        mistakes=(
            Mistake(
                "a direct view cuts the heads",
                _multi_head(cut=_direct_cut),
                "Shapes agree and positions are mixed. Cut the last dimension first, then transpose.",
            ),
            Mistake(
                "a direct view cuts the heads, and another puts them back",
                _multi_head(cut=_direct_cut, join=_direct_join),
                "Each head sees a part of the sentence only. Cut the last dimension first, then transpose; and the "
                "same way back.",
            ),
            Mistake(
                "the heads are put back without a transpose",
                _multi_head(join=_direct_join),
                "Before the join the heads must stand behind the positions again: transpose(1, 2), then flatten.",
            ),
            Mistake(
                "the heads stand behind the positions while they attend",
                _multi_head(cut=_heads_of_one_token, join=lambda x: x.flatten(2)),
                "A product works on the last two dimensions: [batch, position, heads, d_k] compares the heads of "
                "one token. Transpose dimensions 1 and 2, so that positions are compared.",
            ),
            Mistake(
                "query and key changed places",
                _roles_swapped,
                "A row of the scores belongs to a query: (x W_Q) times the transposed (x W_K), and not the other way "
                "round.",
            ),
            Mistake(
                "the matrices are transposed",
                _transposed("QKVO"),
                "The paper's matrices are [in, out], and x meets them as they are: `x @ W_Q`. Only what `nn.Linear` "
                "stores is [out, in].",
            ),
            Mistake(
                "the matrices of query, key and value are transposed",
                _transposed("QKV"),
                "The paper's matrices are [in, out], and x meets them as they are: `x @ W_Q`.",
            ),
            Mistake(
                "W_O is transposed",
                _transposed("O"),
                "The paper's W_O is [heads * d_v, out], and the concat meets it as it is: no `.T`.",
            ),
            Mistake(
                "the concat takes one feature of each head in turn",
                _multi_head(join=_interleave),
                "All features of head 0 come first, then all of head 1: that is the order of the rows of W_O.",
            ),
            Mistake(
                "one wide head attends",
                _one_wide_head,
                "Without the cut there is one softmax for all features together, and `heads` is not used.",
            ),
            Mistake(
                "the scores are scaled by the width of all heads",
                _multi_head(scale_width="all"),
                "A head's score is a sum of d_k products, so it is divided by the root of d_k, the width of one head.",
            ),
            Mistake(
                "W_O is missing",
                _no_output_projection,
                "After the concat comes the output projection.",
            ),
        ),
    ),
)

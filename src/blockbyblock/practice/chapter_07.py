"""The exercises of chapter 07: a network by hand, the network in code, where attention costs as much, a gated one."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from blockbyblock.practice.exercise import Exercise, Inputs, Mistake


def feed_forward(x: Tensor, W1: Tensor, b1: Tensor, W2: Tensor, b2: Tensor) -> Tensor:
    """max(0, x W1 + b1) W2 + b2 for x `[batch, position, d_model]`."""
    return (x @ W1 + b1).relu() @ W2 + b2


def _forward_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {"x": torch.tensor([[[2.0, 1.0]]]), **_HAND}
    for batch, position, d_model, d_ff in ((1, 3, 2, 5), (2, 4, 3, 8), (2, 6, 4, 4)):
        yield {
            "x": torch.randn(batch, position, d_model, generator=generator),
            "W1": torch.randn(d_model, d_ff, generator=generator),
            "b1": torch.randn(d_ff, generator=generator),
            "W2": torch.randn(d_ff, d_model, generator=generator),
            "b2": torch.randn(d_model, generator=generator),
        }


def gated(x: Tensor, W: Tensor, V: Tensor, W2: Tensor) -> Tensor:
    """(SiLU(x W) * x V) W2, without biases."""
    return (F.silu(x @ W) * (x @ V)) @ W2


def _gated_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {
        "x": torch.tensor([[[1.0, -1.0]]]),
        "W": torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        "V": torch.tensor([[2.0, 0.0], [0.0, 3.0]]),
        "W2": torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
    }
    for batch, position, d_model, d_ff in ((1, 3, 2, 5), (2, 4, 3, 8), (2, 6, 4, 4)):
        yield {
            "x": torch.randn(batch, position, d_model, generator=generator),
            "W": torch.randn(d_model, d_ff, generator=generator),
            "V": torch.randn(d_model, d_ff, generator=generator),
            "W2": torch.randn(d_ff, d_model, generator=generator),
        }


_HAND = {
    "W1": torch.tensor([[1.0, -1.0, 0.0, 1.0], [1.0, 1.0, -2.0, -1.0]]),
    "b1": torch.tensor([-1.0, 0.0, 1.0, 1.0]),
    "W2": torch.tensor([[1.0, 0.0], [3.0, 1.0], [5.0, -1.0], [2.0, 1.0]]),
    "b2": torch.tensor([0.0, 0.5]),
}
_X = torch.tensor([2.0, 1.0])
_NO_BIAS = torch.zeros(4)


def _by_hand(**changed: Tensor) -> list[float]:
    values: list[float] = feed_forward(_X, **{**_HAND, **changed}).tolist()
    return values


EXERCISES = (
    Exercise(
        name="07-by-hand",
        title="Work out a feed-forward network with four hidden units",
        solution=_by_hand(),
        mistakes=(
            Mistake(
                "the ReLU was left out",
                ((_X @ _HAND["W1"] + _HAND["b1"]) @ _HAND["W2"] + _HAND["b2"]).tolist(),
                "Two of the four sums are negative. The ReLU sets them to 0 before the second matrix.",
            ),
            Mistake(
                "the first bias was left out",
                _by_hand(b1=_NO_BIAS),
                "Add b1 to the four sums, and only then cut off what is negative.",
            ),
            Mistake(
                "the second bias was left out",
                _by_hand(b2=torch.zeros(2)),
                "The hidden units are right. Add b2 at the end.",
            ),
            Mistake(
                "the first bias was added after the ReLU",
                (((_X @ _HAND["W1"]).relu() + _HAND["b1"]) @ _HAND["W2"] + _HAND["b2"]).tolist(),
                "max(0, x W1 + b1): the bias stands inside, and decides when a unit begins to fire.",
            ),
            Mistake(
                "x was added",
                (_X + torch.tensor(_by_hand())).tolist(),
                "The residual connection is the business of Add & Norm. Asked for is the network's own output.",
            ),
            Mistake(
                "these are the hidden units",
                (_X @ _HAND["W1"] + _HAND["b1"]).relu().tolist(),
                "The four hidden units are right. Multiply them by W2, and add b2.",
            ),
        ),
        hint="First four sums x W1 + b1, then 0 for the negative ones, then two sums with W2 and b2.",
    ),
    Exercise(
        name="07-feed-forward",
        title="Write the position-wise feed-forward network",
        solution=feed_forward,
        cases=_forward_cases,
        mistakes=(
            Mistake(
                "there is no activation",
                lambda x, W1, b1, W2, b2: (x @ W1 + b1) @ W2 + b2,
                "Without the ReLU the two layers are one linear layer with the matrix W1 W2.",
            ),
            Mistake(
                "the ReLU comes last",
                lambda x, W1, b1, W2, b2: ((x @ W1 + b1) @ W2 + b2).relu(),
                "It stands between the two layers. At the end it would forbid negative outputs, and the sum with x "
                "could only grow.",
            ),
            Mistake(
                "the output went through a ReLU as well",
                lambda x, W1, b1, W2, b2: feed_forward(x, W1, b1, W2, b2).relu(),
                "One ReLU, between the two layers. The output may be negative.",
            ),
            Mistake(
                "the first bias comes after the ReLU",
                lambda x, W1, b1, W2, b2: ((x @ W1).relu() + b1) @ W2 + b2,
                "max(0, x W1 + b1): the bias stands inside, and decides when a unit begins to fire.",
            ),
            Mistake(
                "the biases are missing",
                lambda x, W1, b1, W2, b2: (x @ W1).relu() @ W2,
                "The paper's network has two biases. Newer models often leave them out; this one does not.",
            ),
            Mistake(
                "x is added to the output",
                lambda x, W1, b1, W2, b2: x + feed_forward(x, W1, b1, W2, b2),
                "The residual connection belongs to Add & Norm. With it here, x would be added twice.",
            ),
            Mistake(
                "the activation is GELU",
                lambda x, W1, b1, W2, b2: F.gelu(x @ W1 + b1) @ W2 + b2,
                "That is BERT's and GPT-2's choice. The paper takes max(0, ...), the ReLU.",
            ),
            Mistake(
                "a softmax stands in place of the ReLU",
                lambda x, W1, b1, W2, b2: (x @ W1 + b1).softmax(-1) @ W2 + b2,
                "The hidden units do not compete for a share. Each is cut off at 0 by itself.",
            ),
            Mistake(
                "the positions were averaged",
                lambda x, W1, b1, W2, b2: feed_forward(x.mean(1, keepdim=True).expand_as(x), W1, b1, W2, b2),
                "No position sees another here. `x @ W1` takes each row of x by itself.",
            ),
        ),
    ),
    Exercise(
        name="07-crossing",
        title="Find the length at which attention costs as much",
        solution=1024,
        mistakes=(
            Mistake(
                "the four projections were left out",
                2048,
                "2 n d_model = 8 d_model² compares the table of scores alone. The projections cost 4 d_model² for "
                "each position.",
            ),
            Mistake(
                "the output projection was left out",
                1280,
                "W_O is a matrix product too: four projections, not three.",
            ),
            Mistake(
                "every head was taken to be as wide as the model",
                128,
                "A head's keys have d_k = d_model / h features, so that h heads cost what one of full width would.",
            ),
            Mistake(
                "a multiply-add was counted as two operations on one side only",
                3072,
                "Count both sides in the same unit.",
            ),
        ),
        hint="For each position: 4 d_model² + 2 n d_model on one side, 2 d_model d_ff on the other.",
    ),
    Exercise(
        name="07-gated",
        title="Build the gated variant",
        solution=gated,
        cases=_gated_cases,
        mistakes=(
            Mistake(
                "the gate is missing",
                lambda x, W, V, W2: F.silu(x @ W) @ W2,
                "The hidden units are products: SiLU(x W) times x V, number by number.",
            ),
            Mistake(
                "the two parts were added",
                lambda x, W, V, W2: (F.silu(x @ W) + x @ V) @ W2,
                "A gate multiplies: where it is near 0, nothing passes.",
            ),
            Mistake(
                "the activation stands on the other part",
                lambda x, W, V, W2: ((x @ W) * F.silu(x @ V)) @ W2,
                "SiLU belongs to x W, and x V stays linear. Trained weights from elsewhere would be read crosswise.",
            ),
            Mistake(
                "both parts went through the activation",
                lambda x, W, V, W2: (F.silu(x @ W) * F.silu(x @ V)) @ W2,
                "Only x W goes through SiLU.",
            ),
            Mistake(
                "the gate is a sigmoid",
                lambda x, W, V, W2: ((x @ W).sigmoid() * (x @ V)) @ W2,
                "That is the older GLU. SiLU(z) = z sigmoid(z).",
            ),
            Mistake(
                "the activation is the ReLU",
                lambda x, W, V, W2: ((x @ W).relu() * (x @ V)) @ W2,
                "That variant exists, ReGLU. Asked for is SiLU(z) = z sigmoid(z), which `F.silu` computes.",
            ),
        ),
    ),
)

"""The exercises of chapter 08: parameters by hand, one encoder layer, how far information gets, a sentence's vector."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blockbyblock.practice.exercise import Exercise, Inputs, Mistake

# The encoder of the model in the box.
LAYERS, D_MODEL, D_FF, HEADS = 3, 256, 1024, 8
_MATRIX = D_MODEL * D_MODEL + D_MODEL
_FEED_FORWARD = (D_MODEL + 1) * D_FF + (D_FF + 1) * D_MODEL
_NORM = 2 * D_MODEL
_LAYER = 4 * _MATRIX + _FEED_FORWARD + 2 * _NORM

Sublayer = Callable[[Tensor], Tensor]


class Looking(nn.Module):
    """Attention without parameters: each position averages all, those like itself the most."""

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, position, d_model]` to the same shape."""
        return (x @ x.transpose(-2, -1) / math.sqrt(x.shape[-1])).softmax(-1) @ x


class Thinking(nn.Module):
    """A feed-forward network with given matrices."""

    def __init__(self, hidden: Tensor, output: Tensor) -> None:
        super().__init__()
        self.hidden, self.output = nn.Parameter(hidden), nn.Parameter(output)

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, position, d_model]` to the same shape."""
        return ((x @ self.hidden).relu() @ self.output).detach()


def norm(x: Tensor) -> Tensor:
    """Layer norm without learned parameters."""
    return F.layer_norm(x, x.shape[-1:])


def encoder_layer(x: Tensor, attention: Sublayer, feed_forward: Sublayer) -> Tensor:
    """Attention, Add & Norm, feed-forward, Add & Norm."""
    x = norm(x + attention(x))
    return norm(x + feed_forward(x))


def _layer_cases(generator: torch.Generator) -> Iterable[Inputs]:
    for batch, position, d_model in ((1, 2, 4), (2, 3, 6), (3, 4, 4)):
        yield {
            "x": torch.randn(batch, position, d_model, generator=generator),
            "attention": Looking(),
            "feed_forward": Thinking(
                torch.randn(d_model, 2 * d_model, generator=generator),
                torch.randn(2 * d_model, d_model, generator=generator),
            ),
        }


def _over_positions(x: Tensor) -> Tensor:
    centred = x - x.mean(-2, keepdim=True)
    return centred / (centred.square().mean(-2, keepdim=True) + 1e-5).sqrt()


def _normed_over_positions(x: Tensor, attention: Sublayer, feed_forward: Sublayer) -> Tensor:
    x = _over_positions(x + attention(x))
    return _over_positions(x + feed_forward(x))


def _first_input_added_again(x: Tensor, attention: Sublayer, feed_forward: Sublayer) -> Tensor:
    attended = norm(x + attention(x))
    return norm(x + feed_forward(attended))


def _side_by_side(x: Tensor, attention: Sublayer, feed_forward: Sublayer) -> Tensor:
    return norm(norm(x + attention(x)) + feed_forward(x))


def _pre_norm(x: Tensor, attention: Sublayer, feed_forward: Sublayer) -> Tensor:
    x = x + attention(norm(x))
    return x + feed_forward(norm(x))


def _norm_before_sum(x: Tensor, attention: Sublayer, feed_forward: Sublayer) -> Tensor:
    x = x + norm(attention(x))
    return x + norm(feed_forward(x))


def _one_norm(x: Tensor, attention: Sublayer, feed_forward: Sublayer) -> Tensor:
    x = x + attention(x)
    return norm(x + feed_forward(x))


def reach(mask: Tensor, layers: int) -> Tensor:
    """True where an output can depend on an input: a path of `layers` steps, each along the mask or standing still."""
    step = (mask | torch.eye(len(mask), dtype=torch.bool)).float()
    reached = torch.eye(len(mask), dtype=torch.bool)
    for _ in range(layers):
        reached = step @ reached.float() > 0
    return reached


def _without_residual(mask: Tensor, layers: int) -> Tensor:
    return torch.linalg.matrix_power(mask.double(), layers) > 0


def _reach_cases(generator: torch.Generator) -> Iterable[Inputs]:
    # Each position looks at its left neighbour only, the first one at itself.
    left = torch.diag(torch.ones(4, dtype=torch.bool), -1)[:5, :5]
    left[0, 0] = True
    yield {"mask": left, "layers": 2}
    for position, layers in ((6, 2), (7, 3)):
        mask = torch.rand(position, position, generator=generator) < 0.2
        yield {"mask": mask, "layers": layers}
    near = (torch.arange(8)[:, None] - torch.arange(8)).abs() <= 1
    yield {"mask": near, "layers": 3}


def sentence_vector(output: Tensor, real: Tensor) -> Tensor:
    """The mean over the real tokens: `[batch, position, d_model]`, `[batch, position]` to `[batch, d_model]`."""
    kept = output * real.unsqueeze(-1)
    return kept.sum(1) / real.sum(1, keepdim=True)


def _vector_cases(generator: torch.Generator) -> Iterable[Inputs]:
    for lengths, position, d_model in (((2, 3), 3, 2), ((1, 4, 2), 4, 3), ((5, 3, 4, 2), 6, 4)):
        real = torch.arange(position) < torch.tensor(lengths)[:, None]
        yield {"output": torch.randn(len(lengths), position, d_model, generator=generator), "real": real}


def _of_padding(output: Tensor, real: Tensor) -> Tensor:
    return (output * ~real.unsqueeze(-1)).sum(1) / (~real).sum(1, keepdim=True).clamp(min=1)


EXERCISES = (
    Exercise(
        name="08-count",
        title="Count the parameters of an encoder",
        solution=LAYERS * _LAYER,
        mistakes=(
            Mistake("this is one layer", _LAYER, "Right for one layer. Each of the three has parameters of its own."),
            Mistake(
                "the layer norms were left out",
                LAYERS * (_LAYER - 2 * _NORM),
                "Each layer has two layer norms, and each of these a scale and a shift of d_model numbers.",
            ),
            Mistake(
                "only one layer norm per layer was counted",
                LAYERS * (_LAYER - _NORM),
                "Add & Norm stands twice in a layer: after the attention and after the feed-forward network.",
            ),
            Mistake(
                "the biases of the linear layers were left out",
                LAYERS * (4 * D_MODEL**2 + 2 * D_MODEL * D_FF + 2 * _NORM),
                "Six linear layers, each with a bias: five of d_model numbers and one of d_ff.",
            ),
            Mistake(
                "the output projection was left out",
                LAYERS * (_LAYER - _MATRIX),
                "Attention has four matrices: for query, key and value, and W_O after Concat.",
            ),
            Mistake(
                "each head was given matrices of full width",
                LAYERS * (_LAYER + 3 * (HEADS - 1) * _MATRIX),
                "The heads share the width: d_k = d_model / h, so all heads together have one matrix of each kind.",
            ),
            Mistake(
                "a layer norm was given a single scale and shift",
                LAYERS * (_LAYER - 2 * _NORM + 4),
                "Scale and shift have one number for each feature: 2 * d_model in each norm.",
            ),
        ),
        hint="Attention: four matrices with biases. Feed-forward: two. Two norms. Then times three.",
    ),
    Exercise(
        name="08-layer",
        title="Write one encoder layer",
        solution=encoder_layer,
        cases=_layer_cases,
        mistakes=(
            Mistake(
                "nothing is added",
                lambda x, attention, feed_forward: norm(feed_forward(norm(attention(x)))),
                "Add & Norm: each sublayer's output is added to what went into the sublayer, and then normalised.",
            ),
            Mistake(
                "the second sum adds the layer's input again",
                _first_input_added_again,
                "Around the feed-forward network the residual is what went into *it*: the output of the first norm.",
            ),
            Mistake(
                "the feed-forward network reads the layer's input",
                _side_by_side,
                "The sublayers stand one after the other: feed-forward reads the output of the first Add & Norm.",
            ),
            Mistake(
                "the norm stands before the sublayer",
                _pre_norm,
                "That is pre-norm, which many later models use. The paper normalises after the sum.",
            ),
            Mistake(
                "the norm stands before the sum",
                _norm_before_sum,
                "LayerNorm(x + Sublayer(x)): first the sum, then the norm.",
            ),
            Mistake(
                "the first norm is missing",
                _one_norm,
                "Each of the two sublayers has its own Add & Norm.",
            ),
            Mistake(
                "the norm runs over the positions",
                _normed_over_positions,
                "Layer norm takes mean and variance over the features of one position, the last dimension.",
            ),
        ),
    ),
    Exercise(
        name="08-reach",
        title="Say which inputs each output can depend on",
        solution=reach,
        cases=_reach_cases,
        mistakes=(
            Mistake(
                "the residual path is forgotten",
                _without_residual,
                "A position also keeps what it has: the residual connection is a step that stands still. Let every "
                "position see itself, whatever the mask says.",
            ),
            Mistake(
                "rows and columns are exchanged",
                lambda mask, layers: reach(mask.T, layers),
                "Rows are queries, which receive; columns are keys, which are looked at.",
            ),
            Mistake(
                "one layer too many",
                lambda mask, layers: reach(mask, layers + 1),
                "Without any layer each position knows itself. Start from there and take `layers` steps.",
            ),
            Mistake(
                "one layer too few",
                lambda mask, layers: reach(mask, layers - 1),
                "The mask itself is the first of the steps, not the start.",
            ),
            Mistake(
                "the number of layers changes nothing",
                lambda mask, layers: mask.clone(),
                "Powers of single entries stay what they are. A path through two layers is a *matrix* product: i looks "
                "at j, and j has looked at k.",
            ),
            Mistake(
                "these are the numbers of paths",
                lambda mask, layers: torch.linalg.matrix_power(
                    (mask | torch.eye(len(mask), dtype=torch.bool)).float(), layers
                ),
                "The counts are right. Asked for is whether there is a path: `> 0`.",
            ),
        ),
    ),
    Exercise(
        name="08-sentence-vector",
        title="Average the encoder's output over the real tokens",
        solution=sentence_vector,
        cases=_vector_cases,
        mistakes=(
            Mistake(
                "padding is averaged too",
                lambda output, real: output.mean(1),
                "The mask hides padding from attention, but its positions still have outputs, and they are not zero.",
            ),
            Mistake(
                "the sum is divided by the length of the batch",
                lambda output, real: (output * real.unsqueeze(-1)).mean(1),
                "Divide by the number of real tokens of each sentence. Otherwise a short sentence in a long batch gets "
                "a short vector.",
            ),
            Mistake(
                "the sum is not divided",
                lambda output, real: (output * real.unsqueeze(-1)).sum(1),
                "A mean: divide by the number of real tokens.",
            ),
            Mistake(
                "the mask is turned round",
                _of_padding,
                "True is a real token here. PyTorch's own modules mean the opposite by True.",
            ),
            Mistake(
                "all sentences are divided by one number",
                lambda output, real: (output * real.unsqueeze(-1)).sum(1) / real.sum(),
                "Each sentence has a length of its own: sum the mask over the positions only.",
            ),
            Mistake(
                "the last position is taken",
                lambda output, real: output[:, -1],
                "In a batch the last position is often padding. Asked for is the mean over the real tokens.",
            ),
        ),
    ),
)

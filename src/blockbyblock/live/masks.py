"""Masks on a typed sentence: who may look at whom, the weights that follow, and what a second layer hears."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from traitlets import Bool as Switch
from traitlets import Enum, Int, List, Unicode

from blockbyblock.live.figure import LiveFigure, table
from blockbyblock.masks import causal_mask

LONGEST = 7
PAD = "<pad>"


@dataclass(frozen=True)
class Masked:
    """What the figure computes, in float64; `layers` says how much of each token's start each one holds by then.

    A token starts as itself, so `layers[0]` is the identity. A layer adds the weighted sum of all tokens to each.
    `heard` says of whom a token can have heard after two layers: of whom it looks at, itself, and whom those look at.
    """

    allowed: Bool[Tensor, "query key"]
    weights: Float[Tensor, "query key"]
    layers: Float[Tensor, "3 query key"]
    heard: Bool[Tensor, "query key"]


class MasksFigure(LiveFigure):
    """Padding and causal masks, single cells, and the row in which everything is hidden.

    The score of two tokens is the number of different letters that they share, so that a reader can check it; padding
    shares none.

    Arguments:
        sentence: words with spaces between them; the first seven are taken.
        padding: how many padding tokens stand beside it, 0 to 3.

    Attributes:
        side: where the padding stands, "right" or "left".
        causal: whether a token may look at itself and to the left only.
        hide_padding: whether padding is hidden as a key.
        infinite: whether a hidden score becomes minus infinity, so that a row without any key is NaN; else such a row
            is zero, as in this package.
        flipped: single cells [query, key] that are not as the masks say.
        selected: the row whose sight is put into words.
    """

    module = "masks"
    room = (475, 710)

    sentence = Unicode().tag(sync=True)
    padding = Int(min=0, max=3).tag(sync=True)
    side = Enum(("right", "left"), "right").tag(sync=True)
    causal = Switch(True).tag(sync=True)
    hide_padding = Switch(True).tag(sync=True)
    infinite = Switch(False).tag(sync=True)
    flipped = List(List(Int())).tag(sync=True)
    selected = Int(5, min=0).tag(sync=True)

    def __init__(self, sentence: str, padding: int = 0, **switches: bool | str) -> None:
        super().__init__(sentence=sentence, padding=padding, **switches)

    def tokens(self) -> list[str]:
        """The words of the sentence, with padding at one side."""
        words, padding = [word for word in self.sentence.split(" ") if word][:LONGEST], [PAD] * self.padding
        return [*padding, *words] if self.side == "left" else [*words, *padding]

    def masked(self) -> Masked:
        """Compute what the figure shows at its present values; with no token at all, empty tensors."""
        tokens = self.tokens()
        length = len(tokens)
        allowed = torch.ones(length, length, dtype=torch.bool)
        if self.causal and tokens:
            allowed &= causal_mask(length)
        if self.hide_padding:
            allowed &= torch.tensor([token != PAD for token in tokens], dtype=torch.bool)
        for query, key in self.flipped:
            if max(query, key) < length:  # the sentence may have become shorter
                allowed[query, key] = ~allowed[query, key]
        scores = torch.tensor([shared_letters(a, b) for a in tokens for b in tokens], dtype=torch.float64)
        weights = scores.view(length, length).masked_fill(~allowed, -math.inf).softmax(-1)
        if not self.infinite:
            weights = weights.masked_fill(~allowed, 0.0)
        layers = [torch.eye(length, dtype=torch.float64)]
        for _ in range(2):
            layers.append(layers[-1] + weights @ layers[-1])
        looks = (allowed | torch.eye(length, dtype=torch.bool)).double()
        return Masked(allowed, weights, torch.stack(layers), looks @ looks > 0)

    def caption(self) -> str:
        """Return which masks are on, who looks at whom, and how many outputs are NaN."""
        tokens, found = self.tokens(), self.masked()
        masks = [name for name, on in (("causal", self.causal), ("padding", self.hide_padding)) if on]
        sight = "; ".join(
            f"{token} looks at {', '.join(key for key, seen in zip(tokens, row, strict=True) if seen) or 'nothing'}"
            for token, row in zip(tokens, found.allowed.tolist(), strict=True)
        )
        spoilt = found.layers[1:].isnan().any(-1).sum(-1).tolist()
        return (
            f"Weights under {' and '.join(masks) or 'no'} mask. {sight}. Outputs that are NaN: after one layer "
            f"{spoilt[0]} of {len(tokens)}, after two {spoilt[1]}."
        )

    def still(self) -> str:
        """Return the weights as a table, with a dash where a key is hidden."""
        tokens, found = self.tokens(), self.masked()
        rows = [
            [token, *(f"{weight:.2f}" if seen else "–" for weight, seen in zip(weights, allowed, strict=True))]
            for token, weights, allowed in zip(tokens, found.weights.tolist(), found.allowed.tolist(), strict=True)
        ]
        return table("Weights; each row is a query, each column a key, a dash is hidden", ("", *tokens), rows)


def shared_letters(a: str, b: str) -> int:
    """The number of different letters that two words share, capital or small; padding shares none."""
    return 0 if PAD in (a, b) else len(set(a.lower()) & set(b.lower()))

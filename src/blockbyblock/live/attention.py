"""Attention, one query at a time: the query is dragged; scores, weights and the weighted sum follow."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from traitlets import Bool, Enum, List, Unicode
from traitlets import Float as Number

from blockbyblock.live.figure import LiveFigure, table

WIDTHS = (2, 4, 8, 16, 32, 64)
REACH = 3.0


@dataclass(frozen=True)
class Attended:
    """What one query computes, in float64; `entropy` is that of the weights, in nats."""

    scores: Float[Tensor, " key"]
    scaled: Float[Tensor, " key"]
    weights: Float[Tensor, " key"]
    output: Float[Tensor, "2"]
    entropy: Float[Tensor, ""]


class AttentionFigure(LiveFigure):
    """One query among a few keys in the plane, from its scores to the weighted sum of the values.

    With a d_k above 2, query and keys have more entries than are drawn: random ones of mean 0 and variance 1, the same
    ones each time, so that the scores spread as they do at the start of training.

    Arguments:
        tokens: one for each key.
        query: [2], each entry from -3 to 3.
        key: [key, 2].
        value: [key, 2].
        asking: the token whose query it is.
        axes: what the two entries of the query and the keys mean.
        features: what the two entries of the values mean.

    Raises:
        ValueError: there are not as many tokens as keys and values.
        traitlets.TraitError: an entry of the query is out of its range.
    """

    module = "attention"
    room = (330, 610)

    tokens = List(Unicode()).tag(sync=True)
    asking = Unicode().tag(sync=True)
    axes = List(Unicode()).tag(sync=True)
    features = List(Unicode()).tag(sync=True)
    query = List(Number(min=-REACH, max=REACH), minlen=2, maxlen=2).tag(sync=True)
    key = List(List(Number())).tag(sync=True)
    value = List(List(Number())).tag(sync=True)
    further_query = List(Number()).tag(sync=True)
    further_key = List(List(Number())).tag(sync=True)
    d_k = Enum(WIDTHS, 2).tag(sync=True)
    scaled = Bool(True).tag(sync=True)

    def __init__(
        self,
        tokens: Sequence[str],
        query: Float[Tensor, "2"],
        key: Float[Tensor, "key 2"],
        value: Float[Tensor, "key 2"],
        *,
        asking: str,
        axes: Sequence[str] = ("first", "second"),
        features: Sequence[str] = ("first", "second"),
    ) -> None:
        if not len(tokens) == len(key) == len(value) > 0:
            raise ValueError(
                f"each token needs a key and a value, not {len(tokens)}, {len(key)} and {len(value)} of them"
            )
        further = torch.randn(len(tokens) + 1, WIDTHS[-1] - 2, generator=torch.Generator().manual_seed(0))
        further_query, *further_key = further.double().mul(100).round().div(100).tolist()  # two decimals: few bytes
        super().__init__(
            tokens=list(tokens),
            asking=asking,
            axes=list(axes),
            features=list(features),
            query=query.tolist(),
            key=key.tolist(),
            value=value.tolist(),
            further_query=further_query,
            further_key=further_key,
        )

    def attended(self) -> Attended:
        """Compute what the figure shows at its present values."""
        further = self.d_k - 2
        query = torch.tensor([*self.query, *self.further_query[:further]], dtype=torch.float64)
        rows = [[*key, *more[:further]] for key, more in zip(self.key, self.further_key, strict=True)]
        scores = torch.tensor(rows, dtype=torch.float64) @ query
        scaled = scores / (math.sqrt(self.d_k) if self.scaled else 1)
        weights = scaled.softmax(-1)
        output = weights @ torch.tensor(self.value, dtype=torch.float64)
        return Attended(scores, scaled, weights, output, -torch.special.xlogy(weights, weights).sum())

    def caption(self) -> str:
        """Return where the query is, the weights that it gives, and the weighted sum of the values."""
        found = self.attended()
        place = ", ".join(f"{axis} {entry:.1f}" for axis, entry in zip(self.axes, self.query, strict=True))
        weights = ", ".join(f"{token} {weight:.2f}" for token, weight in zip(self.tokens, found.weights, strict=True))
        sums = ", ".join(f"{name} {entry:.3f}" for name, entry in zip(self.features, found.output, strict=True))
        return (
            f"The query of {self.asking} ({place}) among {len(self.tokens)} keys, with d_k = {self.d_k}. Its weights: "
            f"{weights}. The weighted sum of the values: {sums}. The entropy of the weights is {found.entropy:.2f} of "
            f"at most {math.log(len(self.tokens)):.2f} nats."
        )

    def still(self) -> str:
        """Return a table with the score, the scaled score, the weight and the value of each key."""
        found = self.attended()
        divisor = f"÷ √{self.d_k}" if self.scaled else "÷ 1"
        rows = [
            (token, f"{score:.2f}", f"{scaled:.2f}", f"{weight:.3f}", f"({', '.join(f'{entry:g}' for entry in value)})")
            for token, score, scaled, weight, value in zip(
                self.tokens, found.scores, found.scaled, found.weights, self.value, strict=True
            )
        ]
        return table(f"The query of {self.asking}", ("key", "score", divisor, "weight", "value"), rows)

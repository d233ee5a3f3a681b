"""Positions as sines and cosines: the table, one pair of it as a rotation, the dot product against the offset."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from traitlets import Int, TraitError, validate

from blockbyblock.embedding import sinusoids
from blockbyblock.live.figure import LiveFigure, table

LARGEST_POSITION, LARGEST_OFFSET = 47, 24


@dataclass(frozen=True)
class Encoded:
    """What the figure shows, from the package's own table.

    `here` and `there` are the chosen pair, (sine, cosine), at the position and at the one that is `offset` later;
    `turned` is the first, rotated by as much as the offset says. `products` holds PE(p) · PE(p + k) for each offset k.
    """

    here: Float[Tensor, "2"]
    there: Float[Tensor, "2"]
    turned: Float[Tensor, "2"]
    products: Float[Tensor, " offset"]


class PositionsFigure(LiveFigure):
    """The paper's positional encoding: move the position, the offset to a second one, and the pair of entries.

    Arguments:
        d_model: width of the encoding, even.

    Attributes:
        position: the first position, 0 to 47.
        offset: how many positions later the second one is, 0 to 24.
        pair: which sine and cosine is drawn as a rotation, 0 to d_model / 2 − 1.

    Raises:
        ValueError: d_model is odd.
        traitlets.TraitError: a value is outside its range.
    """

    module = "positions"
    room = (420, 730)

    d_model = Int().tag(sync=True)
    position = Int(10, min=0, max=LARGEST_POSITION).tag(sync=True)
    offset = Int(4, min=0, max=LARGEST_OFFSET).tag(sync=True)
    pair = Int(2, min=0).tag(sync=True)

    def __init__(self, d_model: int = 32, **values: int) -> None:
        sinusoids(1, d_model)  # raises where a sine would have no cosine
        super().__init__(d_model=d_model, **{"pair": min(2, d_model // 2 - 1), **values})

    @validate("pair")
    def _within_the_width(self, proposal: Any) -> int:
        if not proposal["value"] < self.d_model // 2:
            raise TraitError(
                f"pair={proposal['value']}: a width of {self.d_model} has the pairs 0 to {self.d_model // 2 - 1}"
            )
        return proposal["value"]

    @property
    def frequency(self) -> float:
        """How far the chosen pair turns from one position to the next, in radians."""
        return 10_000.0 ** (-2 * self.pair / self.d_model)

    def encoded(self) -> Encoded:
        """Compute what the figure shows at its present values."""
        encoding = sinusoids(self.position + LARGEST_OFFSET + 1, self.d_model)[self.position :]  # [offset, d_model]
        pairs = encoding[:, 2 * self.pair : 2 * self.pair + 2]
        angle = self.offset * self.frequency
        rotation = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        return Encoded(pairs[0], pairs[self.offset], rotation.to(pairs.dtype) @ pairs[0], encoding @ encoding[0])

    def caption(self) -> str:
        """Return the two positions, how the pair turns between them, and the dot product."""
        found, later = self.encoded(), self.position + self.offset
        return (
            f"Encodings of the positions {self.position} and {later}, with d_model = {self.d_model}. Pair {self.pair} "
            f"turns by {self.frequency:.4f} radians from each position to the next, and makes a whole turn in "
            f"{2 * math.pi / self.frequency:.1f} positions. The dot product of the two encodings is "
            f"{found.products[self.offset]:.3f}; it depends on the offset, {self.offset}, alone."
        )

    def still(self) -> str:
        """Return the chosen pair at both positions and turned, and the dot product for a few offsets, as tables."""
        found = self.encoded()
        rows = [
            (name, *(f"{entry:.3f}" for entry in entries.tolist()))
            for name, entries in (
                (f"position {self.position}", found.here),
                (f"position {self.position + self.offset}", found.there),
                (f"position {self.position}, turned by {self.offset} × {self.frequency:.4f}", found.turned),
            )
        ]
        few = range(0, LARGEST_OFFSET + 1, 4)
        products = [("dot product", *(f"{found.products[offset]:.2f}" for offset in few))]
        return "\n".join(
            (
                table(f"Pair {self.pair}", ("", "sine", "cosine"), rows),
                table("The dot product against the offset", ("offset", *(str(offset) for offset in few)), products),
            )
        )

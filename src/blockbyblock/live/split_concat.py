"""Split and concat on numbered cells: view, transpose, attend, concat; or the direct view, which scrambles."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from traitlets import Enum, Int, List, Unicode

from blockbyblock.attention import concat_heads, scaled_dot_product_attention, split_heads
from blockbyblock.live.figure import LiveFigure, table
from blockbyblock.masks import causal_mask

HEADS, D_K = 2, 2
LAST_STEP = 4


class SplitConcatFigure(LiveFigure):
    """Where each number goes on its way through two heads. Entry 10 p + f belongs to position p, feature f.

    Arguments:
        tokens: one for each position, at most six.

    Attributes:
        cut: "right" cuts the heads with view and transpose, "direct" with a single view to the same shape.
        step: 0 as it comes, 1 view, 2 transpose, 3 attend (even weights, causal mask), 4 concat.

    Raises:
        ValueError: there are no tokens, or more than six.
    """

    module = "split_concat"
    room = (350, 420)

    tokens = List(Unicode()).tag(sync=True)
    cut = Enum(("right", "direct"), "right").tag(sync=True)
    step = Int(0, min=0, max=LAST_STEP).tag(sync=True)

    def __init__(self, tokens: Sequence[str], **values: int | str) -> None:
        if not 1 <= len(tokens) <= 6:
            raise ValueError(f"one to six tokens fit the figure, not {len(tokens)}")
        super().__init__(tokens=list(tokens), **values)

    def numbers(self, step: int | None = None) -> Float[Tensor, "..."]:
        """The numbers as the tensor that they are after a step, the present one if none is given."""
        step = self.step if step is None else step
        length = len(self.tokens)
        start = 10 * torch.arange(length)[:, None] + torch.arange(HEADS * D_K)
        start = start.double()
        cut = start.view(length, HEADS, D_K) if self.cut == "right" else start.view(HEADS, length, D_K)
        heads = split_heads(start[None], HEADS)[0] if self.cut == "right" else cut
        even = torch.zeros_like(heads)  # equal scores, equal weights
        attended, _ = scaled_dot_product_attention(even, even, heads, causal_mask(length))
        return (start, cut, heads, attended, concat_heads(attended[None])[0])[step]

    def sources(self) -> list[list[int]]:
        """For each row of the output the positions whose numbers entered it."""
        owner = self.numbers(2).div(10, rounding_mode="floor").long()  # [heads, position, d_k]
        return [owner[:, : row + 1].unique().tolist() for row in range(len(self.tokens))]

    def caption(self) -> str:
        """Return which way the heads are cut, and which tokens each row of the output depends on."""
        way = "view, then transpose" if self.cut == "right" else "a direct view"
        read = "; ".join(
            f"{token} on {', '.join(self.tokens[position] for position in positions)}"
            for token, positions in zip(self.tokens, self.sources(), strict=True)
        )
        return f"Numbered cells cut into two heads with {way}. After attention with a causal mask, {read}."

    def still(self) -> str:
        """Return the numbers before the cut, in both heads, and after concat, row by row."""
        start, heads, output = (self.numbers(step) for step in (0, 2, LAST_STEP))
        rows = [
            (token, *(" ".join(f"{number:g}" for number in part.tolist()) for part in parts))
            for token, *parts in zip(self.tokens, start, *heads, output, strict=True)
        ]
        return table("Row by row", ("", "as it comes", "head 0", "head 1", "attended, joined"), rows)

"""The parts of the paper's Figure 1, in the order in which data flows, and the chapter that builds each."""

from collections.abc import Sequence
from dataclasses import dataclass

from blockbyblock.figures.chapters import CHAPTERS, Chapter
from blockbyblock.figures.svg import LINE_HEIGHT, Length

# The blocks that a chapter can light, by key, with the name that a reader sees.
BLOCKS: dict[str, str] = {
    "linear-projections": "Linear projections",
    "scaled-dot-product-attention": "Scaled dot-product attention",
    "multi-head-attention": "Multi-head attention",
    "embedding": "Embedding",
    "positional-encoding": "Positional encoding",
    "add-and-norm": "Add & Norm",
    "feed-forward": "Feed-forward",
    "encoder": "Encoder",
    "masking": "Masking",
    "encoder-decoder-attention": "Encoder-decoder attention",
    "decoder": "Decoder",
    "linear-and-softmax": "Linear and softmax",
}


def chapter_of(block: str | None) -> Chapter | None:
    """The chapter that builds a block, or None where there is none."""
    return next((chapter for chapter in CHAPTERS if block is not None and chapter.block == block), None)


@dataclass(frozen=True)
class Step:
    """One box of the drawing.

    Arguments:
        lines: its text, a line each.
        block: the key of the block it belongs to, or None.
        gap: the free height below it.
        enters: what enters from below: "QKV" (one stem that splits), "Q", or "" for a plain arrow.
        residual: whether the path around a sublayer starts below this box.
    """

    lines: tuple[str, ...]
    block: str | None
    gap: Length
    enters: str = ""
    residual: bool = False

    @property
    def name(self) -> str:
        """Its text on one line."""
        return " ".join(self.lines)

    @property
    def height(self) -> Length:
        """The height of the box, in the drawing's units."""
        return 8 + LINE_HEIGHT * len(self.lines)


Placed = Sequence[tuple[Step, Length]]  # steps with the heights of their lower edges


def stack(steps: Sequence[Step], up: Length, extra: Length = 0.0) -> Placed:
    """Place steps one on the other from the height `up` upwards, each gap `extra` higher than it says."""
    placed = []
    for step in steps:
        up += step.gap + extra
        placed.append((step, up))
        up += step.height
    return placed


def ceiling(placed: Placed) -> Length:
    """The height of the last step's upper edge."""
    step, up = placed[-1]
    return up + step.height


_ADD_AND_NORM = Step(("Add & Norm",), "add-and-norm", gap=10)
_FEED_FORWARD = Step(("Feed-forward",), "feed-forward", gap=18, residual=True)
_POSITIONS = Step(("Positional", "encoding"), "positional-encoding", gap=0)

SOURCE = (
    Step(("Inputs",), None, gap=0),
    Step(("Input embedding",), "embedding", gap=12),
    _POSITIONS,
)
ENCODER = (
    Step(("Multi-head", "self-attention"), "multi-head-attention", gap=36, enters="QKV", residual=True),
    _ADD_AND_NORM,
    _FEED_FORWARD,
    _ADD_AND_NORM,
)
TARGET = (
    Step(("Outputs", "(shifted right)"), "masking", gap=0),
    Step(("Output embedding",), "embedding", gap=12),
    _POSITIONS,
)
DECODER = (
    Step(("Masked", "self-attention"), "masking", gap=36, enters="QKV", residual=True),
    _ADD_AND_NORM,
    Step(("Encoder-decoder", "attention"), "encoder-decoder-attention", gap=28, enters="Q", residual=True),
    _ADD_AND_NORM,
    _FEED_FORWARD,
    _ADD_AND_NORM,
)
TOP = (
    Step(("Linear",), "linear-and-softmax", gap=12),
    Step(("Softmax",), "linear-and-softmax", gap=12),
    Step(("Output", "probabilities"), None, gap=10),
)
INSIDE = (
    Step(("Linear projections",), "linear-projections", gap=26, enters="QKV"),
    Step(("Scaled dot-product", "attention"), "scaled-dot-product-attention", gap=14),
    Step(("Concat, linear",), "multi-head-attention", gap=20),
)

"""The drawing of the whole encoder-decoder, after the paper's Figure 1."""

from collections.abc import Sequence
from dataclasses import dataclass

from blockbyblock.figures import blocks
from blockbyblock.figures.blocks import Placed, Step, ceiling, chapter_of, stack
from blockbyblock.figures.svg import LINE_HEIGHT, Canvas, Length

WIDTH = 360.0
_PLUS = 7.0  # radius of the circled plus
_TITLE = 18.0  # height of the row that holds a frame's title
_THING = {"Q": "query", "K": "key", "V": "value"}
# How far below a sublayer the path around it leaves the stem: below the point where the stem becomes Q, K and V.
_BRANCH = {"QKV": 28.0, "Q": 22.0, "": 12.0}
_EDGE_LABEL = 20.0  # height that the shape of a tensor takes on its edge
_LEGEND = ("batch: sentences", "source, target: positions", "d_model: 512", "N: 6 layers", "vocab: 37,000 tokens")


@dataclass(frozen=True)
class Side:
    """Where one of the two columns stands, left to right: its frame, its boxes, the path around the sublayers."""

    name: str
    length: str
    frame: tuple[Length, Length]
    boxes: tuple[Length, Length]
    bypass: Length
    positions: tuple[Length, Length]

    @property
    def wide_boxes(self) -> tuple[Length, Length]:
        """The boxes below the frame, where there is more room."""
        return self.boxes[0] - 10, self.boxes[1] + 10

    @property
    def colour(self) -> str:
        """The palette's name of the side's colour."""
        return self.name.lower()

    @property
    def centre(self) -> Length:
        """Where data flows up."""
        return sum(self.boxes) / 2

    @property
    def label_centre(self) -> Length:
        """The middle of the room between the residual path and the frame's other edge, for the shapes."""
        far = self.frame[1] if self.bypass < self.centre else self.frame[0]
        return (self.bypass + far) / 2


LEFT = Side("Encoder", "source", frame=(2, 172), boxes=(26, 166), bypass=14, positions=(2, 86))
RIGHT = Side("Decoder", "target", frame=(186, 358), boxes=(200, 332), bypass=345, positions=(276, 358))


def _abreast(letters: str, x: Length) -> list[tuple[str, float]]:
    """Pair each letter with the place of its arrow, spread evenly around x."""
    return [(letter, x + (number - (len(letters) - 1) / 2) * 36) for number, letter in enumerate(letters)]


class Architecture:
    """One drawing of the encoder-decoder.

    Arguments:
        lit: the key of the block to light, or None.
        shapes: True writes the shape of the tensor on each edge; False shows the inside of attention instead.
    """

    def __init__(self, lit: str | None = None, *, shapes: bool = False) -> None:
        self._lit = lit
        self._shapes = shapes
        extra = _EDGE_LABEL if shapes else 0.0
        self._foot = 1 + blocks.TARGET[0].height  # 1: room for the outline of the lowest box
        self._embedding = self._foot + blocks.TARGET[1].gap + extra
        self._plus = self._embedding + blocks.TARGET[1].height + 22 + extra
        self._floor = self._plus + 22
        self._encoder = stack(blocks.ENCODER, self._floor, extra)
        self._decoder = stack(blocks.DECODER, self._floor, extra)
        self._top = stack(blocks.TOP, ceiling(self._decoder) + _TITLE, extra)
        self._canvas = Canvas(WIDTH, ceiling(self._top) + 1)

    def draw(self) -> Canvas:
        """Draw it; the elements stand in the order in which data flows. To be called once."""
        self._column(LEFT, blocks.SOURCE, self._encoder)
        if self._shapes:
            self._legend()
        else:
            self._inside()
        self._column(RIGHT, blocks.TARGET, self._decoder)
        self._memory()
        self._probabilities()
        return self._canvas

    def _box(self, step: Step, up: Length, x: tuple[Length, Length], colour: str) -> None:
        """A step's box with its chapter's number, lit or not: a link where that chapter is written."""
        chapter = chapter_of(step.block)
        lit = chapter is not None and step.block == self._lit
        with self._canvas.link(chapter):
            self._canvas.box(x[0], up, x[1] - x[0], step.height, line=colour, lit=lit)
            shift = 4 if chapter else 0
            last = self._canvas.lines(sum(x) / 2 - shift, up + step.height / 2, step.lines, bold=lit)
            if chapter:
                self._number(x[1] - 4, last, chapter.number)

    def _frame(self, title: str, block: str, x: tuple[Length, Length], up: Length, top: Length, colour: str) -> None:
        """A frame with its title inside, at the top left."""
        chapter = chapter_of(block)
        with self._canvas.link(chapter):
            lit = block == self._lit
            self._canvas.box(x[0], up, x[1] - x[0], top - up, line=colour, lit=lit, tinted=False)
            middle = top - _TITLE / 2 - 1
            self._canvas.text(x[0] + 7, middle, title, ink="ink" if lit else colour, anchor="start", bold=True)
            if chapter:
                self._number(x[1] - 6, middle, chapter.number)

    def _number(self, x: Length, up: Length, number: int) -> None:
        self._canvas.text(x, up, str(number), ink="muted", anchor="end", style="bbb-number")

    def _edge(self, x: Length, start: Length, end: Length, shape: str) -> None:
        """An arrow straight up, with the shape of its tensor where shapes are shown."""
        self._canvas.arrow((x, start), (x, end))
        self._shape(x, (start + end) / 2, shape)

    def _shape(self, x: Length, up: Length, shape: str) -> None:
        if self._shapes:
            self._canvas.text(x, up, shape, ink="muted", clear=14)

    def _column(self, side: Side, before: Sequence[Step], layer: Placed) -> None:
        """One side: tokens, embedding, positions, and the framed stack of sublayers."""
        canvas, x = self._canvas, side.centre
        tokens, embedding, positions = before
        hidden = f"[batch, {side.length}, d_model]"
        self._tokens(tokens, side)
        self._edge(x, self._foot, self._embedding, f"[batch, {side.length}]")
        self._box(embedding, self._embedding, side.wide_boxes, side.colour)
        below, beside = self._embedding + embedding.height, self._plus - positions.height / 2
        canvas.arrow((x, below), (x, self._plus - _PLUS))
        self._shape(side.label_centre, (below + beside) / 2, hidden)
        self._box(positions, beside, side.positions, side.colour)
        near = side.positions[1] if side.positions[1] < x else side.positions[0]
        canvas.arrow((near, self._plus), (x, self._plus), head=False)
        canvas.plus(x, self._plus, _PLUS)
        top = ceiling(layer) + _TITLE
        self._frame(side.name, side.colour, side.frame, self._floor, top, side.colour)
        canvas.text(x + 14, top - _TITLE / 2 - 1, "N ×", anchor="start", bold=True)
        below = self._plus + _PLUS
        for number, (step, up) in enumerate(layer):
            branch = up - _BRANCH[step.enters] if step.residual else up
            if step.residual:
                self._bypass(side, branch, layer[number + 1])
            self._into(step, below, up, x)
            self._shape(side.label_centre, (max(below, self._floor) + branch) / 2, hidden)
            self._box(step, up, side.boxes, side.colour)
            below = up + step.height

    def _tokens(self, step: Step, side: Side) -> None:
        """What goes in at the foot of a column: words, in a box only where a chapter is about them."""
        if step.block is None:
            self._canvas.lines(side.centre, self._foot - step.height / 2, step.lines)
        else:
            self._box(step, self._foot - step.height, side.wide_boxes, side.colour)

    def _bypass(self, side: Side, branch: Length, norm: tuple[Step, Length]) -> None:
        """The residual path: around a sublayer, into the Add & Norm above it."""
        step, up = norm
        level = up + step.height / 2
        edge = side.boxes[0] if side.bypass < side.centre else side.boxes[1]
        self._canvas.arrow((side.centre, branch), (side.bypass, branch), (side.bypass, level), (edge, level))

    def _into(self, step: Step, below: Length, up: Length, x: Length) -> None:
        """What enters a box from below: one arrow, or a stem that becomes query, key and value."""
        if not step.enters:
            self._canvas.arrow((x, below), (x, up))
            return
        split = up - 20
        self._canvas.arrow((x, below), (x, split), head=False)
        for letter, at in _abreast(step.enters, x):
            self._canvas.arrow((x, split), (at, split), (at, up), ink=_THING[letter])
            self._canvas.text(at + 10, (split + up) / 2 + 1, letter, ink=_THING[letter], bold=True)

    def _memory(self) -> None:
        """The encoder's output, on its way into encoder-decoder attention as key and value."""
        canvas, top, x = self._canvas, ceiling(self._encoder) + _TITLE, LEFT.centre
        canvas.arrow((x, top - _TITLE), (x, top), head=False)
        step, up = next(placed for placed in self._decoder if placed[0].enters == "Q")
        edge = RIGHT.boxes[0]
        # The inner path ends lower than the outer one, so that the two never cross.
        for letter, start, bend, gutter, level in (
            ("K", x + 3, top + 9, 176.5, up + 8),
            ("V", x - 3, top + 15, 181.5, up + step.height - 8),
        ):
            canvas.arrow(
                (start, top), (start, bend), (gutter, bend), (gutter, level), (edge, level), ink=_THING[letter]
            )
            canvas.text(edge - 7, level + 10, letter, ink=_THING[letter], bold=True)
        self._shape(LEFT.label_centre, top + 26, "[batch, source, d_model]")

    def _probabilities(self) -> None:
        """From the decoder's output to a probability for each word of the vocabulary."""
        x, frame = RIGHT.centre, ceiling(self._decoder) + _TITLE
        self._canvas.arrow((x, frame - _TITLE), (x, frame), head=False)
        below = frame
        hidden, scores = "[batch, target, d_model]", "[batch, target, vocab]"
        for (step, up), shape in zip(self._top, (hidden, scores, scores), strict=True):
            self._edge(x, below, up, shape)
            if step.block is None:
                self._canvas.lines(x, up + step.height / 2, step.lines, bold=True)
            else:
                self._box(step, up, RIGHT.boxes, "output")
            below = up + step.height

    def _inside(self) -> None:
        """The corner above the encoder: what is inside each attention, h heads side by side."""
        canvas, x = self._canvas, LEFT.centre
        floor = ceiling(self._encoder) + _TITLE + 26
        boxes = LEFT.boxes[0] - 6, LEFT.boxes[1]
        placed = stack(blocks.INSIDE, floor)
        top = ceiling(placed) + 10 + _TITLE
        self._frame("Inside attention", "multi-head-attention", LEFT.frame, floor, top, "weights")
        below = floor
        for step, up in placed:
            if step.block == "scaled-dot-product-attention":
                for letter, at in _abreast("QKV", x):
                    canvas.arrow((at, below), (at, up), ink=_THING[letter])
                for offset in (4, 2):  # the cards behind: one for each further head
                    canvas.box(boxes[0] + offset, up + offset, boxes[1] - boxes[0], step.height, line="weights")
            else:
                self._into(step, below, up, x)
            self._box(step, up, boxes, "weights")
            below = up + step.height
        canvas.arrow((x, below), (x, top - _TITLE))

    def _legend(self) -> None:
        """The letters of the shapes, in the corner above the encoder; the numbers are the paper's base model."""
        up = ceiling(self._top) - LINE_HEIGHT
        for line in _LEGEND:
            self._canvas.text(LEFT.frame[0], up, line, ink="muted", anchor="start")
            up -= 1.4 * LINE_HEIGHT

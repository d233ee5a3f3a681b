"""The residual stream of one layer, with the norm on it (the paper) and beside it (pre-norm)."""

from blockbyblock.figures.svg import Canvas, Figure, Length

_PANEL = 178.0
_STREAM, _BRANCH = 132.0, 52.0  # within a panel: the path of a vector, and what it passes to be added to
_BOX = (92.0, 24.0)
_STAGE = 112.0  # one sublayer
_FOOT = 34.0


def residual_stream_figure() -> Figure:
    """A vector on its way through one encoder layer, once in post-norm and once in pre-norm order."""
    alt = (
        "The way of a vector through one encoder layer, drawn as one thick line upwards. On the left, the paper's"
        " post-norm: attention reads the vector, its result is added to the line, and a norm stands on the line itself;"
        " the same follows with the feed-forward network. On the right, pre-norm: a norm stands in front of attention"
        " and of the feed-forward network, beside the line. The line passes both untouched, and is only added to."
    )
    canvas = Canvas(2 * _PANEL, _FOOT + 2 * _STAGE + 42)
    for left, title, pre_norm in ((0.0, "post-norm (the paper)", False), (_PANEL, "pre-norm", True)):
        canvas.text(left + _PANEL / 2, canvas.height - 8, title, bold=True)
        canvas.text(left + _STREAM, 12, "x", ink="output", bold=True)
        canvas.arrow((left + _STREAM, 22), (left + _STREAM, canvas.height - 22), ink="output", thick=True)
        for place, name in enumerate(("Attention", "Feed-forward")):
            _sublayer(canvas, left, _FOOT + place * _STAGE, name, pre_norm)
    return Figure.described(canvas, alt)


def _sublayer(canvas: Canvas, left: Length, foot: Length, name: str, pre_norm: bool) -> None:
    """A branch that leaves the stream, passes a sublayer and is added; a norm in the branch or on the stream."""
    width, height = _BOX
    stream, branch, plus = left + _STREAM, left + _BRANCH, foot + 82
    box = foot + 44 if pre_norm else foot + 28
    entry = foot + 14 if pre_norm else box
    canvas.arrow((stream, foot), (branch, foot), (branch, entry), ink="muted")
    if pre_norm:
        canvas.box(branch - width / 2, entry, width, 18, line="output")
        canvas.text(branch, entry + 9, "Norm")
        canvas.arrow((branch, entry + 18), (branch, box), ink="muted")
    canvas.box(branch - width / 2, box, width, height, line="encoder")
    canvas.text(branch, box + height / 2, name)
    canvas.arrow((branch, box + height), (branch, plus), (stream - 8, plus), ink="muted")
    canvas.plus(stream, plus, 8)
    if not pre_norm:
        canvas.box(stream - 30, plus + 11, 60, 15, line="output")
        canvas.text(stream, plus + 18.5, "Norm")

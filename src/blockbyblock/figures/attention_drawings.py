"""The drawings of scaled dot-product attention and of multi-head attention, after the paper's Figure 2."""

from blockbyblock.figures.svg import Canvas, Figure, Length

_WIDTH = 360.0
_ROW = 24.0  # height of a box with one line
_STRIDE = 56.0  # from one box to the next, with a shape between them


def attention_figure() -> Figure:
    """Scaled dot-product attention: MatMul, Scale, Mask (optional), SoftMax, MatMul (the paper's Figure 2, left)."""
    alt = (
        "Scaled dot-product attention. Query [batch, query, d_k] and key [batch, key, d_k] are multiplied to scores"
        " [batch, query, key]; these are divided by the square root of d_k, masked where a mask is given, and turned by"
        " softmax over the keys into weights of the same shape. The weights times value [batch, key, d_v] give the"
        " output [batch, query, d_v]."
    )
    canvas = Canvas(_WIDTH, 400)
    left, width, centre, value = 24.0, 160.0, 104.0, 304.0
    for x, letter, name, shape in (
        (62.0, "Q", "query", "[batch, query, d_k]"),
        (188.0, "K", "key", "[batch, key, d_k]"),
        (value, "V", "value", "[batch, key, d_v]"),
    ):
        canvas.text(x, 10, shape, ink="muted")
        canvas.text(x, 26, letter, ink=name, bold=True)
    canvas.arrow((62, 34), (62, 66), ink="query")
    canvas.arrow((188, 34), (188, 48), (146, 48), (146, 66), ink="key")
    up = 66.0
    for label, line, dashed, carries in (
        ("MatMul", "weights", False, "scores"),
        ("Scale: 1 / √d_k", "weights", False, "scores"),
        ("Mask (optional)", "mask", True, "scores"),
        ("SoftMax over keys", "weights", False, "weights"),
    ):
        canvas.box(left, up, width, _ROW, line=line, dashed=dashed)
        canvas.text(centre, up + _ROW / 2, label)
        canvas.arrow((centre, up + _ROW), (centre, up + _STRIDE), ink="weights")
        canvas.text(
            centre + 8, up + (_ROW + _STRIDE) / 2, f"{carries} [batch, query, key]", ink="muted", anchor="start"
        )
        up += _STRIDE
    canvas.arrow((value, 34), (value, up + _ROW / 2), (left + width, up + _ROW / 2), ink="value")
    canvas.box(left, up, width, _ROW, line="output")
    canvas.text(centre, up + _ROW / 2, "MatMul")
    _output(canvas, centre, up + _ROW, "[batch, query, d_v]")
    return Figure.described(canvas, alt)


def multi_head_figure() -> Figure:
    """Multi-head attention: three linear layers, h heads in parallel, Concat, Linear (the paper's Figure 2, right)."""
    alt = (
        "Multi-head attention. Query [batch, query, d_model], key and value [batch, key, d_model] each pass h linear"
        " layers, one for each head. The h heads compute scaled dot-product attention side by side, on query"
        " [batch, query, d_k], key [batch, key, d_k] and value [batch, key, d_v]. Their outputs, h times"
        " [batch, query, d_v], are joined to [batch, query, h*d_v], and a last linear layer gives"
        " [batch, query, d_model]."
    )
    canvas = Canvas(_WIDTH, 424)
    linear, heads = 66.0, 162.0  # heights of the lower edges
    for x, letter, name, length, width in (
        (52.0, "Q", "query", "query", "d_k"),
        (162.0, "K", "key", "key", "d_k"),
        (272.0, "V", "value", "key", "d_v"),
    ):
        canvas.lines(x, 17, (f"[batch, {length},", "d_model]"), ink="muted")
        canvas.text(x, 40, letter, ink=name, bold=True)
        canvas.arrow((x, 48), (x, linear), ink=name)
        canvas.arrow((x, linear + _ROW), (x, heads), ink=name)
        _cards(canvas, x - 46, linear, 92, _ROW, name)
        canvas.text(x, linear + _ROW / 2, "Linear")
        canvas.lines(x + 8, 130, ("h × [batch,", f"{length}, {width}]"), ink="muted", anchor="start")
    centre, up = 162.0, heads + 36
    canvas.arrow((centre, up), (centre, up + _STRIDE), ink="output")
    _cards(canvas, 6, heads, 312, 36, "weights")
    canvas.lines(centre, heads + 18, ("Scaled dot-product attention", "h heads in parallel"))
    canvas.text(centre + 8, up + 33, "h × [batch, query, d_v]", ink="muted", anchor="start")
    up += _STRIDE
    for label, shape in (("Concat", "[batch, query, h*d_v]"), ("Linear", "[batch, query, d_model]")):
        canvas.box(centre - 80, up, 160, _ROW, line="output")
        canvas.text(centre, up + _ROW / 2, label)
        if label == "Concat":
            canvas.arrow((centre, up + _ROW), (centre, up + _STRIDE), ink="output")
            canvas.text(centre + 8, up + (_ROW + _STRIDE) / 2, shape, ink="muted", anchor="start")
        else:
            _output(canvas, centre, up + _ROW, shape)
        up += _STRIDE
    return Figure.described(canvas, alt)


def _output(canvas: Canvas, x: Length, up: Length, shape: str) -> None:
    """The arrow out of the last box, with its shape, and what it carries."""
    canvas.arrow((x, up), (x, up + 34), ink="output")
    canvas.text(x + 8, up + 16, shape, ink="muted", anchor="start")
    canvas.text(x, up + 43, "Output", ink="output", bold=True)


def _cards(canvas: Canvas, x: Length, up: Length, width: Length, height: Length, line: str) -> None:
    """A box with two more behind it: one for each head."""
    for offset in (8.0, 4.0, 0.0):
        canvas.box(x + offset, up + offset, width, height, line=line)

"""Where a translation looked, drawn for a terminal or as a picture."""

import sys
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from blockbyblock.checks import check_positive

SHADES = " ░▒▓█"
ASCII_SHADES = " .:*#"


def choose(
    weights: Float[Tensor, "layers heads target source"], layer: int | None, head: int | None
) -> Float[Tensor, "target source"]:
    """The weights of one layer and head, counted from 1; not given: the last layer, the mean of its heads.

    Raises:
        ValueError: there is no such layer or head.
    """
    layers, heads = weights.shape[:2]
    for name, number, count in (("layer", layer, layers), ("head", head, heads)):
        if number is not None:
            check_positive(**{name: number})
            if number > count:
                raise ValueError(f"{name}={number}: the decoder has {count}, counted from 1")
    chosen = weights[layers - 1 if layer is None else layer - 1]
    return chosen.mean(0) if head is None else chosen[head - 1]


def label(layer: int | None, head: int | None) -> str:
    """What `choose` has chosen, in words."""
    layers = "last layer" if layer is None else f"layer {layer}"
    heads = "mean of heads" if head is None else f"head {head}"
    return f"{layers}, {heads}"


def text_map(written: Sequence[str], read: Sequence[str], weights: Float[Tensor, "target source"]) -> str:
    """A heat map in characters: a row per piece written, a column per piece read, shade and percent in each cell."""
    rows, columns = ([_shown(piece) for piece in side] for side in (written, read))
    shades = SHADES if _can_print(SHADES) else ASCII_SHADES
    margin = max(map(len, rows))
    widths = [max(5, len(column)) for column in columns]
    lines = [" ".join([" " * margin, *(f"{column:>{width}}" for column, width in zip(columns, widths, strict=True))])]
    for row, values in zip(rows, weights.tolist(), strict=True):
        cells = [f"{_cell(value, shades):>{width}}" for value, width in zip(values, widths, strict=True)]
        lines.append(" ".join([f"{row:>{margin}}", *cells]).rstrip())
    return "\n".join(lines)


def save_picture(
    written: Sequence[str], read: Sequence[str], weights: Float[Tensor, "target source"], path: str, title: str
) -> None:
    """The same as a picture; the file's ending decides its kind."""
    import matplotlib.pyplot as plt  # here, as it takes a second that a translation need not wait

    from blockbyblock.figures import heatmap, style

    rows, columns = ([_shown(piece) for piece in side] for side in (written, read))
    with style():
        figure, axes = plt.subplots(figsize=(1.6 + 0.5 * len(columns), 1.2 + 0.4 * len(rows)))
        heatmap(axes, weights, rows, columns)
        axes.set(xlabel="read", ylabel="written", title=title)
        figure.savefig(path)
    plt.close(figure)


def _cell(value: float, shades: str) -> str:
    percent = round(100 * value)
    return f"{shades[min(len(shades) - 1, int(value * len(shades)))]}{percent:3d}" if percent else ""


def _shown(piece: str) -> str:
    """A piece of text without the space that it may begin with; one that is nothing else is shown as its code."""
    text = piece.strip()
    return text if text.isprintable() and text else ascii(piece)[1:-1]


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True

"""Plots in one style: drawn in the palette's colours, readable on a phone, shown with a text alternative."""

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import QuadMesh
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from numpy.typing import ArrayLike
from PIL import Image

from blockbyblock.figures.palette import colour
from blockbyblock.figures.svg import FONT_FAMILY

PHONE_WIDTH = 343  # px that a figure has on a screen of 375 px
SMALLEST_TEXT = 9  # px on that screen
FULL_TINT = 0.55  # opacity of a heat map's largest value: the most at which ink stays readable (4.5:1) in both themes
_MATPLOTLIB_RULE = "*{stroke-linejoin: round; stroke-linecap: butt}"
_LEVELS = 64
_MOST_NUMBERED_COLUMNS = 8
_NUMBER_SIZE = 9.5

# Lines that stand for no thing of the book take these in turn; a line for a thing takes its colour by name.
_CYCLE = cycler(color=[colour(name) for name in ("ink", "accent", "muted", "line")]) + cycler(
    linestyle=["-", "--", ":", "-."]
)

_STYLE: Any = {  # matplotlib types the keys as literals, and only since 3.11
    "figure.figsize": (4.6, 3.0),  # 331 pt: about as wide as a phone, so that 10 pt stay 10 px there
    "figure.facecolor": colour("paper"),
    "figure.constrained_layout.use": True,
    "axes.facecolor": colour("paper"),
    "axes.edgecolor": colour("line"),
    "axes.labelcolor": colour("ink"),
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": _CYCLE,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": colour("line"),
    "grid.alpha": 0.25,
    "text.color": colour("ink"),
    "xtick.color": colour("line"),
    "xtick.labelcolor": colour("ink"),
    "xtick.labelsize": 10,
    "ytick.color": colour("line"),
    "ytick.labelcolor": colour("ink"),
    "ytick.labelsize": 10,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 2,
    "lines.markersize": 5,
    "patch.edgecolor": colour("line"),
    "hatch.color": colour("mask"),
    "hatch.linewidth": 0.8,
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same widths on every machine
    "font.size": 11,
    "svg.fonttype": "none",  # text stays text
}


def style() -> AbstractContextManager[None]:
    """Give plots the book's look: a context in which figures are made."""
    return mpl.rc_context(_STYLE)


def show(figure: Figure, alt: str) -> None:
    """Display a figure as SVG and PNG with its text alternative, and close it.

    Equal figures give equal SVG on one machine, whenever they are drawn.

    Arguments:
        figure: made inside `with style():`.
        alt: what the figure shows, in a sentence or two.

    Raises:
        ValueError: if `alt` is empty, if an axis that shows ticks has no label, or if a text would be too small to read
            on a phone. The figure is closed in each case.
    """
    try:
        if not alt.strip():
            raise ValueError("the figure has no text alternative: pass alt, a sentence that says what it shows")
        _require_labels(figure)
        _require_legible(figure)
        bundle = {"image/svg+xml": _svg(figure, alt), "image/png": _png(figure), "text/plain": alt}
    finally:
        plt.close(figure)
    from IPython.display import display  # here, so that the package needs no notebook to be imported

    display(bundle, raw=True)  # type: ignore[no-untyped-call]


def heatmap(
    axes: Axes,
    weights: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    allowed: ArrayLike | None = None,
    largest: float = 1.0,
    numbers: bool | None = None,
) -> QuadMesh:
    """Draw a matrix of weights, tokens at its edges: from paper at 0 to a tint of the colour of weights at `largest`.

    Cells are vector shapes in one colour of growing opacity, so that on a page they follow light and dark.

    Arguments:
        axes: where to draw; made inside `with style():`.
        weights: [query, key], each between 0 and `largest`.
        rows: the query tokens.
        columns: the key tokens.
        allowed: [query, key], True where attention is allowed; other cells are hatched. None allows all.
        largest: the value that has the full tint.
        numbers: whether to print each value; by default up to 8 columns. Without numbers a colour bar is drawn.

    Raises:
        ValueError: if the sizes do not agree, or a value is outside 0 to `largest`.
    """
    # A tensor that requires a gradient refuses to become an array by itself.
    values = np.asarray(weights.detach() if hasattr(weights, "detach") else weights, dtype=float)
    expected = (len(rows), len(columns))
    if values.shape != expected:
        raise ValueError(f"weights have the shape {values.shape}, but rows and columns name {expected} tokens")
    if not (
        values.min() >= 0 and values.max() <= largest * (1 + 1e-6)
    ):  # 1e-6: a float32 softmax may pass 1 by as much
        raise ValueError(f"weights go from {values.min():g} to {values.max():g}, outside 0 to {largest:g}")
    blocked = np.zeros(expected, dtype=bool) if allowed is None else ~np.asarray(allowed, dtype=bool)
    if blocked.shape != expected:
        raise ValueError(f"allowed has the shape {blocked.shape}, weights have {expected}")

    hue = to_rgb(colour("weights"))
    tints = ListedColormap([(*hue, opacity) for opacity in np.linspace(0, FULL_TINT, _LEVELS)])
    mesh = axes.pcolormesh(
        np.ma.masked_array(values, blocked), cmap=tints, vmin=0, vmax=largest, edgecolors=colour("paper"), linewidth=1
    )
    for row, column in np.argwhere(blocked):
        axes.add_patch(Rectangle((column, row), 1, 1, fill=False, hatch="////", linewidth=0))
    _name_cells(axes, rows, columns)
    if numbers if numbers is not None else len(columns) <= _MOST_NUMBERED_COLUMNS:
        for row, column in np.argwhere(~blocked):
            text = f"{values[row, column]:.2f}"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=_NUMBER_SIZE)
    else:
        bar = axes.figure.colorbar(mesh, ax=axes, label="weight")
        for part in bar.ax.collections:
            part.set_rasterized(False)  # matplotlib makes a picture of a bar with many levels: no theme could colour it
        bar.outline.set_visible(False)
    return mesh


def _name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Put tokens at the middle of their cells, first row on top, and name the axes."""
    slanted = max(map(len, columns), default=0) * len(columns) > 36
    axes.set_xticks(
        np.arange(len(columns)) + 0.5, columns, rotation=45 if slanted else 0, ha="right" if slanted else "center"
    )
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)
    axes.set(xlabel="key", ylabel="query")


def _require_labels(figure: Figure) -> None:
    shared = {"x": figure.get_supxlabel(), "y": figure.get_supylabel()}
    for number, axes in enumerate(figure.axes):
        for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
            if axes.axison and _has_ticks(axis) and not (axis.get_label_text() or shared[name]):
                raise ValueError(f"axes {number} of the figure has no {name} label: say what it is, and its unit")


def _has_ticks(axis: Axis) -> bool:
    """Whether the axis shows tick labels: the inner ones of shared axes do not, nor does a colour bar's empty side."""
    return axis.get_visible() and any(label.get_text() for label in axis.get_ticklabels())


def _require_legible(figure: Figure) -> None:
    points_wide = figure.get_figwidth() * 72
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            pixels = float(text.get_fontsize()) * PHONE_WIDTH / points_wide
            if pixels < SMALLEST_TEXT:
                raise ValueError(
                    f"the text {text.get_text()!r} would be {pixels:.1f} px high on a phone, less than {SMALLEST_TEXT}:"
                    f" make the figure narrower than {figure.get_figwidth():g} inches, or the text larger"
                )


def _svg(figure: Figure, alt: str) -> str:
    # The salt makes ids that depend on the content alone, and differ between figures with different alternatives.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": alt}):
        file = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", metadata=nothing)
    markup = file.getvalue()
    # Inlined in a page, matplotlib's own rule for `*` would reach every other drawing there.
    markup = markup.replace(f'<style type="text/css">{_MATPLOTLIB_RULE}</style>', "")
    markup = markup.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" ', 1)
    # The reader's own font, as in the drawings; matplotlib would name the one it measured with.
    return re.sub(r"'DejaVu Sans'(, [^;\"]*)?", FONT_FAMILY, markup)


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=144)
    few_colours = Image.open(file).convert("RGB").quantize(128)  # enough for a plot, and half of the bytes
    file = io.BytesIO()
    few_colours.save(file, format="png", optimize=True)
    return file.getvalue()

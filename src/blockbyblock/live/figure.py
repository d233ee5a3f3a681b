"""What every figure that moves is: a widget in a notebook, an element on a page, a table everywhere else.

One ES module draws the figure in both places and computes its own numbers. Python holds the values, which can be read,
set and linked like those of any other widget, and computes the same numbers with PyTorch: they fill the table that
stands in for the figure on GitHub, without JavaScript and on a page that is opened as a file.
"""

import json
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, ClassVar

from anywidget import AnyWidget

from blockbyblock.figures.palette import PALETTE
from blockbyblock.live.modules import joined

# Set while the notebooks are run to be stored: no channel to a browser is opened then, so that no widget state is kept.
STATIC = "BLOCKBYBLOCK_STATIC"
# Read on GitHub, in a notebook that has not been run, and on a page without JavaScript: it must be true in all of them.
# Where a page's module does not run, the page puts the reason in its place (book_site/scripts/still.js).
NOTE = (
    "This is the still version. The figure moves in a notebook, once its cell is run, and in the built book, where "
    "JavaScript is on: <code>make serve</code>."
)
_SIGNIFICANT_DIGITS = 6


def palette_css() -> str:
    """The palette's variables for a figure in a notebook, where the book's style sheet is not there.

    Dark values follow what JupyterLab, VS Code and Colab write on the page when their theme is dark. VS Code marks its
    light theme of high contrast with `vscode-high-contrast` too, and says that it is light beside it.
    """
    light, dark = (
        "".join(f"  --bbb-{name}: {getattr(pair, theme)};\n" for name, pair in PALETTE.items())
        for theme in ("light", "dark")
    )
    high_contrast = ".vscode-high-contrast:not(.vscode-high-contrast-light)"
    hosts = ('[data-jp-theme-light="false"]', ".vscode-dark", high_contrast, 'html[theme="dark"]')
    selector = ",\n".join(f"{host} .bbb-live" for host in hosts)
    return f".bbb-live {{\n{light}}}\n{selector} {{\n{dark}}}\n"


class LiveFigure(AnyWidget):
    """A figure that moves. A subclass names its module, declares its values, and says them in words and in a table.

    The values are the subclass's traits that are tagged `sync=True`; the module reads them by the same names.

    Attributes:
        module: the name of the ES module; its element is called `bbb-` and this name, with hyphens.
        room: the height that the figure takes on a page of the book, in px, on a wide screen and on a phone. It is kept
            from the start, so that the text below does not jump when the module begins.
    """

    module: ClassVar[str]
    room: tuple[int, int]
    _css = palette_css()

    def __init_subclass__(cls, **options: Any) -> None:
        if "module" in vars(cls):  # anywidget derives one more class from each, to which it has added `_esm` as a trait
            cls._esm = joined(cls.module)
        super().__init_subclass__(**options)

    def caption(self) -> str:
        """Return what the figure shows at its present values, in a sentence or two: the text alternative."""
        raise NotImplementedError

    def still(self) -> str:
        """Return the numbers of the figure at its present values, computed by PyTorch, as HTML."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """The values of the figure, floats rounded to six digits."""
        names = set(self.trait_names(sync=True)) - set(AnyWidget.class_trait_names())
        return {name: rounded(getattr(self, name)) for name in sorted(names) if not name.startswith("_")}

    def markup(self) -> str:
        """The figure as an element of a page: its values as JSON, and what stands in for it until its module runs."""
        tag = f"bbb-{self.module.replace('_', '-')}"
        data = json.dumps(self.state(), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        wide, narrow = self.room
        return (
            f'<{tag} class="bbb-live" style="--room: {wide}px; --room-narrow: {narrow}px">\n'
            f'<script type="application/json">{data}</script>\n'
            f"<p>{escape(self.caption(), quote=False)}</p>\n{self.still()}\n<p><small>{NOTE}</small></p>\n</{tag}>"
        )

    def open(self) -> None:
        """Open the channel to the browser, unless outputs are being made to be stored."""
        if not os.environ.get(STATIC):
            super().open()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        still = {"text/html": self.markup(), "text/plain": self.caption()}
        if os.environ.get(STATIC):
            return still
        data, metadata = super()._repr_mimebundle_(**options)  # type: ignore[misc]  # None only without a view's name
        return data | still, metadata


def visible(piece: str) -> str:
    """Write a token as people see it, as `visible` of figure.mjs does.

    The space before it is left out; a control character is its picture, any other that cannot be seen its code point.
    """
    text = piece.strip(" ")
    if not text:
        return "␣" * max(len(piece), 1)
    return "".join(_VISIBLE.get(each) or (_code(each) if _hidden(each) else each) for each in text)


_VISIBLE = {chr(code): chr(0x2400 + code) for code in range(32)} | {"\x7f": "␡"}
# What Unicode lets be passed over in silence, beside the characters of category Cf.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)


def _hidden(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind in ("Cc", "Cf", "Zl", "Zp") or (kind == "Zs" and character != " ") or bool(_IGNORABLE.match(character))


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"


def rounded(value: Any) -> Any:
    """Round every float in lists and dictionaries to six significant digits; leave all else as it is."""
    if isinstance(value, float):
        return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list | tuple) else value


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table; the first cell of each row names the row. Texts are escaped."""

    def cells(tag: str, texts: Iterable[str], scope: str = "") -> str:
        return "".join(f"<{tag}{scope}>{escape(text, quote=False)}</{tag}>" for text in texts)

    body = "\n".join(f"<tr>{cells('th', row[:1], ' scope=row')}{cells('td', row[1:])}</tr>" for row in rows)
    top, name = cells("th", head, " scope=col"), escape(caption, quote=False)
    return f"<table>\n<caption>{name}</caption>\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"

"""A small canvas for the book's drawings: boxes, arrows and text as accessible inline SVG, and the figure around it.

Heights are measured upwards from the bottom edge, because data flows upwards in the paper's figures. Nothing in a
drawing has an id, so any number of figures can stand on one page. Colours are the palette's light ones; the built page
themes them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

from blockbyblock.figures.chapters import Chapter
from blockbyblock.figures.palette import colour

FONT_FAMILY = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', Arial, sans-serif"
FONT_SIZE = 12  # in drawings about 350 units wide: 11 px or more on a screen of 375 px
LINE_HEIGHT = 14
_HEAD_LENGTH, _HEAD_HALF_WIDTH = 6.0, 3.5
TINT = 0.1  # how much of its line's colour fills a box

Length = float | int  # both said: the tests check types at run time, and there an int is no float
Point = tuple[Length, Length]


def _number(value: Length) -> str:
    """Write a coordinate with at most two decimals, so that the markup is short and the same on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


class Canvas:
    """Collects SVG elements; `svg` gives the finished drawing. Sizes are in the units of the view box."""

    def __init__(self, width: Length, height: Length) -> None:
        self.width = width
        self.height = height
        self._parts: list[str] = []

    def _y(self, up: Length) -> str:
        return _number(self.height - up)

    def text(
        self,
        x: Length,
        up: Length,
        content: str,
        *,
        ink: str = "ink",
        anchor: str = "middle",
        bold: bool = False,
        clear: Length = 0,
        style: str = "",
    ) -> None:
        """Write one line whose middle is `up` above the bottom.

        `clear` is the width of a strip of paper behind its middle, which interrupts an arrow there; `style` names a
        class of the figure's own rules.
        """
        chosen = f' class="{style}"' if style else ""
        weight = ' font-weight="700"' if bold else ""
        if clear:
            self._parts.append(
                f'<rect x="{_number(x - clear / 2)}" y="{self._y(up + LINE_HEIGHT / 2)}" width="{_number(clear)}"'
                f' height="{LINE_HEIGHT}" fill="{colour("paper")}"/>'
            )
        y = _number(self.height - up + FONT_SIZE * 0.36)
        self._parts.append(
            f'<text{chosen} x="{_number(x)}" y="{y}" fill="{colour(ink)}" text-anchor="{anchor}"{weight}>'
            f"{escape(content, quote=False)}</text>"
        )

    def lines(
        self,
        x: Length,
        up: Length,
        contents: Sequence[str],
        *,
        ink: str = "ink",
        anchor: str = "middle",
        bold: bool = False,
    ) -> Length:
        """Write lines one below the other around the height `up`; return the height of the last line's middle."""
        top = up + (len(contents) - 1) * LINE_HEIGHT / 2
        for number, content in enumerate(contents):
            self.text(x, top - number * LINE_HEIGHT, content, ink=ink, anchor=anchor, bold=bold)
        return top - (len(contents) - 1) * LINE_HEIGHT

    def box(
        self,
        x: Length,
        up: Length,
        width: Length,
        height: Length,
        *,
        line: str = "line",
        lit: bool = False,
        tinted: bool = True,
        dashed: bool = False,
    ) -> None:
        """Draw a rounded rectangle with its lower left corner at (x, up).

        It is filled with paper and, where `tinted`, a little of its line's colour. A lit one is filled with the
        highlight colour and has a thick outline.
        """
        corner, size = (_number(x), self._y(up + height)), (_number(width), _number(height))
        shape = f'<rect x="{corner[0]}" y="{corner[1]}" width="{size[0]}" height="{size[1]}" rx="4"'
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        if lit:
            fill, outline, thickness = "highlight", "accent", "3"
        else:
            fill, outline, thickness = "paper", line, "1.2"
        self._parts.append(
            f'{shape} fill="{colour(fill)}" stroke="{colour(outline)}" stroke-width="{thickness}"{dashes}/>'
        )
        if tinted and not lit:
            self._parts.append(f'{shape} fill="{colour(line)}" fill-opacity="{TINT}"/>')

    def plus(self, x: Length, up: Length, radius: Length) -> None:
        """Draw the circled plus sign of an addition, centred at (x, up)."""
        arm = radius * 0.6
        middle_x, middle_y = _number(x), self._y(up)
        across = f"M{_number(x - arm)} {middle_y}H{_number(x + arm)}"
        upright = f"M{middle_x} {self._y(up - arm)}V{self._y(up + arm)}"
        stroke = f'stroke="{colour("ink")}" stroke-width="1.2"'
        self._parts.append(
            f'<circle cx="{middle_x}" cy="{middle_y}" r="{_number(radius)}" fill="{colour("paper")}" {stroke}/>'
            f'<path d="{across}{upright}" {stroke}/>'
        )

    def arrow(
        self, *points: Point, ink: str = "muted", head: bool = True, dashed: bool = False, thick: bool = False
    ) -> None:
        """Draw straight pieces through the points (x, up), with a head at the last one.

        Pieces run along an axis, as every arrow of our drawings does.
        """
        *start, (x, up) = points
        if head:
            before_x, before_up = start[-1]
            along_x = (x > before_x) - (x < before_x)
            along_up = (up > before_up) - (up < before_up)
            scale = 1.8 if thick else 1.0
            base_x, base_up = x - along_x * scale * _HEAD_LENGTH, up - along_up * scale * _HEAD_LENGTH
            side_x, side_up = along_up * scale * _HEAD_HALF_WIDTH, along_x * scale * _HEAD_HALF_WIDTH
            tip = f"{_number(x)} {self._y(up)}"
            left = f"{_number(base_x - side_x)} {self._y(base_up - side_up)}"
            right = f"{_number(base_x + side_x)} {self._y(base_up + side_up)}"
            self._parts.append(f'<path d="M{tip}L{left}L{right}Z" fill="{colour(ink)}"/>')
            points = (*start, (base_x, base_up))
        path = "L".join(f"{_number(x)} {self._y(up)}" for x, up in points)
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        self._parts.append(
            f'<path d="M{path}" fill="none" stroke="{colour(ink)}" stroke-width="{"5" if thick else "1.5"}"{dashes}/>'
        )

    @contextmanager
    def link(self, chapter: Chapter | None) -> Iterator[None]:
        """Make what is drawn inside one link to a chapter; without one, or before it is written, draw it as it is."""
        linked = chapter is not None and chapter.written
        if chapter is not None and linked:
            title = escape(f"Chapter {chapter.number}: {chapter.title}", quote=False)
            self._parts.append(f'<a href="{chapter.file_name}"><title>{title}</title>')
        yield
        if linked:
            self._parts.append("</a>")

    def svg(self, label: str) -> str:
        """The drawing as one `<svg>` element whose accessible name is `label`.

        With links inside it is a group: an image would hide them from assistive technology.
        """
        body = "\n".join(self._parts)
        role = "group" if "<a " in body else "img"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_number(self.width)} {_number(self.height)}"'
            f' role="{role}" aria-label="{escape(label)}" font-family="{FONT_FAMILY}" font-size="{FONT_SIZE}">\n'
            f"{body}\n</svg>"
        )


# These rules travel with each figure, because a notebook has no style sheet of ours.
_RULES = f"""\
.bbb-figure {{ max-width: 28rem; margin: 0; background: {colour("paper")}; color: {colour("ink")} }}
.bbb-figure svg {{ display: block; width: 100%; height: auto }}
.bbb-figure .bbb-words {{ display: none }}
.bbb-figure figcaption {{ margin: 0.25rem 0 0; font-size: 0.85rem; font-weight: 400; color: {colour("muted")} }}
.bbb-figure a .bbb-number, .bbb-figure a:hover text {{ text-decoration: underline }}
.bbb-figure a:focus {{ outline: none }}
.bbb-figure a:hover rect, .bbb-figure a:focus-visible rect {{ stroke: {colour("ink")}; stroke-width: 3 }}"""


@dataclass(frozen=True)
class Figure:
    """A drawing that a notebook displays, with what stands in for it where it cannot be seen.

    What a reader sees:
        on a page of the book, and in a trusted notebook: the drawing, its links working;
        in an untrusted notebook or on GitHub, where SVG and styles are removed: `words`, the same content as HTML text
            and links (some viewers then let the drawing's labels run on as a line of text after it);
        in a terminal: `plain`.
    `words` comes first in the HTML, and a style that is removed together with the drawing hides it.
    """

    svg: str
    words: str
    plain: str
    caption: str = ""

    @classmethod
    def described(cls, canvas: Canvas, alt: str) -> "Figure":
        """A drawing whose one sentence or two say all that it shows."""
        return cls(canvas.svg(alt), f"<p>{escape(alt, quote=False)}</p>", alt)

    @property
    def html(self) -> str:
        """The HTML of the figure, complete in itself: no id, no script, no other file."""
        caption = f"\n<figcaption>{self.caption}</figcaption>" if self.caption else ""
        return (
            f'<figure class="bbb-figure">\n<style>\n{_RULES}\n</style>\n'
            f'<div class="bbb-words">\n{self.words}\n</div>\n{self.svg}{caption}\n</figure>'
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.plain}

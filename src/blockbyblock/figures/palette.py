"""The colours of the book: one for each thing, in light and in dark, kept in this one place.

A figure is drawn in the light colours exactly as they stand here. Outside the book (a notebook, a picture file) it is
shown so. On a page of the book `themed` turns each of them into a CSS variable, and `css` gives the variables their
light and dark values. A figure therefore never asks which theme it is in.

The eight colours of things came out of a search over hues close to the Okabe-Ito palette: each is at least 4.5:1 on
paper and on surface, and any two stay apart for readers with protanopia or deuteranopia. They are still never the only
carrier of a meaning: a letter, a label or a place says the same.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Colour:
    """One colour in its two versions, each written "#rrggbb"."""

    light: str
    dark: str


PALETTE: dict[str, Colour] = {
    # Things: these carry text and lines.
    "query": Colour("#17479e", "#4b86fd"),
    "key": Colour("#a84300", "#fa8b44"),
    "value": Colour("#0f7d68", "#8dfaab"),
    "weights": Colour("#8a54b9", "#b89ff3"),
    "output": Colour("#7d1453", "#e07bb0"),
    "mask": Colour("#322f2b", "#c1bdb1"),
    "encoder": Colour("#00647f", "#7adcf0"),
    "decoder": Colour("#932010", "#e0694c"),
    # The page: text, quiet text, lines, backgrounds; accent for focus and the lit block's outline, highlight its fill.
    "ink": Colour("#1b2430", "#e6e9ed"),
    "muted": Colour("#55606e", "#a7b0bb"),
    "line": Colour("#78828f", "#7f8894"),
    "paper": Colour("#ffffff", "#121212"),
    "surface": Colour("#f4f5f7", "#1f2226"),
    "accent": Colour("#8a5a00", "#ffcf4d"),
    "highlight": Colour("#fff2c8", "#2b2300"),
    # A scale for signed numbers: below zero, zero, above. The same in both themes, and in grey tones still in order.
    "low": Colour("#143c96", "#143c96"),
    "middle": Colour("#a6abb5", "#a6abb5"),
    "high": Colour("#ffdc5e", "#ffdc5e"),
}

_NAME_OF_LIGHT = {pair.light.lower(): name for name, pair in PALETTE.items()}

# A variable that is there already is matched whole and so passed over. A colour is six digits that end there, and is
# neither the tail of an address nor a character reference.
_HEX = re.compile(r"var\(--bbb-[^)]*\)|(?<![\w&])#[0-9a-f]{6}(?![\w-])", re.IGNORECASE)


def colour(name: str) -> str:
    """The light hex of a palette colour, the one to draw with.

    Raises:
        KeyError: if the palette has no such name; the message lists the names.
    """
    if name not in PALETTE:
        raise KeyError(f"no colour {name!r} in the palette; it has {', '.join(PALETTE)}")
    return PALETTE[name].light


def css() -> str:
    """Custom properties `--bbb-NAME` for every colour: light on `:root`, dark on `html[data-theme="dark"]`."""
    light = "".join(f"  --bbb-{name}: {pair.light};\n" for name, pair in PALETTE.items())
    dark = "".join(f"  --bbb-{name}: {pair.dark};\n" for name, pair in PALETTE.items())
    return f':root {{\n{light}}}\nhtml[data-theme="dark"] {{\n{dark}}}\n'


def themed(markup: str) -> str:
    """Replace each light colour of the palette in an SVG or HTML text by `var(--bbb-NAME, #hex)`.

    Upper and lower case are the same; other colours stay as they are; text that has been themed is not changed again.
    """

    def variable(match: re.Match[str]) -> str:
        name = _NAME_OF_LIGHT.get(match[0].lower())
        return match[0] if name is None else f"var(--bbb-{name}, {match[0]})"

    return _HEX.sub(variable, markup)

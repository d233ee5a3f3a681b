"""Files of the build that are made, not written: the palette's CSS, the icons in use, the formulas' engine."""

import re
from importlib.metadata import distribution
from pathlib import Path
from shutil import copy2, copytree
from typing import Any

import pydata_sphinx_theme
from fontTools import subset
from sphinx.application import Sphinx

from blockbyblock.figures import palette

# The icons of the theme's buttons, by code point. Any other one still works: the browser then fetches the full font.
ICONS = {
    "solid-900": {
        "angle-left": 0xF104,
        "angle-right": 0xF105,
        "arrow-up": 0xF062,
        "bars": 0xF0C9,
        "chevron-down": 0xF078,
        "circle-half-stroke": 0xF042,
        "code": 0xF121,
        "download": 0xF019,
        "file": 0xF15B,
        "file-pdf": 0xF1C1,
        "lightbulb": 0xF0EB,
        "list": 0xF03A,
        "magnifying-glass": 0xF002,
        "moon": 0xF186,
        "outdent": 0xF03B,
        "pencil": 0xF303,
        "sun": 0xF185,
    },
    "brands-400": {"github": 0xF09B},
}
FAMILY = {"solid-900": "Font Awesome 6 Free", "brands-400": "Font Awesome 6 Brands"}
ICON_SCRIPT = re.compile(r'\s*<script defer src="[^"]*/fontawesome\.js[^"]*"></script>')


def write_styles(app: Sphinx) -> None:
    """Write the palette as custom properties, and the font faces of the icons."""
    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    faces = [write_icons(static, font) for font in ICONS]
    (static / "generated.css").write_text("\n".join([palette.css(), *faces]), encoding="utf-8")
    app.add_css_file("generated.css")


def write_icons(static: Path, font: str) -> str:
    """Cut the theme's icon font down to the icons in use: 4 kB in place of 150. Return its font face."""
    theme = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
    options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True)
    face = subset.load_font(theme / "vendor" / "fontawesome" / "webfonts" / f"fa-{font}.ttf", options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=ICONS[font].values())
    subsetter.subset(face)
    subset.save_font(face, static / f"icons-{font}.woff", options)
    characters = ", ".join(f"U+{code:X}" for code in sorted(ICONS[font].values()))
    weight = font.rpartition("-")[2]
    return (
        f'@font-face {{ font-family: "{FAMILY[font]}"; font-weight: {weight}; font-display: block;\n'
        f'  src: url("icons-{font}.woff") format("woff"); unicode-range: {characters}; }}\n'
    )


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Copy one bundle of MathJax, its fonts and its optional TeX extensions, out of the pip package's 24 MB."""
    if exception is None:
        source = Path(str(distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline/static/mathjax")))
        target = Path(app.outdir) / "_static" / "mathjax"
        for part in ("output/chtml/fonts/woff-v2", "input/tex/extensions"):
            copytree(source / part, target / part, dirs_exist_ok=True)
        copy2(source / "tex-chtml.js", target)


def without_icon_script(markup: str) -> str:
    """Drop the theme's 1.5 MB script that redraws each icon as SVG: the icon font alone shows the same."""
    return ICON_SCRIPT.sub("", markup)


def add_filter(app: Sphinx) -> None:
    """Offer `without_icon_script` to the templates."""
    templates: Any = app.builder.templates
    templates.environment.filters["without_icon_script"] = without_icon_script


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.connect("builder-inited", write_styles)
    app.connect("builder-inited", add_filter)
    app.connect("build-finished", copy_mathjax)

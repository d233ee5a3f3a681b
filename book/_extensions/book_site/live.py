"""Figures that move: the modules of `blockbyblock.live`, written beside the pages and loaded where one is used.

On a page a figure is an element such as <bbb-attention>. Its module draws over what stands in the element, or does not
run: then the element shows its own table, and scripts/still.js says why.

A module is published as .js, whatever its source is called: some servers know no type for .mjs, and a browser runs no
module without the right one. Jupyter Book makes classic scripts of the .js files in a folder _static of the sources;
this folder is one of the output.
"""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from blockbyblock.live.modules import joined, module_names

ELEMENT = re.compile(r"<bbb-([\w-]+)")
STILL = (Path(__file__).parent / "scripts" / "still.js").read_text(encoding="utf-8")


def write_modules(site: Path) -> None:
    """Write each module, in one piece, where the pages of the built site find it."""
    folder = site / "_static" / "live"
    folder.mkdir(parents=True, exist_ok=True)
    for name in module_names():
        (folder / f"{name}.js").write_text(joined(name), encoding="utf-8")


def used(body: str) -> list[str]:
    """Name the modules whose elements stand on a page."""
    elements = {found.replace("-", "_") for found in ELEMENT.findall(body)}
    return [name for name in module_names() if name in elements]


def load(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Load the modules that a page uses, and no others; Sphinx adds the hash of their content to the address."""
    names = used(context.get("body", ""))
    if names:
        app.add_js_file(None, body=STILL)  # before the modules, of whose failure it tells
    for name in names:
        app.add_js_file(f"live/{name}.js", type="module", onerror="figureStandsStill(this)")


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.connect("builder-inited", lambda app: write_modules(Path(app.outdir)))
    app.connect("html-page-context", load)

"""Figures that move: the modules of `blockbyblock.live`, written beside the pages and loaded where one is used.

On a page a figure is an element such as <bbb-attention>. Its module draws over what stands in the element, or does not
run: without JavaScript, and on a page opened as a file, the element shows its own table.
"""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from blockbyblock.live.modules import joined, module_names

ELEMENT = re.compile(r"<bbb-([\w-]+)")
# Where modules do not run, the room that is kept for the moving figure is given back (book.css).
NOT_RUN = "document.documentElement.classList.add('figures-still')"


def write_modules(app: Sphinx) -> None:
    """Write each module, in one piece, where the pages find it."""
    folder = Path(app.outdir) / "_static" / "live"
    folder.mkdir(parents=True, exist_ok=True)
    for name in module_names():
        (folder / f"{name}.mjs").write_text(joined(name), encoding="utf-8")


def used(body: str) -> list[str]:
    """Name the modules whose elements stand on a page."""
    elements = {found.replace("-", "_") for found in ELEMENT.findall(body)}
    return [name for name in module_names() if name in elements]


def load(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Load the modules that a page uses, and no others; Sphinx adds the hash of their content to the address."""
    for name in used(context.get("body", "")):
        app.add_js_file(f"live/{name}.mjs", type="module", onerror=NOT_RUN)


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.connect("builder-inited", write_modules)
    app.connect("html-page-context", load)

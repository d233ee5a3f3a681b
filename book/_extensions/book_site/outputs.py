"""Outputs of notebooks, made ready for the page before the notebook is parsed.

A plot is stored as SVG with its text alternative as plain text. On the page the SVG stands in the HTML itself, so that
its colours can follow light and dark, as a figure with that alternative. Links in HTML outputs lead to notebooks in
Jupyter and to pages here.
"""

import json
import re
from html import escape
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

from blockbyblock.figures.palette import themed

logger = logging.getLogger(__name__)

SOLUTION = "exercise-solution"
WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_NOTE = '<p class="live-note">In a running notebook, this cell shows controls.</p>'
NOTEBOOK_LINK = re.compile(r"""(href=["'](?!https?:)[^"'#]+)\.ipynb(["'#])""")
IDENTIFIER = re.compile(r'((?:\bid=")|(?:href="#)|(?:url\(#))([^")]+)')
PROLOGUE = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
SIZE = re.compile(r'(<svg\b[^>]*?) height="[\d.]+(?:pt|px)?"')


def prepare(app: Sphinx, docname: str, source: list[str]) -> None:
    """Rewrite the outputs of a notebook that is about to be parsed."""
    if app.env.doc2path(docname, base=False).endswith(".ipynb"):
        notebook = json.loads(source[0])
        notebook["metadata"].pop("widgets", None)  # their state; without a kernel it would only cost bytes
        for cell in notebook["cells"]:
            if SOLUTION in cell["metadata"].get("tags", []):
                cell["metadata"]["mystnb"] = {"code_prompt_show": "Solution", "code_prompt_hide": "Solution"}
            for number, output in enumerate(cell.get("outputs", [])):
                if "data" in output:
                    where = f"{cell['id']}-{number}"
                    output["data"] = page_bundle(output["data"], where, docname)
        source[0] = json.dumps(notebook)


def page_bundle(bundle: dict[str, Any], where: str, docname: str = "") -> dict[str, Any]:
    """Return the mime bundle that the page shows; `where` names the output and prefixes the ids inside its SVG."""
    if "text/html" in bundle:
        return bundle | {"text/html": page_html(text(bundle["text/html"]))}
    if "image/svg+xml" in bundle:
        alternative = text(bundle.get("text/plain", ""))
        if not alternative or alternative.startswith("<"):
            logger.warning("output %s has no text alternative: pass it to plots.show", where, location=docname)
        return {"text/html": figure(text(bundle["image/svg+xml"]), alternative, where)}
    if WIDGET in bundle:
        return {"text/html": WIDGET_NOTE}
    return bundle


def text(value: str | list[str]) -> str:
    """Join a text that the notebook format may store as a list of lines."""
    return value if isinstance(value, str) else "".join(value)


def page_html(markup: str) -> str:
    """Make an HTML output's links lead to pages, its drawings follow the theme, its tables scroll in their own box."""
    markup = NOTEBOOK_LINK.sub(r"\1.html\2", markup)
    if "<svg" in markup:
        markup = themed(markup)
    elif "<table" in markup and not markup.startswith("<bbb-"):  # a figure that moves keeps its table inside
        # The theme makes a box of this class reachable by keyboard while it is wider than the page.
        markup = f'<div class="pst-scrollable-table-container">{markup}</div>'
    return markup


def figure(svg: str, alternative: str, prefix: str) -> str:
    """Wrap a drawing as a figure that a screen reader announces by its alternative.

    The ids inside are prefixed: two plots on a page share the names of their glyphs and clip paths.
    """
    svg = SIZE.sub(r"\1", PROLOGUE.sub("", svg))
    svg = IDENTIFIER.sub(rf"\g<1>{prefix}-\2", svg)
    svg = svg.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)
    return f'<figure class="plot" role="img" aria-label="{escape(alternative, quote=True)}">{themed(svg)}</figure>'


def name_folds(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Let a fold be announced by the words that it shows: MyST-NB names each one "Toggle hidden content"."""
    if "body" in context:
        context["body"] = context["body"].replace(' aria-label="Toggle hidden content"', "")


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.connect("source-read", prepare)
    app.connect("html-page-context", name_folds)

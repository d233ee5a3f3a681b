"""Room for formulas: each one gets its place before MathJax has drawn it, so that the text does not jump.

The sizes are estimates from the TeX source, in em of the surrounding text. An error only costs a small shift.
"""

import re
from collections.abc import Callable
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.mathjax import html_visit_displaymath, html_visit_math
from sphinx.writers.html5 import HTML5Translator

PADDING = 0.6  # above and below a display formula (book.css)
LINE = 1.2  # height of a row of symbols
TALL = {r"\\d?frac": 1.35, r"\\(?:sum|prod)": 1.7, r"\\underbrace": 1.3}  # what each adds to the height of its row
SYMBOL, CAPITAL = 0.52, 0.78  # width of a symbol
SCRIPT = 0.7  # scale of a subscript or superscript
SPACED = 0.55  # space around a relation or a binary operator
OPERATORS = {"=", "+", "-", "<", ">", r"\in", r"\times", r"\cdot", r"\le", r"\leq", r"\ge", r"\geq", r"\to", r"\approx"}
NAMES = {r"\exp": 3, r"\max": 3.3, r"\min": 3, r"\log": 2.7, r"\sin": 2.5, r"\cos": 2.7, r"\ldots": 2.5, r"\quad": 2}
NAMES |= {r"\sqrt": 1.6, r"\infty": 1.9, r"\sum": 2}  # in symbols
SILENT = re.compile(r"\\(?:left|right|mathrm|mathbf|mathbb|mathcal|boldsymbol|operatorname|text|[bB]ig|[,;!])\*?")
NUMERATOR = re.compile(r"\\frac\{[^{}]*\}")
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\S")
ROW = re.compile(r"\\\\(?:\[[^\]]*\])?|\n\s*\n")


def width(tex: str) -> float:
    """Estimate how wide an inline formula will be, in em."""
    total, scale, depth, script_depth = 0.0, 1.0, 0, None
    for token in TOKEN.findall(SILENT.sub("", NUMERATOR.sub("", tex))):
        if token in "_^":
            scale, script_depth = SCRIPT, depth
            continue
        if token == "{":
            depth += 1
            continue
        if token == "}":
            depth -= 1
        else:
            symbol = CAPITAL if token.isupper() and len(token) == 1 else SYMBOL * NAMES.get(token, 1)
            total += scale * symbol + (SPACED if token in OPERATORS and scale == 1.0 else 0.0)
        if script_depth == depth:
            scale, script_depth = 1.0, None
    return round(total, 2)


def height(tex: str) -> float:
    """Estimate how high a display formula will be, in em."""
    rows = [row for row in ROW.split(tex) if row.strip()]
    tallest = (max((extra for sign, extra in TALL.items() if re.search(sign, row)), default=0.0) for row in rows)
    return round(PADDING + LINE * len(rows) + sum(tallest), 2)


def in_room(tag: str, size: str, visit: Callable[[HTML5Translator, nodes.Element], None]) -> Callable[..., None]:
    """Wrap a visitor of Sphinx's MathJax writer so that its formula stands in a box of the estimated size."""
    estimate = width if tag == "span" else height

    def visit_in_room(self: HTML5Translator, node: nodes.Element) -> None:
        # The theme makes a box of this class reachable by keyboard while it is wider than the page.
        box = "maths" if tag == "span" else "maths pst-scrollable-table-container"
        self.body.append(f'<{tag} class="{box}" style="--{size}: {estimate(node.astext())}em">')
        try:
            visit(self, node)
        except nodes.SkipNode:
            self.body.append(f"</{tag}>")
            raise

    return visit_in_room


def without_engine(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Leave MathJax off a page that has no formula: Sphinx puts it also on those that only list such a page."""
    if doctree is not None and not any(doctree.findall(lambda node: isinstance(node, nodes.math | nodes.math_block))):
        context["script_files"] = [file for file in context["script_files"] if not is_engine(file)]


def is_engine(script: Any) -> bool:
    """Whether a script of a page is MathJax or its configuration."""
    return "mathjax" in str(script.filename) or "window.MathJax" in script.attributes.get("body", "")


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.connect("html-page-context", without_engine, priority=600)
    app.add_node(nodes.math, override=True, html=(in_room("span", "width", html_visit_math), None))
    app.add_node(nodes.math_block, override=True, html=(in_room("div", "height", html_visit_displaymath), None))

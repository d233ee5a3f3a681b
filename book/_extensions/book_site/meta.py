"""What a search engine and a messenger show of a page: its description, and the tags of its preview."""

import re
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from sphinx.application import Sphinx

from blockbyblock.figures.palette import PALETTE

from .reading import TIME

LONGEST = 200
CARD = "social-card.png"
CARD_SIZE = (1200, 630)


def describe(doctree: nodes.document, longest: int = LONGEST) -> str:
    """Return the page's first paragraph of prose, cut after a sentence or, failing that, after a word."""
    for paragraph in doctree.findall(nodes.paragraph):
        if not isinstance(paragraph.parent, nodes.section) or TIME in paragraph["classes"]:
            continue
        words = " ".join(plain(leaf) for leaf in paragraph.findall(nodes.Text))
        words = re.sub(r"\s+([.,;:!?)’])", r"\1", " ".join(words.split()))
        if len(words) <= longest:
            return words
        sentences = re.match(rf".{{40,{longest - 1}}}[.!?](?=\s)", words)
        return sentences[0] if sentences else words[: longest - 1].rpartition(" ")[0] + "…"
    return ""


def plain(leaf: nodes.Text) -> str:
    """Return a piece of text as it reads without markup: a formula loses its backslashes and braces."""
    if isinstance(leaf.parent, nodes.math):
        return re.sub(r"[\\{}]", "", leaf.astext().replace(r"\sqrt", "√"))
    return leaf.astext()


def add_tags(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Add the description and the preview's tags to the head of a page."""
    if doctree is None:
        return
    title, site = doctree.next_node(nodes.title), app.config.html_baseurl
    name = title.astext() if title else app.config.project
    description = (context.get("meta") or {}).get("description") or describe(doctree)
    tags = {
        "og:type": "article",
        "og:site_name": app.config.project,
        "og:title": name,
        "og:description": description,
        # Previews need a full address; a local build has none, and its tag leads to the same file.
        "og:image": (site or context["content_root"]) + f"_static/{CARD}",
        "og:image:width": str(CARD_SIZE[0]),
        "og:image:height": str(CARD_SIZE[1]),
        "og:image:alt": f"{app.config.project}: a stack of blocks in the colours of the book",
    }
    if site:
        tags["og:url"] = site + context["pageurl"].removeprefix(site)
    lines = [f'<meta property="{key}" content="{escape(value)}" />' for key, value in tags.items()]
    lines.append(f'<meta name="description" content="{escape(description)}" />')
    lines.append('<meta name="twitter:card" content="summary_large_image" />')
    context["metatags"] = context.get("metatags", "") + "\n".join(lines) + "\n"


def draw_card(app: Sphinx) -> None:
    """Draw the image of the previews: the title beside a stack of blocks, in the palette's colours."""
    dots_per_inch = 100
    figure = Figure(figsize=(CARD_SIZE[0] / dots_per_inch, CARD_SIZE[1] / dots_per_inch), dpi=dots_per_inch)
    FigureCanvasAgg(figure)
    figure.set_facecolor(PALETTE["paper"].light)
    for row, name in enumerate(("encoder", "query", "key", "value", "weights", "output", "decoder")):
        box = FancyBboxPatch(
            (0.70, 0.15 + 0.105 * row), 0.2, 0.06, boxstyle="round,pad=0,rounding_size=0.012",
            facecolor=PALETTE[name].light, edgecolor="none", transform=figure.transFigure,
        )  # fmt: skip
        figure.add_artist(box)
    head, _, tail = app.config.project.partition(", ")
    ink, muted = PALETTE["ink"].light, PALETTE["muted"].light
    figure.text(0.08, 0.56, head, fontsize=44, color=ink)
    figure.text(0.08, 0.43, tail, fontsize=44, color=ink)
    figure.text(0.08, 0.30, "A tutorial in tested notebooks", fontsize=19, color=muted)
    target = Path(app.outdir) / "_static" / CARD
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target)


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.connect("builder-inited", draw_card)
    app.connect("html-page-context", add_tags)

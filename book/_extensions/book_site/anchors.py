"""Anchors that work in plain Jupyter, on GitHub and on the page: `<a id="vaswani2017"></a>` in a Markdown text.

An author cites with an ordinary link, `[Vaswani et al., 2017](references.md#vaswani2017)`. MyST knows headings and its
own labels, which plain Jupyter would show as text; this part makes it know the HTML anchors too, so that a link to an
anchor that does not exist is a warning of the build.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx

ANCHOR = re.compile(r'<a id="([A-Za-z][\w-]*)"\s*>')


def register(app: Sphinx, doctree: nodes.document) -> None:
    """Turn each HTML anchor of a page into a target that MyST can resolve."""
    slugs = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for raw in list(doctree.findall(nodes.raw)):
        if match := ANCHOR.fullmatch(raw.astext().strip()):
            name = match[1]
            raw.replace_self(nodes.target("", "", ids=[name]))
            slugs[name] = (raw.line, name, name)


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.connect("doctree-read", register)

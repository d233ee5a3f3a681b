"""Trained models and stored translations beside the pages, for the figures that compute with them.

Each is copied once, whichever pages name it. A page names a model in the values of its figure, with a digest of its
content, so that a browser may keep what it has loaded. It loads a model when its reader asks for it, and not before; a
stored translation when the figure comes into sight.
"""

import json
import re
from pathlib import Path
from shutil import copy2
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

from blockbyblock.live import InsideFigure
from blockbyblock.live.model import digest_of
from blockbyblock.pretrained import MODELS

logger = logging.getLogger(__name__)

FIGURE = re.compile(r'<bbb-([\w-]+)[^>]*>\s*<script type="application/json">(.*?)</script>', re.DOTALL)


def copy(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Copy what the figures of a page name, and warn of a model that has changed since the page's notebook was run."""
    for kind, text in FIGURE.findall(context.get("body", "")):
        values = json.loads(text)
        if "digest" not in values:
            continue
        name = values["model"]
        source, target = Path(str(MODELS)) / f"{name}.safetensors", Path(app.outdir) / "_static" / "models"
        if not source.is_file() or digest_of(source.read_bytes()) != values["digest"]:
            logger.warning("the box does not hold the model %s that this page was run with", name, location=pagename)
            continue
        target.mkdir(parents=True, exist_ok=True)
        copy2(source, target)
        stored = target / f"{values.get('trace')}.safetensors"
        if kind == "inside" and not stored.is_file():
            stored.write_bytes(InsideFigure(values["text"], file=source).stored())


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.connect("html-page-context", copy)

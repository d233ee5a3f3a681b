"""The trained models in the box, beside the pages that let a reader's browser compute with them.

A model is copied once, whichever pages name it. A page names it in the values of its translator, with a digest of its
content, so that a browser may keep what it has loaded. It loads a model when its reader asks for it, and not before.
"""

import re
from pathlib import Path
from shutil import copy2
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

from blockbyblock.live.translator import digest_of
from blockbyblock.pretrained import MODELS

logger = logging.getLogger(__name__)

FIGURE = re.compile(r'<bbb-translator\b.*?"digest":"(\w+)".*?"model":"([\w-]+)"', re.DOTALL)


def copy(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Copy the models that a page names, and warn of one that has changed since the page's notebook was run."""
    for digest, name in FIGURE.findall(context.get("body", "")):
        source, target = Path(str(MODELS)) / f"{name}.safetensors", Path(app.outdir) / "_static" / "models"
        if source.is_file() and digest_of(source.read_bytes()) == digest:
            target.mkdir(parents=True, exist_ok=True)
            copy2(source, target)
        else:
            logger.warning("the box does not hold the model %s that this page was run with", name, location=pagename)


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.connect("html-page-context", copy)

"""What the built book needs beyond Jupyter Book: a Sphinx extension made of small parts, one module each."""

import sys
from importlib import import_module
from pathlib import Path

from sphinx.application import Sphinx

sys.path.append(str(Path(__file__).parents[3]))  # what measures a notebook is book._tools, wherever a build is started

__version__ = "1.0"
PARTS = (
    *("address", "anchors", "assets", "docstrings", "drawings", "exercises", "live"),
    *("maths", "meta", "models", "outputs", "questions", "reading"),
)


def setup(app: Sphinx) -> dict[str, str | bool]:
    """Connect the parts to the build."""
    for part in PARTS:
        import_module(f".{part}", __name__).connect(app)
    # Jupyter Book sets this option of sphinx-comments, which this book does not load, on every build.
    app.add_config_value("comments_config", None, "html")
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}

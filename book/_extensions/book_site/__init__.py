"""What the built book needs beyond Jupyter Book: a Sphinx extension made of small parts, one module each."""

from sphinx.application import Sphinx

from . import address, anchors, assets, docstrings, drawings, exercises, live, maths, meta, models, outputs

__version__ = "1.0"


def setup(app: Sphinx) -> dict[str, str | bool]:
    """Connect the parts to the build."""
    for part in (address, anchors, assets, docstrings, drawings, exercises, live, maths, meta, models, outputs):
        part.connect(app)
    # Jupyter Book sets this option of sphinx-comments, which this book does not load, on every build.
    app.add_config_value("comments_config", None, "html")
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}

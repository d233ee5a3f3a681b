"""The figures of the package on pages that are no notebooks: the directive `drawing` takes a figure's name."""

from collections.abc import Callable

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from blockbyblock import figures
from blockbyblock.live import ClassifyingFigure, InsideFigure, WritingFigure
from blockbyblock.live.figure import LiveFigure

from .outputs import page_html

DRAWINGS = (
    "architecture_map",
    "attention_figure",
    "encoder_decoder_figure",
    "multi_head_figure",
    "residual_stream_figure",
)
LIVE: dict[str, Callable[[], LiveFigure]] = {
    "classifying": ClassifyingFigure,
    # it opens where a word of the source decides which word is written
    "inside": lambda: InsideFigure(at="decoder.layers.2.cross_attention", token=1, head=2),
    "writing": WritingFigure,
}


def markup(name: str) -> str:
    """Return a figure as it stands on a page below a notebook's cell.

    Raises:
        LookupError: there is no figure of that name.
    """
    if name in LIVE:
        return page_html(LIVE[name]().markup())
    if name not in DRAWINGS:
        raise LookupError(f"no figure {name!r}; it has {', '.join((*DRAWINGS, *LIVE))}")
    return page_html(getattr(figures, name)()._repr_mimebundle_()["text/html"])


class Drawing(SphinxDirective):
    """A fence that begins with {drawing} and the name of a figure."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Draw the figure in the place of the fence."""
        try:
            return [nodes.raw("", markup(self.arguments[0]), format="html")]
        except LookupError as error:
            raise self.error(str(error)) from error


def connect(app: Sphinx) -> None:
    """Register this part."""
    app.add_directive("drawing", Drawing)

"""The figures of the book: the map of the whole architecture, and the notes' three other ones.

Each returns a `Figure`; see there for what a reader sees on a page, in a notebook and in a terminal.
"""

from difflib import get_close_matches
from html import escape

from blockbyblock.figures import blocks
from blockbyblock.figures.architecture import Architecture
from blockbyblock.figures.attention_drawings import attention_figure, multi_head_figure
from blockbyblock.figures.blocks import BLOCKS, Step, chapter_of
from blockbyblock.figures.residual_drawing import residual_stream_figure
from blockbyblock.figures.svg import Figure

__all__ = [
    "BLOCKS",
    "architecture_map",
    "attention_figure",
    "encoder_decoder_figure",
    "multi_head_figure",
    "residual_stream_figure",
]

# The map as a list: a heading, the key of the block that the heading names, and the steps below it.
_OUTLINE: tuple[tuple[str, str | None, tuple[Step, ...]], ...] = (
    ("Source side", None, blocks.SOURCE),
    ("Encoder (N layers)", "encoder", blocks.ENCODER),
    ("Target side", None, blocks.TARGET),
    ("Decoder (N layers)", "decoder", blocks.DECODER),
    ("On top of the decoder", None, blocks.TOP),
    ("Inside attention (h heads)", "multi-head-attention", blocks.INSIDE),
)
_NOTES = {"encoder-decoder-attention": "query from the decoder, key and value from the encoder's output"}


def architecture_map(lit: str | None = None) -> Figure:
    """The whole encoder-decoder of "Attention Is All You Need" (Figure 1), a link on each block that has a chapter.

    Arguments:
        lit: the key of the block to light (`BLOCKS` lists them), or None to light none.

    Raises:
        ValueError: if there is no such block; the message names the closest ones.
    """
    if lit is not None and lit not in BLOCKS:
        near = get_close_matches(lit, BLOCKS) or list(BLOCKS)
        raise ValueError(f"the map has no block {lit!r}; closest: {', '.join(near)}")
    where = f' "{BLOCKS[lit]}" is lit.' if lit is not None else ""
    alt = (
        "Map of the Transformer. On the left, inputs are embedded, positions are added, and N encoder layers follow:"
        " self-attention, then feed-forward, each with Add & Norm. On the right, outputs shifted right are embedded,"
        " positions are added, and N decoder layers follow: masked self-attention, attention to the encoder's output,"
        f" feed-forward, each with Add & Norm; then linear and softmax give the output probabilities.{where}"
    )
    return Figure(Architecture(lit).draw().svg(alt), _words(lit), _plain(lit), caption="Numbers are chapters.")


def encoder_decoder_figure() -> Figure:
    """The whole encoder-decoder with the shape of the tensor on each edge."""
    alt = (
        "The encoder-decoder with shapes. Token ids [batch, source] become [batch, source, d_model] in the input"
        " embedding and keep that shape through positional encoding and all N encoder layers. Shifted outputs"
        " [batch, target] become [batch, target, d_model] and keep that shape through all N decoder layers, where"
        " encoder-decoder attention takes key and value from the encoder's [batch, source, d_model]. The linear layer"
        " gives [batch, target, vocab], and softmax turns these scores into probabilities of the same shape."
    )
    return Figure.described(Architecture(shapes=True).draw(), alt)


def _words(lit: str | None) -> str:
    """The map as nested HTML lists, with the drawing's links."""
    sections = []
    for heading, block, steps in _OUTLINE:
        items = "".join(f"<li>{_word(_entry(step), step.block, lit)}</li>" for step in steps)
        sections.append(f"<li>{_word(heading, block, lit)}\n<ul>{items}</ul></li>")
    return f"<p>The Transformer, in the order in which data flows:</p>\n<ul>\n{chr(10).join(sections)}\n</ul>"


def _word(name: str, block: str | None, lit: str | None) -> str:
    chapter = chapter_of(block)
    word = escape(name, quote=False)
    if chapter is not None:
        word += f", chapter {chapter.number}"
        if chapter.written:
            word = f'<a href="{chapter.file_name}">{word}</a>'
    return f"<strong>{word} (lit)</strong>" if block is not None and block == lit else word


def _plain(lit: str | None) -> str:
    """The map as indented text."""
    lines = ["The Transformer, in the order in which data flows (numbers are chapters)"]
    for heading, block, steps in _OUTLINE:
        lines.append(_line("  ", heading, block, lit))
        lines.extend(_line("    ", _entry(step), step.block, lit) for step in steps)
    return "\n".join(lines)


def _line(indent: str, name: str, block: str | None, lit: str | None) -> str:
    chapter = chapter_of(block)
    number = f" [{chapter.number}]" if chapter is not None else ""
    mark = "> " if block is not None and block == lit else "  "
    return f"{indent}{mark}{name}{number}"


def _entry(step: Step) -> str:
    note = _NOTES.get(step.block or "")
    return f"{step.name} ({note})" if note else step.name

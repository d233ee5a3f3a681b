"""Figures of the book: one palette, the map of the architecture, plots in one style, and tables."""

from blockbyblock.figures.chapters import CHAPTERS, Chapter
from blockbyblock.figures.map import (
    BLOCKS,
    architecture_map,
    attention_figure,
    encoder_decoder_figure,
    multi_head_figure,
    residual_stream_figure,
)
from blockbyblock.figures.palette import PALETTE, Colour, colour, css, themed
from blockbyblock.figures.plots import heatmap, show, style
from blockbyblock.figures.tables import Table, table

__all__ = [
    "BLOCKS",
    "CHAPTERS",
    "PALETTE",
    "Chapter",
    "Colour",
    "Table",
    "architecture_map",
    "attention_figure",
    "colour",
    "css",
    "encoder_decoder_figure",
    "heatmap",
    "multi_head_figure",
    "residual_stream_figure",
    "show",
    "style",
    "table",
    "themed",
]

"""Figures that move: they compute in the reader's browser, with a kernel or without one."""

from blockbyblock.live.attention import AttentionFigure
from blockbyblock.live.classifying import ClassifyingFigure
from blockbyblock.live.heads import HeadsFigure
from blockbyblock.live.inside import InsideFigure
from blockbyblock.live.masks import MasksFigure
from blockbyblock.live.next_token import NextTokenFigure
from blockbyblock.live.positions import PositionsFigure
from blockbyblock.live.split_concat import SplitConcatFigure
from blockbyblock.live.translator import TranslatorFigure
from blockbyblock.live.writing import WritingFigure

__all__ = [
    "AttentionFigure",
    "ClassifyingFigure",
    "HeadsFigure",
    "InsideFigure",
    "MasksFigure",
    "NextTokenFigure",
    "PositionsFigure",
    "SplitConcatFigure",
    "TranslatorFigure",
    "WritingFigure",
]

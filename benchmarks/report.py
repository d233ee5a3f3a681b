"""The table: one line for each thing measured, beside the first of its task."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Literal

import torch

from benchmarks.measuring import spread
from benchmarks.settings import Settings
from blockbyblock import LanguageModel, __version__, parameter_count
from blockbyblock.training import processor_name

Unit = Literal["s", "tokens/s"]
HEADER = ("part", "task", "by", "median", "interquartile range", "times as fast", "")
LEGEND = (
    "Times as fast: the first line of a task beside this one, the median over pairs of the same round. "
    "Below 1 this one is faster.",
    "GFLOP/s: in matrix products, beside the processor's peak as published, or as measured in a product of two large "
    "matrices.",
)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        part: of the benchmark.
        task: what was to be done.
        by: who did it.
        values: what was measured, one for each round.
        unit: of the values.
        speed_up: how many times as fast the first of the task is.
        note: what else there is to say.
    """

    part: str
    task: str
    by: str
    values: tuple[float, ...]
    unit: Unit
    speed_up: float
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        """The text of each column."""
        median, *quartiles = spread(self.values)
        low, high = (quantity(value, self.unit, scale=median) for value in quartiles)
        middle = quantity(median, self.unit)
        return self.part, self.task, self.by, middle, f"{low} to {high}", f"{self.speed_up:.2f}", self.note


def compared(
    part: str,
    task: str,
    values: Mapping[str, Sequence[float]],
    unit: Unit = "s",
    notes: Mapping[str, str] | None = None,
) -> list[Row]:
    """The rows of one task; the first is what the others are held against, round by round.

    Args:
        part: of the benchmark.
        task: what was to be done.
        values: by whom, and what was measured in each round.
        unit: of the values.
        notes: for some of the rows.
    """
    first = next(iter(values.values()))
    rows = []
    for by, own in values.items():
        pairs = zip(first, own, strict=True)
        ratios = [theirs / ours if unit == "s" else ours / theirs for ours, theirs in pairs]
        rows.append(Row(part, task, by, tuple(own), unit, spread(ratios).median, (notes or {}).get(by, "")))
    return rows


def quantity(value: float, unit: Unit, *, scale: float | None = None) -> str:
    """A number with three significant digits and its unit.

    Args:
        value: seconds, or tokens per second.
        unit: which of the two.
        scale: seconds by which to choose between s, ms and µs; the value itself if not given.
    """
    if unit == "s":
        scale = value if scale is None else scale
        factor, unit_name = (1, "s") if scale >= 1 else (1e3, "ms") if scale >= 1e-3 else (1e6, "µs")
        return f"{significant(value * factor)} {unit_name}"
    return f"{significant(value)} {unit}"


def significant(value: float) -> str:
    """Three significant digits, never as a power of ten: 0.0123, 1.23, 12.3, 12,300."""
    rounded = float(f"{value:.3g}")
    if abs(rounded) >= 100:
        return f"{rounded:,.0f}"
    return f"{rounded:#.3g}"


def markdown(rows: Sequence[Row]) -> str:
    """The table."""
    lines = [HEADER, tuple("---" for _ in HEADER), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def surroundings(settings: Settings) -> list[str]:
    """What the figures depend on: versions, processor, precision, model."""
    peers = ", ".join(
        f"{package} {version(package)}" for package in ("transformers", "ctranslate2") if find_spec(package)
    )
    # Of torch its build, +cpu or +cu130: the metadata of a wheel may leave that out.
    versions = f"blockbyblock {__version__}, torch {torch.__version__}, {peers}"
    model, writer = settings.model, settings.language_model
    with torch.device("meta"):
        writer_parameters = sum(parameter.numel() for parameter in LanguageModel(writer).parameters())
    precision = "bfloat16" if settings.dtype == torch.bfloat16 else "float32 unless said otherwise"
    return [
        f"{versions}; Python {platform.python_version()} on {platform.system()} {platform.machine()}",
        f"{processor_name(settings.device)}; {torch.get_num_threads()} of {os.cpu_count()} cores; {precision}",
        f"The translator: d_model {model.d_model}, {model.encoder_layers} + {model.decoder_layers} layers, "
        f"{model.heads} heads, d_ff {model.d_ff}, vocabulary {model.target_vocab:,}; "
        f"{parameter_count(model) / 1e6:.1f} million parameters",
        f"The language model: d_model {writer.d_model}, {writer.layers} layers, {writer.heads} heads, "
        f"d_ff {writer.d_ff}, vocabulary {writer.vocab:,}; {writer_parameters / 1e6:.1f} million parameters",
    ]

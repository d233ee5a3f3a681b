"""What is learned from and scored on: sentences with their translations, texts with their labels."""

from collections.abc import Iterable
from typing import NamedTuple


class Pair(NamedTuple):
    """A sentence and one translation of it."""

    source: str
    target: str


class LabelledText(NamedTuple):
    """A text and the name of the class that it belongs to."""

    text: str
    label: str


class Example(NamedTuple):
    """A sentence to translate, and every translation of it that counts as right."""

    source: str
    references: tuple[str, ...]


def to_examples(pairs: Iterable[Pair]) -> list[Example]:
    """Gather the translations of each source, in the order in which they first appear, each one once."""
    references: dict[str, dict[str, None]] = {}
    for source, target in pairs:
        references.setdefault(source, {})[target] = None
    return [Example(source, tuple(targets)) for source, targets in references.items()]


def to_pairs(examples: Iterable[Example]) -> list[Pair]:
    """Each source with each of its references: what the loss on validation text is computed on."""
    return [Pair(source, reference) for source, references in examples for reference in references]

"""What a corpus is: a text in three parts, with its origin; parallel, by itself, or with labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blockbyblock.data.pairs import Example, LabelledText, Pair
from blockbyblock.data.reading import ReadingReport


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a text comes from: what every corpus tells besides itself.

    Attributes:
        terms: the licence, and the attribution that it asks for.
        sha256: the hash of each file that was read, by its name.
        reports: what was found in each file, and what was left out of it.
    """

    terms: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)
    reports: tuple[ReadingReport, ...] = ()


@dataclass(frozen=True, repr=False)
class Corpus(Origin):
    """A parallel text in three parts; nothing of validation and test may be used to train, the tokenizer included.

    Attributes:
        name: what to call it.
        source_language: code of the language to translate from, as the corpus's home writes it.
        target_language: code of the language to translate to.
        train: pairs; a source with three translations stands here three times.
        validation: examples to choose by; each source stands once, with all its references.
        test: examples to report.
    """

    name: str
    source_language: str
    target_language: str
    train: Sequence[Pair]
    validation: Sequence[Example]
    test: Sequence[Example]

    def training_text(self) -> Iterator[str]:
        """Both sides of the training pairs: the only text from which a vocabulary may be made."""
        for pair in self.train:
            yield from pair

    def about(self) -> dict[str, Any]:
        """Which languages it is in."""
        return {"source_language": self.source_language, "target_language": self.target_language}

    def __repr__(self) -> str:
        return (
            f"{self.name}, {self.source_language} to {self.target_language}: {len(self.train):,} training pairs, "
            f"{len(self.validation):,} validation and {len(self.test):,} test examples"
        )


@dataclass(frozen=True, repr=False)
class TextCorpus(Origin):
    """Texts in three parts, for a language model; nothing of validation and test may be used to train.

    Attributes:
        name: what to call it.
        language: its code, as the corpus's home writes it.
        train: texts to learn from, each to be ended by the model.
        validation: texts to choose by.
        test: texts to report.
    """

    name: str
    language: str
    train: Sequence[str]
    validation: Sequence[str]
    test: Sequence[str]

    def training_text(self) -> Iterator[str]:
        """The only text from which a vocabulary may be made."""
        return iter(self.train)

    def about(self) -> dict[str, Any]:
        """Which language it is in."""
        return {"language": self.language}

    def __repr__(self) -> str:
        return (
            f"{self.name}, {self.language}: {len(self.train):,} training texts, {len(self.validation):,} validation "
            f"and {len(self.test):,} test texts"
        )


@dataclass(frozen=True, repr=False)
class LabelledCorpus(Origin):
    """Texts with labels in three parts, for a classifier; nothing of validation and test may be used to train.

    Attributes:
        name: what to call it.
        labels: the names of the classes, in the order of the classifier's outputs.
        train: texts to learn from.
        validation: texts to choose by.
        test: texts to report.
    """

    name: str
    labels: Sequence[str]
    train: Sequence[LabelledText]
    validation: Sequence[LabelledText]
    test: Sequence[LabelledText]

    def training_text(self) -> Iterator[str]:
        """The only text from which a vocabulary may be made."""
        return (text.text for text in self.train)

    def about(self) -> dict[str, Any]:
        """What the classes are."""
        return {"labels": list(self.labels)}

    def __repr__(self) -> str:
        return (
            f"{self.name}, {len(self.labels)} classes: {len(self.train):,} training texts, {len(self.validation):,} "
            f"validation and {len(self.test):,} test texts"
        )


AnyCorpus = Corpus | TextCorpus | LabelledCorpus

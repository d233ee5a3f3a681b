"""What a corpus is: a parallel text in three parts, with its origin."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from blockbyblock.data.pairs import Example, Pair
from blockbyblock.data.reading import ReadingReport


@dataclass(frozen=True, repr=False)
class Corpus:
    """A parallel text in three parts; nothing of validation and test may be used to train, the tokenizer included.

    Attributes:
        name: what to call it.
        source_language: code of the language to translate from, as the corpus's home writes it.
        target_language: code of the language to translate to.
        train: pairs; a source with three translations stands here three times.
        validation: examples to choose by; each source stands once, with all its references.
        test: examples to report.
        terms: the licence, and the attribution that it asks for.
        sha256: the hash of each file that was read, by its name.
        reports: what was found in each file, and what was left out of it.
    """

    name: str
    source_language: str
    target_language: str
    train: Sequence[Pair]
    validation: Sequence[Example]
    test: Sequence[Example]
    terms: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)
    reports: tuple[ReadingReport, ...] = ()

    def training_text(self) -> Iterator[str]:
        """Both sides of the training pairs: the only text from which a vocabulary may be made."""
        for pair in self.train:
            yield from pair

    def __repr__(self) -> str:
        return (
            f"{self.name}, {self.source_language} to {self.target_language}: {len(self.train):,} training pairs, "
            f"{len(self.validation):,} validation and {len(self.test):,} test examples"
        )

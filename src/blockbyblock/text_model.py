"""What the three applications have in common: a trained model with its tokenizer, and what is known about it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from jaxtyping import Int
from torch import Tensor

from blockbyblock.data.batches import cut_by_budget, pad_rows
from blockbyblock.data.tokenizer import Tokenizer
from blockbyblock.kinds import Model, vocabularies

BATCH_TOKENS = 4096  # rows times the longest text; more is no faster on a CPU and takes memory


class TextModel:
    """A model that takes text; the base of `Translator`, `TextGenerator` and `TextClassifier`.

    Args:
        model: put into evaluation mode.
        tokenizer: of the text that it was trained on.
        about: what is known about the model: data, licence, scores. JSON values.

    Raises:
        ValueError: model and tokenizer have vocabularies of different sizes.
    """

    task: ClassVar[str]
    model: Model

    def __init__(self, model: Model, tokenizer: Tokenizer, about: Mapping[str, Any] | None = None) -> None:
        sizes = vocabularies(model.config)
        if {len(tokenizer), *sizes.values()} != {len(tokenizer)}:
            has = " and ".join(f"{size} {name}".strip() for name, size in sizes.items())
            raise ValueError(
                f"the tokenizer has {len(tokenizer)} tokens, the model {has} tokens: they do not belong together"
            )
        self.model, self.tokenizer, self.about = model.eval(), tokenizer, dict(about or {})

    def encode(self, text: str) -> list[int]:
        """The ids that the model reads for a text.

        Raises:
            ValueError: the text is longer than the model's longest sequence, or holds half a surrogate pair.
        """
        raise NotImplementedError

    def encode_each(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids for each of several texts.

        Raises:
            TypeError: `texts` is one string.
            ValueError: as for `encode`, with the number of the text, from 1.
        """
        if isinstance(texts, str):
            raise TypeError("texts is one string: pass a list of texts")
        rows = []
        for number, text in enumerate(texts, start=1):
            try:
                rows.append(self.encode(text))
            except ValueError as error:
                raise ValueError(f"text {number}: {error}") from error
        return rows

    def batches(self, rows: Sequence[list[int]]) -> Iterator[tuple[list[int], Int[Tensor, "batch position"]]]:
        """Rows of like length together, padded on the right: the places of each batch's rows, and their ids."""
        places = sorted(range(len(rows)), key=lambda place: len(rows[place]))
        for start, stop in cut_by_budget([len(rows[place]) for place in places], BATCH_TOKENS):
            yield places[start:stop], self.tensor([rows[place] for place in places[start:stop]])

    def tensor(self, rows: Sequence[list[int]]) -> Int[Tensor, "batch position"]:
        """Rows of ids on the model's device, padded on the right."""
        return pad_rows(rows).to(next(self.model.parameters()).device)

    def require_room(self, ids: Sequence[int], text: str, counted: str) -> None:
        """Refuse what is longer than the model's longest sequence.

        Raises:
            ValueError: saying what `text` is, how many tokens it has with what is `counted` too, and the limit.
        """
        if len(ids) > self.model.config.max_length:
            raise ValueError(
                f"the {text} has {len(ids):,} tokens with {counted}, over the model's limit of "
                f"{self.model.config.max_length}; cut it into shorter ones"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.about.get('title', 'without a title')!r}, {len(self.tokenizer):,} tokens)"

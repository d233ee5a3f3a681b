"""A trained classifier with its tokenizer: text in, the name of a class out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from blockbyblock.attention import record_attention
from blockbyblock.classifier import Classifier
from blockbyblock.data.tokenizer import Tokenizer
from blockbyblock.decoding import evaluating
from blockbyblock.text_model import TextModel

CLS = "[CLS]"  # what <start> is called where it is the token that is read off


@dataclass(frozen=True)
class Decision:
    """What a classifier says of one text.

    Attributes:
        label: the most probable class.
        probabilities: of each class by its name, the most probable first.
    """

    label: str
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class Reading:
    """Where the classifier looked.

    Attributes:
        pieces: what it read, [CLS] the first.
        attention: weights of each head of each layer, `[layers, heads, piece, piece]`; the first row of a head is what
            [CLS] looked at.
    """

    pieces: tuple[str, ...]
    attention: Float[Tensor, "layers heads piece piece"]


class TextClassifier(TextModel):
    """A model that says which class a text belongs to.

    Args:
        model: put into evaluation mode.
        tokenizer: of the text that it was trained on.
        about: what is known about the model, JSON values; "labels" must hold the names of its classes, in order.

    Raises:
        ValueError: model and tokenizer have vocabularies of different sizes, or there is not one name for each class.
    """

    task = "classification"
    model: Classifier

    def __init__(self, model: Classifier, tokenizer: Tokenizer, about: Mapping[str, Any] | None = None) -> None:
        super().__init__(model, tokenizer, about)
        self.labels: tuple[str, ...] = tuple(self.about.get("labels", ()))
        if len(self.labels) != model.config.classes:
            raise ValueError(f"the model has {model.config.classes} classes, and there are {len(self.labels)} labels")

    def encode(self, text: str) -> list[int]:
        """The ids of a text after [CLS]; white space around it is left out.

        Raises:
            ValueError: the text is longer than the model's longest sequence, or holds half a surrogate pair.
        """
        ids = [self.model.config.cls_id, *self.tokenizer.encode(text.strip())]
        self.require_room(ids, "text", CLS)
        return ids

    def classify(self, texts: Sequence[str]) -> list[Decision]:
        """The class of each text. One of nothing but white space has a class too: what [CLS] alone gives.

        Args:
            texts: in any order of length: they are batched by like length.

        Returns:
            As many decisions, in the same order.

        Raises:
            TypeError: `texts` is one string.
            ValueError: a text is too long or no Unicode, with its number, from 1.
        """
        decisions = []
        for row in self.probabilities(texts).tolist():
            ranked = sorted(zip(self.labels, row, strict=True), key=lambda pair: -pair[1])
            decisions.append(Decision(ranked[0][0], dict(ranked)))
        return decisions

    @torch.inference_mode()
    def probabilities(self, texts: Sequence[str]) -> Float[Tensor, "texts classes"]:
        """The probability of each class, in the order of `labels`; arguments and errors as for `classify`."""
        rows = self.encode_each(texts)
        found = torch.zeros(len(rows), len(self.labels))
        with evaluating(self.model):
            for places, ids in self.batches(rows):
                found[places] = self.model.probabilities(ids).float().cpu()
        return found

    @torch.inference_mode()
    def reading(self, text: str) -> Reading:
        """Where each head of each layer looked while the model read a text. Errors as for `encode`."""
        ids = self.encode(text)
        with evaluating(self.model), record_attention(self.model) as records:
            self.model(self.tensor([ids]))
        pieces = [CLS, *self.tokenizer.pieces(ids[1:])]
        return Reading(tuple(pieces), torch.cat([record.weights for record in records.values()]))

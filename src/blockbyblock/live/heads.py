"""Every head of a real translation: all attention weights of a trained model, to be looked at one head at a time."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from traitlets import Dict, Enum, Int, List, Unicode

from blockbyblock.decoding import Hypothesis
from blockbyblock.live.figure import LiveFigure, table
from blockbyblock.translator import Translator

KINDS = {"cross": "encoder-decoder", "encoder": "encoder", "decoder": "decoder"}
_DECIMALS = 3  # few bytes, and all that is shown


def attention_maps(translator: Translator, text: str, translation: Hypothesis) -> dict[str, Any]:
    """`Translator.attention` as the page's modules take it: lists, weights with three decimals, no future.

    Returns:
        "source", "read" and "written": pieces. "encoder", "decoder" and "cross": weights `[layer][head][row][column]`;
        a decoder's row ends where the future begins.

    Raises:
        ValueError: the sentence or its translation is longer than the model's longest sequence.
    """
    found = translator.attention(text, translation)
    pieces = {side: list(getattr(found, side)) for side in ("source", "read", "written")}
    maps = {
        kind: getattr(found, kind).double().mul(10**_DECIMALS).round().div(10**_DECIMALS).tolist() for kind in KINDS
    }
    maps["decoder"] = [
        [[row[: place + 1] for place, row in enumerate(head)] for head in layer] for layer in maps["decoder"]
    ]
    return pieces | maps


class MapsFigure(LiveFigure):
    """A figure in which one head is chosen, and one of its weights read.

    Attributes:
        kind: "cross" (encoder-decoder), "encoder" or "decoder".
        layer: from 1. A figure opens on the last one, whose heads look at the word that is written next.
        head: from 1.
        cell: row and column of the weight that is read, from 0.
    """

    kind = Enum(tuple(KINDS), "cross").tag(sync=True)
    layer = Int(1, min=1).tag(sync=True)
    head = Int(1, min=1).tag(sync=True)
    cell = List(Int(min=0), [0, 0], minlen=2, maxlen=2).tag(sync=True)


class HeadsFigure(MapsFigure):
    """The weights of every head, in encoder, decoder and between the two, of one translation.

    Arguments:
        translator: a trained model.
        sentence: what it translates, with a beam of 4.

    Raises:
        ValueError: the sentence is empty, or longer than the model's longest sequence.
    """

    module = "heads"
    room = (475, 725)

    sentence = Unicode().tag(sync=True)
    translation = Unicode().tag(sync=True)
    maps = Dict().tag(sync=True)

    def __init__(self, translator: Translator, sentence: str) -> None:
        (hypothesis,) = translator.hypotheses([sentence])
        if hypothesis is None:
            raise ValueError("an empty sentence has no translation, and nothing to look at")
        maps = attention_maps(translator, sentence, hypothesis)
        super().__init__(
            sentence=sentence,
            translation=translator.tokenizer.decode(hypothesis.ids),
            layer=len(maps["cross"]),
            maps=maps,
        )

    def weights(self) -> list[Float[Tensor, " column"]]:
        """The weights of the chosen head, a tensor for each row."""
        return [torch.tensor(row) for row in self.maps[self.kind][self.layer - 1][self.head - 1]]

    def caption(self) -> str:
        """Return the sentence, its translation, and how many heads there are."""
        layers = self.maps[self.kind]
        return (
            f"“{self.sentence}” is translated as “{self.translation}”. There are {len(layers)} layers of "
            f"{KINDS[self.kind]} attention, of {len(layers[0])} heads each. The table shows layer {self.layer}, head "
            f"{self.head}."
        )

    def still(self) -> str:
        """Return a table with the piece that each piece looks at most, in the chosen head."""
        rows = self.maps["source" if self.kind == "encoder" else "written"]
        columns = self.maps["read" if self.kind == "decoder" else "source"]
        most = [(weights.argmax(), weights.max()) for weights in self.weights()]
        lines = [(row, columns[place], f"{weight:.3f}") for row, (place, weight) in zip(rows, most, strict=True)]
        return table(f"Layer {self.layer}, head {self.head}", ("piece", "looks most at", "weight"), lines)

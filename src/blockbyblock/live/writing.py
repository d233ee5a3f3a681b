"""The language model writes under the reader's hand: what may come next, one of it chosen or drawn, and so on."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from traitlets import Dict, Int, List, Unicode, observe

from blockbyblock.decoding import evaluating
from blockbyblock.live.model import ModelFigure
from blockbyblock.live.next_token import ROWS, SamplingFigure, counted, tokens_table
from blockbyblock.portable import load_portable
from blockbyblock.pretrained import MODELS
from blockbyblock.text_generator import TextGenerator

FILE = Path(str(MODELS)) / "en.safetensors"
LIMITS = "It learned from short, everyday sentences, one by one, and writes one such sentence. It knows no facts."


class WritingFigure(ModelFigure, SamplingFigure):
    """The beginning of a text, the distribution of its next token, and ways to choose or draw one and go on.

    The model is loaded by the reader's browser, once the reader asks for it. Until then the figure shows what Python
    has computed for the beginning. From then on it answers when `beginning` or `chosen` is set, and `text` is what
    stands there.

    Arguments:
        beginning: the text to begin with.
        file: the model, as `save_portable` writes it. A page of the book finds it if it is one in the box.
        limits: what the model has learned from, and what it cannot do, in one line below the figure.

    Attributes:
        chosen: the ids of the tokens that have been added to the beginning; a new beginning empties it.
        first: what is shown until the model is there: tokens and logits, as `counted` makes them.

    Raises:
        FileNotFoundError: there is no such file.
        blockbyblock.weights.CheckpointError: it is no model.
        ValueError: the model is for another task, or the beginning is longer than its longest sequence.
    """

    module = "writing"
    room = (748, 1000)

    beginning = Unicode().tag(sync=True)
    chosen = List(Int(min=0)).tag(sync=True)
    text = Unicode().tag(sync=True)
    first = Dict().tag(sync=True)

    def __init__(
        self, beginning: str = "The cat", *, file: str | PathLike[str] = FILE, limits: str = LIMITS, **values: Any
    ) -> None:
        self._generator = load_portable(file, TextGenerator)
        logits = _next_logits(self._generator, self._generator.encode(beginning))
        super().__init__(
            file,
            Path(file).read_bytes(),
            self._generator.about,
            limits,
            beginning=beginning,
            text=beginning.strip(),
            first={"beginning": beginning} | counted(logits, self._generator.tokenizer),
            **values,
        )

    @observe("beginning")
    def _begin_anew(self, change: Mapping[str, Any]) -> None:
        self.chosen = []

    def logits(self) -> Float[Tensor, " vocab"]:
        """The logits of what follows the present text; -inf for padding and <start>, which are never written.

        Raises:
            ValueError: the text is longer than the model's longest sequence.
        """
        return _next_logits(self._generator, [*self._generator.encode(self.beginning), *self.chosen])

    def caption(self) -> str:
        """Return the text, and its most probable next token."""
        logits = self.logits()
        best = self._generator.tokenizer.pieces([int(logits.argmax())])[0]
        return (
            f"The language model reads “{self._present()}”. The next token is “{best}” with probability "
            f"{logits.softmax(-1).max():.3f}. It writes on in your browser, once it is loaded."
        )

    def still(self) -> str:
        """Return the most probable tokens with the model's probability and the one they are drawn with, as a table."""
        logits, ids = self.logits().sort(descending=True)
        writable = logits.isfinite()
        logits, tokens = logits[writable], self._generator.tokenizer.pieces(ids[:ROWS].tolist())
        caption = f"What may follow “{self._present()}”"
        return tokens_table(tokens, logits.softmax(-1), self.drawn_with(logits), caption)

    def _present(self) -> str:
        return self.beginning.strip() + self._generator.tokenizer.decode(self.chosen)


@torch.inference_mode()
def _next_logits(generator: TextGenerator, ids: list[int]) -> Float[Tensor, " vocab"]:
    """The logits of the token after these, in float64."""
    config = generator.model.config
    with evaluating(generator.model):
        logits = generator.model(generator.tensor([ids]))[0, -1].double().cpu()
    logits[[config.pad_id, config.start_id]] = -torch.inf
    return logits

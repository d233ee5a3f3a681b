"""The translator in the page: a trained model that computes in the reader's browser, with every attention weight."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from traitlets import Enum, List, Unicode

from blockbyblock.live.figure import table
from blockbyblock.live.heads import MapsFigure
from blockbyblock.live.model import LIMITS, MODEL, TranslationFigure
from blockbyblock.portable import load_portable

EXAMPLES = ("Where is the cat?", "I don't know what you mean.", "She has been reading a book all day.")


class TranslatorFigure(TranslationFigure, MapsFigure):
    """A field for a sentence, its translation by greedy and by beam search, and the weights of every head.

    The model is loaded by the reader's browser, once the reader asks for it: on a page from the folder of models, in a
    notebook from this object. Setting `source` translates it from then on, and `translation` is what a beam of 4 found.

    Arguments:
        source: the sentence to begin with.
        examples: sentences whose translations by Python stand in for the figure where it does not run.
        file: the model, as `save_portable` writes it. A page of the book finds it if it is one in the box.
        limits: what the model has learned from, and what it cannot do, in one line below the figure.

    Raises:
        FileNotFoundError: there is no such file.
        blockbyblock.weights.CheckpointError: it is no model.
        ValueError: an example is longer than the model's longest sequence.
    """

    module = "translator"
    room = (380, 585)

    source = Unicode().tag(sync=True)
    translation = Unicode().tag(sync=True)
    method = Enum(("greedy", "beam"), "beam").tag(sync=True)
    examples = List(List(Unicode(), minlen=2, maxlen=2)).tag(sync=True)

    def __init__(
        self,
        source: str = "The cat sat on the chair.",
        examples: Sequence[str] = EXAMPLES,
        *,
        file: str | PathLike[str] = MODEL,
        limits: str = LIMITS,
    ) -> None:
        translator = load_portable(file)
        super().__init__(
            file,
            Path(file).read_bytes(),
            translator.about,
            limits,
            source=source,
            layer=translator.model.config.decoder_layers,
            examples=[list(pair) for pair in zip(examples, translator.translate(examples), strict=True)],
        )

    def caption(self) -> str:
        """Return what the figure does, and what its model is."""
        source, target = (name for name, _ in self.languages)
        return f"A translator from {source} to {target}, which computes in your browser once its model is loaded."

    def still(self) -> str:
        """Return a table of the examples with their translations."""
        head = [name for name, _ in self.languages]
        return table("Translated by this model, with a beam of 4", head, self.examples)

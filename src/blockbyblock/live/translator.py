"""The translator in the page: a trained model that computes in the reader's browser, with every attention weight."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any

from traitlets import Enum, Int, List, Unicode

from blockbyblock.live.figure import table
from blockbyblock.live.heads import MapsFigure
from blockbyblock.portable import load_portable
from blockbyblock.pretrained import MODELS

MODEL = Path(str(MODELS)) / "en-de.safetensors"
EXAMPLES = ("Where is the cat?", "I don't know what you mean.", "She has been reading a book all day.")
LIMITS = (
    "It learned from short, everyday sentences. Rare names, large numbers, emoji and other languages come out as "
    "nonsense, without a warning."
)
NAMES = {"en": "English", "de": "German"}


def digest_of(content: bytes) -> str:
    """What stands for a model's content in its address on a page."""
    return sha256(content).hexdigest()[:12]


def credit(about: Mapping[str, Any]) -> str:
    """What a model is called and whose texts it has learned from, as far as its file says."""
    return ". ".join(about[key] for key in ("title", "terms") if about.get(key))


class TranslatorFigure(MapsFigure):
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
    languages = List(List(Unicode(), minlen=2, maxlen=2)).tag(sync=True)
    model = Unicode().tag(sync=True)
    digest = Unicode().tag(sync=True)
    size = Int().tag(sync=True)
    credit = Unicode().tag(sync=True)
    limits = Unicode().tag(sync=True)

    def __init__(
        self,
        source: str = "The cat sat on the chair.",
        examples: Sequence[str] = EXAMPLES,
        *,
        file: str | PathLike[str] = MODEL,
        limits: str = LIMITS,
    ) -> None:
        self._file = Path(file)
        translator, content = load_portable(self._file), self._file.read_bytes()
        codes = [translator.about.get(key, "") for key in ("source_language", "target_language")]
        super().__init__(
            source=source,
            layer=translator.model.config.decoder_layers,
            examples=[list(pair) for pair in zip(examples, translator.translate(examples), strict=True)],
            languages=[[NAMES.get(code, place), code] for code, place in zip(codes, ("source", "target"), strict=True)],
            model=self._file.stem,
            digest=digest_of(content),
            size=len(content),
            limits=limits,
            credit=credit(translator.about),
        )
        self.on_msg(self._answer)

    def _answer(self, figure: Any, content: dict[str, str], buffers: list[bytes]) -> None:
        """Send the model to the browser that asks for it. A trait would be stored in the notebook; a message is not.

        A file that cannot be read any more is told, so that the browser does not wait for it.
        """
        if content == {"ask": "model"}:
            try:
                self.send({"answer": "model"}, [self._file.read_bytes()])
            except OSError as error:
                self.send({"answer": "model", "error": f"{self._file.name} cannot be read: {error.strerror or error}"})

    def caption(self) -> str:
        """Return what the figure does, and what its model is."""
        source, target = (name for name, _ in self.languages)
        return f"A translator from {source} to {target}, which computes in your browser once its model is loaded."

    def still(self) -> str:
        """Return a table of the examples with their translations."""
        head = [name for name, _ in self.languages]
        return table("Translated by this model, with a beam of 4", head, self.examples)

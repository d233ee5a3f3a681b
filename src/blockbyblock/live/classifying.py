"""The classifier answers what is typed, and shows where [CLS] looks."""

from os import PathLike
from pathlib import Path
from typing import Any

from traitlets import Dict, Int, List, Unicode

from blockbyblock.live.figure import table, visible
from blockbyblock.live.model import NAMES, ModelFigure
from blockbyblock.portable import load_portable
from blockbyblock.pretrained import MODELS
from blockbyblock.text_classifier import TextClassifier

FILE = Path(str(MODELS)) / "languages.safetensors"
LIMITS = (
    "It learned from the names of numbers alone. Any other text gets an answer too, which means nothing. A name that "
    "two languages share is a guess."
)
CLASSES = 5  # with a row of their own


class ClassifyingFigure(ModelFigure):
    """A text, the probability of each class, and how much [CLS] looks at each token.

    The model is loaded by the reader's browser, once the reader asks for it. Until then the figure shows what Python
    has computed for the text. From then on it answers when `text` is set, and `answer` is the most probable class.

    Arguments:
        text: the text to begin with.
        question: what the field for a text is called.
        file: the model, as `save_portable` writes it. A page of the book finds it if it is one in the box.
        limits: what the model has learned from, and what it cannot do, in one line below the figure.

    Attributes:
        labels: the names of the classes; a code of a language is written out.
        layer: from 1.
        head: from 1; 0 is the mean of all heads.
        first: what is shown until the model is there: pieces, probabilities and [CLS]'s weights,
            `[layer][head][piece]`.

    Raises:
        FileNotFoundError: there is no such file.
        blockbyblock.weights.CheckpointError: it is no model.
        ValueError: the model is for another task, or the text is longer than its longest sequence.
    """

    module = "classifying"
    room = (410, 724)

    text = Unicode().tag(sync=True)
    answer = Unicode().tag(sync=True)
    question = Unicode().tag(sync=True)
    labels = List(Unicode()).tag(sync=True)
    layer = Int(1, min=1).tag(sync=True)
    head = Int(0, min=0).tag(sync=True)
    first = Dict().tag(sync=True)

    def __init__(
        self,
        text: str = "einundzwanzig",
        question: str = "A number in words",
        *,
        file: str | PathLike[str] = FILE,
        limits: str = LIMITS,
        **values: Any,
    ) -> None:
        self._classifier = load_portable(file, TextClassifier)
        first = self._read(text)
        super().__init__(
            file,
            Path(file).read_bytes(),
            self._classifier.about,
            limits,
            text=text,
            question=question,
            labels=[NAMES.get(label, label) for label in self._classifier.labels],
            first=first,
            **{"layer": len(first["attention"]), "answer": next(iter(self._probable(text)))} | values,
        )

    def _read(self, text: str) -> dict[str, Any]:
        reading = self._classifier.reading(text)
        return {
            "text": text,
            "pieces": list(reading.pieces),
            "probabilities": self._classifier.probabilities([text])[0].tolist(),
            "attention": reading.attention[:, :, 0].tolist(),
        }

    def _probable(self, text: str) -> dict[str, float]:
        found = self._classifier.classify([text])[0].probabilities
        return {NAMES.get(label, label): probability for label, probability in found.items()}

    def weights(self) -> list[float]:
        """How much [CLS] looks at each token of the present text, in the chosen layer and head.

        Raises:
            ValueError: the text is longer than the model's longest sequence.
        """
        attention = self._classifier.reading(self.text).attention
        heads = attention[min(self.layer, len(attention)) - 1, :, 0]
        found = heads[min(self.head, len(heads)) - 1] if self.head else heads.mean(0)
        return [float(weight) for weight in found]

    def caption(self) -> str:
        """Return the most probable class of the text, and which token [CLS] looks at most."""
        label, probability = next(iter(self._probable(self.text).items()))
        weights, pieces = self.weights(), self._classifier.reading(self.text).pieces
        most = max(range(len(weights)), key=lambda place: weights[place])
        return (
            f"The classifier says of “{self.text}”: {label}, with probability {probability:.3f}. "
            f"[CLS] looks most at “{visible(pieces[most])}”, with the weight {weights[most]:.2f}. It answers what you "
            "type in your browser, once it is loaded."
        )

    def still(self) -> str:
        """Return the most probable classes as a table, and the weights of [CLS] as another."""
        probable = list(self._probable(self.text).items())[:CLASSES]
        classes = table(f"What “{self.text}” is", ("class", "p"), [(label, f"{each:.3f}") for label, each in probable])
        pieces = [visible(piece) for piece in self._classifier.reading(self.text).pieces]
        rows = [(piece, f"{weight:.2f}") for piece, weight in zip(pieces, self.weights(), strict=True)]
        return f"{classes}\n{table('Where [CLS] looks', ('token', 'weight'), rows)}"

"""What the figures that compute with a trained model share: which file it is, and what is to be known of it."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any

from traitlets import Int, List, Unicode

from blockbyblock.live.figure import LiveFigure
from blockbyblock.pretrained import MODELS

MODEL = Path(str(MODELS)) / "en-de.safetensors"
LIMITS = (
    "It learned from short, everyday sentences. Rare names, large numbers, emoji and other languages come out as "
    "nonsense, without a warning."
)
NAMES = {
    "en": "English",
    "de": "German",
    "nl": "Dutch",
    "da": "Danish",
    "no": "Norwegian",
    "sv": "Swedish",
    "is": "Icelandic",
    "fr": "French",
    "es": "Spanish",
    "ca": "Catalan",
    "it": "Italian",
    "pt": "Portuguese",
    "ro": "Romanian",
    "pl": "Polish",
    "cs": "Czech",
    "sk": "Slovak",
    "sl": "Slovene",
    "sr": "Serbian",
    "ru": "Russian",
    "uk": "Ukrainian",
    "be": "Belarusian",
    "fi": "Finnish",
    "hu": "Hungarian",
    "tr": "Turkish",
    "az": "Azerbaijani",
}


def digest_of(content: bytes) -> str:
    """What stands for a model's content in its address on a page."""
    return sha256(content).hexdigest()[:12]


def credit(about: Mapping[str, Any]) -> str:
    """What a model is called and whose texts it has learned from, as far as its file says."""
    return ". ".join(about[key] for key in ("title", "terms") if about.get(key))


class ModelFigure(LiveFigure):
    """A figure whose page or notebook can load a model.

    Attributes:
        model: the file's name, without its ending; a page of the book finds it among the models in the box.
        digest: what stands for the file's content.
        size: of the file, in bytes.
        credit: what the model is called and whose texts it has learned from.
        limits: what it has learned from, and what it cannot do, in one line below the figure.
    """

    model = Unicode().tag(sync=True)
    digest = Unicode().tag(sync=True)
    size = Int().tag(sync=True)
    credit = Unicode().tag(sync=True)
    limits = Unicode().tag(sync=True)

    _file: Path

    def __init__(
        self, file: str | PathLike[str], content: bytes, about: Mapping[str, Any], limits: str, **values: Any
    ) -> None:
        """Take the values of a model from its file.

        Args:
            file: the model, as `save_portable` writes it.
            content: what the file holds.
            about: what it says of itself.
            limits: see the attribute.
            values: those of the subclass.
        """
        self._file = Path(file)
        super().__init__(
            model=self._file.stem,
            digest=digest_of(content),
            size=len(content),
            credit=credit(about),
            limits=limits,
            **values,
        )
        self.on_msg(self._answer)

    def _question(self, content: Mapping[str, Any]) -> tuple[dict[str, str], Callable[[], bytes]] | None:
        """The name by which the browser knows the answer to a message, and what finds it; None for no question."""
        return ({"answer": "model"}, self._file.read_bytes) if content == {"ask": "model"} else None

    def _answer(self, figure: Any, content: dict[str, Any], buffers: list[bytes]) -> None:
        """Send the browser what it asks for, or why not. A trait would be stored in the notebook; a message is not.

        A file that cannot be read any more is told, so that the browser does not wait for it.
        """
        if (question := self._question(content)) is None:
            return
        name, find = question
        try:
            self.send(name, [find()])
        except OSError as error:
            self.send(name | {"error": f"{self._file.name} cannot be read: {error.strerror or error}."}, [b""])
        except ValueError as error:
            self.send(name | {"error": str(error)}, [b""])


class TranslationFigure(ModelFigure):
    """A figure of a model that translates.

    Attributes:
        languages: name and code of the source's language, then of the target's.
    """

    languages = List(List(Unicode(), minlen=2, maxlen=2)).tag(sync=True)

    def __init__(
        self, file: str | PathLike[str], content: bytes, about: Mapping[str, Any], limits: str, **values: Any
    ) -> None:
        """Take the languages as well from the file; arguments as for `ModelFigure`."""
        codes = {side: about.get(f"{side}_language", "") for side in ("source", "target")}
        languages = [[NAMES.get(code, side), code] for side, code in codes.items()]
        super().__init__(file, content, about, limits, languages=languages, **values)

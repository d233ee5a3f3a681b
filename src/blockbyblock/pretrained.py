"""The models in the box: trained by this project's own recipes, and loaded without a network."""

from importlib.resources import files
from typing import Any, Literal, overload

from blockbyblock.checks import check_choice
from blockbyblock.portable import load_portable
from blockbyblock.text_classifier import TextClassifier
from blockbyblock.text_generator import TextGenerator
from blockbyblock.text_model import TextModel
from blockbyblock.translator import Translator

MODELS = files("blockbyblock") / "models"


def pretrained_names() -> list[str]:
    """The names of the models in the box."""
    return sorted(
        entry.name.removesuffix(".safetensors") for entry in MODELS.iterdir() if entry.name.endswith("tensors")
    )


@overload
def load_pretrained(name: Literal["en-de", "numbers-en-de"] = "en-de") -> Translator: ...
@overload
def load_pretrained(name: Literal["en"]) -> TextGenerator: ...
@overload
def load_pretrained(name: Literal["languages"]) -> TextClassifier: ...
@overload
def load_pretrained(name: str) -> Any: ...
def load_pretrained(name: str = "en-de") -> Any:
    """Load a model in the box.

    ```python
    load_pretrained("en-de").translate(["Where is the cat?"])
    load_pretrained("en").generate(["The cat"])
    load_pretrained("languages").classify(["einundzwanzig"])
    ```

    Args:
        name: "en-de" (everyday English to German), "numbers-en-de" (numbers in words, 0 to 99,999), "en" (a language
            model of everyday English) or "languages" (the language of a number in words, 0 to 99).

    Raises:
        ValueError: there is no such model.
    """
    check_choice(pretrained_names(), name=name)
    return load_portable(str(MODELS / f"{name}.safetensors"), TextModel)


def model_card(name: str = "en-de") -> str:
    """What is to be known about a model, as Markdown: data, recipe, scores, weaknesses, licence and attribution.

    Raises:
        ValueError: there is no such model.
    """
    check_choice(pretrained_names(), name=name)
    return (MODELS / f"{name}.md").read_text(encoding="utf-8")

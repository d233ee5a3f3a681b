"""The models in the box: trained by this project's own recipes, and loaded without a network."""

from importlib.resources import files

from blockbyblock.checks import check_choice
from blockbyblock.portable import load_portable
from blockbyblock.translator import Translator

MODELS = files("blockbyblock") / "models"


def pretrained_names() -> list[str]:
    """The names of the models in the box."""
    return sorted(
        entry.name.removesuffix(".safetensors") for entry in MODELS.iterdir() if entry.name.endswith("tensors")
    )


def load_pretrained(name: str = "en-de") -> Translator:
    """Load a model in the box.

    ```python
    load_pretrained("en-de").translate(["Where is the cat?"])
    ```

    Args:
        name: "en-de" (everyday English to German) or "numbers-en-de" (numbers in words, 0 to 99,999).

    Raises:
        ValueError: there is no such model.
    """
    check_choice(pretrained_names(), name=name)
    return load_portable(str(MODELS / f"{name}.safetensors"))


def model_card(name: str = "en-de") -> str:
    """What is to be known about a model, as Markdown: data, recipe, scores, weaknesses, licence and attribution.

    Raises:
        ValueError: there is no such model.
    """
    check_choice(pretrained_names(), name=name)
    return (MODELS / f"{name}.md").read_text(encoding="utf-8")

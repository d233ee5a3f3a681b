"""A language model and a classifier of the right form and of no use, so small that a browser runs them at once."""

from typing import Any

import torch
from tiny_translator import BESIDE_SPACE, held_out
from torch import nn

from blockbyblock.classifier import Classifier, ClassifierConfig
from blockbyblock.data import Tokenizer
from blockbyblock.language_model import LanguageModel, LanguageModelConfig
from blockbyblock.text_classifier import TextClassifier
from blockbyblock.text_generator import TextGenerator

LABELS = ("Danish", "Norwegian", "German", "Dutch", "Swedish")
SIZES: dict[str, Any] = {"d_model": 36, "heads": 4, "d_ff": 50, "layers": 3, "max_length": 30}  # they divide oddly
ABOUT = {"title": "Tiny, untrained", "terms": "Nobody's data"}


def tiny_tokenizer() -> Tokenizer:
    """Byte-level BPE of a few hundred tokens."""
    return Tokenizer.train([*held_out(), *[BESIDE_SPACE] * 9], 400)


def tiny_generator(**changes: object) -> TextGenerator:
    """A language model that writes nonsense."""
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    values = {"vocab": len(tokenizer)} | SIZES | changes
    return TextGenerator(_biased(LanguageModel(LanguageModelConfig(**values))), tokenizer, ABOUT)


def tiny_classifier(**changes: object) -> TextClassifier:
    """A classifier that guesses."""
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    values = {"vocab": len(tokenizer), "classes": len(LABELS)} | SIZES | changes
    model = _biased(Classifier(ClassifierConfig(**values)))
    return TextClassifier(model, tokenizer, ABOUT | {"labels": list(LABELS)})


def _biased(model: nn.Module) -> Any:
    """A bias is zero in a new model: one that is left out would not be noticed. A new output hardly differs by class."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.5)
    return model

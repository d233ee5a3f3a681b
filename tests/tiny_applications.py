"""A language model and a classifier of the right form and of no use, so small that a browser runs them at once."""

from collections.abc import Callable
from typing import Any

import torch
from tiny_translator import BESIDE_SPACE, LESSONS, held_out
from torch import Tensor, nn

from blockbyblock.classifier import Classifier, ClassifierConfig
from blockbyblock.data import Tokenizer
from blockbyblock.data.batches import pad_rows
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


def taught_generator(steps: int = 150) -> TextGenerator:
    """The same language model, once it has learned a few sentences by heart: what it writes has words and an end."""
    generator = tiny_generator()
    tokenizer = generator.tokenizer
    rows = pad_rows([[*generator.encode(text), tokenizer.end_id] for text, _ in LESSONS])

    def loss() -> Tensor:
        logits = generator.model(rows[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), ignore_index=0)

    _learn(generator.model, loss, steps)
    return generator


NUMBERS = {
    "Danish": ("enogtyve", "femoghalvtreds", "halvfems"),
    "Norwegian": ("tjueen", "femtifem", "nitti"),
    "German": ("einundzwanzig", "fünfundfünfzig", "neunzig"),
    "Dutch": ("eenentwintig", "vijfenvijftig", "negentig"),
    "Swedish": ("tjugoett", "femtiofem", "nittio"),
}


def taught_classifier(steps: int = 100) -> TextClassifier:
    """The same classifier, once it has learned a few number names by heart."""
    classifier = tiny_classifier()
    texts = [(text, LABELS.index(label)) for label, names in NUMBERS.items() for text in names]
    rows, labels = pad_rows([classifier.encode(text) for text, _ in texts]), torch.tensor([each for _, each in texts])
    _learn(classifier.model, lambda: nn.functional.cross_entropy(classifier.model(rows), labels), steps)
    return classifier


def _learn(model: nn.Module, loss: Callable[[], Tensor], steps: int) -> None:
    optimizer = torch.optim.Adam(model.train().parameters(), lr=4e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    model.eval()


def _biased(model: nn.Module) -> Any:
    """The same model with biases, which are zero in a new one: one that is left out would not be noticed."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.5)
    return model

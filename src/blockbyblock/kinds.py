"""The three kinds of model of this book, by the task that each is for."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import nn

from blockbyblock.classifier import Classifier, ClassifierConfig
from blockbyblock.language_model import LanguageModel, LanguageModelConfig
from blockbyblock.transformer import Transformer, TransformerConfig

Model = Transformer | LanguageModel | Classifier
ModelConfig = TransformerConfig | LanguageModelConfig | ClassifierConfig


class Kind(NamedTuple):
    """A model and its configuration."""

    config: type[Any]
    model: type[Any]


KINDS: Mapping[str, Kind] = {
    "translation": Kind(TransformerConfig, Transformer),
    "generation": Kind(LanguageModelConfig, LanguageModel),
    "classification": Kind(ClassifierConfig, Classifier),
}
TRANSLATION = "translation"  # what a file is for that says nothing about it: there was nothing else at first


def task_of(config: ModelConfig) -> str:
    """What a model of this configuration is for."""
    return next(task for task, kind in KINDS.items() if type(config) is kind.config)


def new_model(task: str, config: Mapping[str, Any]) -> Any:
    """An untrained model.

    Raises:
        TypeError, ValueError: these values are no configuration of such a model.
    """
    if task not in KINDS:
        raise ValueError(f"task={task!r} is not one of {', '.join(KINDS)}")
    kind = KINDS[task]
    return kind.model(kind.config(**config))


def vocabularies(config: ModelConfig) -> dict[str, int]:
    """The size of each vocabulary of a model, by the name of what is in it."""
    if isinstance(config, TransformerConfig):
        return {"source": config.source_vocab, "target": config.target_vocab}
    return {"": config.vocab}


def parts(model: nn.Module) -> dict[str, int]:
    """The learned parameters of each part of a model, each one counted once, where it stands first."""
    seen: set[int] = set()
    counts = {}
    for name, part in model.named_children():
        new = {id(parameter): parameter.numel() for parameter in part.parameters() if id(parameter) not in seen}
        seen |= new.keys()
        counts[name] = sum(new.values())
    return counts

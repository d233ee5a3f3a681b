"""A training run as a file: everything that decides what it ends with.

```toml
title = "Number names, English to German"
seed = 0
vocab_size = 400
batch_tokens = 1024

[corpus]                # the function of blockbyblock.data, and its arguments; it decides what is to be learned
name = "number-names"
target = "de"

[model]                 # TransformerConfig, LanguageModelConfig or ClassifierConfig; its vocabulary is the tokenizer's
d_model = 128

[training]              # TrainingConfig
steps = 1300

[[stages]]              # optional: what holds instead up to an update
until = 200
set = ["bpe_dropout=0.1"]
```
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import torch

from blockbyblock.checks import check_choice, check_positive, check_probability
from blockbyblock.data import (
    AnyCorpus,
    Batches,
    BpeDropout,
    Corpus,
    Encoded,
    LabelledCorpus,
    Tokenizer,
    encode_labelled,
    encode_pairs,
    encode_texts,
    labelled_text,
    multi30k,
    number_languages,
    number_names,
    parallel_text,
    plain_text,
    tatoeba,
    tatoeba_sentences,
    to_pairs,
)
from blockbyblock.kinds import KINDS, TRANSLATION, Model, ModelConfig
from blockbyblock.texts import read_text
from blockbyblock.training.config import TrainingConfig
from blockbyblock.training.own_text import OWN_TEXT, OWN_TEXTS, located
from blockbyblock.training.processes import Processes
from blockbyblock.training.recipe_box import recipe_names, recipe_text

CORPORA: Mapping[str, Callable[..., AnyCorpus]] = {
    "number-names": number_names,
    "multi30k": multi30k,
    "tatoeba": tatoeba,
    OWN_TEXT: parallel_text,
    "tatoeba-sentences": tatoeba_sentences,
    "plain-text": plain_text,
    "number-languages": number_languages,
    "labelled-text": labelled_text,
}
TASKS = {  # what is learned from a corpus, if not translation
    "tatoeba-sentences": "generation",
    "plain-text": "generation",
    "number-languages": "classification",
    "labelled-text": "classification",
}
Part = Literal["train", "validation", "test"]
OF_TOKENIZER = {"source_vocab", "target_vocab", "vocab", "pad_id", "start_id", "end_id", "cls_id"}
CHANGING = {"bpe_dropout", "training"}  # all that may be different in another part of one training


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a training run ends with.

    Attributes:
        title: what to call the result.
        seed: of the first weights, of the order of the data, and of dropout.
        vocab_size: the largest number of tokens of the vocabulary, joint for both languages of a translation.
        batch_tokens: the budget of a batch, on each side, padding included.
        bpe_dropout: probability with which `BpeDropout` passes over a merge when training text is read; 0 for none.
        corpus: "name", one of `CORPORA`, and arguments of that function; a range of numbers as [start, stop].
        model: fields of the configuration of the corpus's kind of model (`TASKS`): `TransformerConfig`,
            `LanguageModelConfig` or `ClassifierConfig`.
        training: fields of `TrainingConfig`.
        stages: one after the other, each with "until", the update at which it ends, and "set", what holds until then
            instead, written as for `changed`: bpe_dropout and values of training. After the last one the recipe itself
            holds.

    Raises:
        ValueError: a value is out of range, unknown, or decided elsewhere.
    """

    title: str
    corpus: Mapping[str, Any]
    vocab_size: int = 8000
    batch_tokens: int = 2048
    bpe_dropout: float = 0.0
    seed: int = 0
    model: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    stages: Sequence[Mapping[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or self.seed < 0:
            raise ValueError(f"seed={self.seed!r} must be a whole number, zero or above")
        check_positive(vocab_size=self.vocab_size, batch_tokens=self.batch_tokens)
        check_probability(bpe_dropout=self.bpe_dropout)
        check_choice(list(CORPORA), corpus_name=self.corpus.get("name", ""))
        _check_keys("corpus", self.corpus, {"name", *signature(CORPORA[self.corpus["name"]]).parameters})
        known = {item.name for item in fields(KINDS[self.task].config)}
        _check_keys("model", self.model, known - OF_TOKENIZER - {"classes"})
        _check_keys("training", self.training, {item.name for item in fields(TrainingConfig)} - {"seed"})
        self.model_config(self.vocab_size)
        self.training_config()
        if self.stages:
            self._check_stages()

    @property
    def task(self) -> str:
        """What is to be learned: "translation", "generation" or "classification"."""
        return TASKS.get(self.corpus["name"], TRANSLATION)

    def load_corpus(self, folder: str | PathLike[str] | None = None) -> Any:
        """The text: a `Corpus`, `TextCorpus` or `LabelledCorpus`.

        Args:
            folder: where its files lie, for a corpus that has files; not given, where that corpus's function looks.
                For the user's own text as `located` says.

        Raises:
            ValueError, FileNotFoundError, DownloadError: as that function says; or an argument is missing, or of the
                wrong kind.
        """
        arguments = located(self.corpus, folder)
        name = arguments.pop("name")
        function, (needed, *more) = CORPORA[name], OWN_TEXTS.get(name, (None,))
        if needed and needed not in arguments:
            also = "".join(f", and corpus.{path}=FILE if it is in two" for path in more)
            raise ValueError(f"the recipe names no text: set corpus.{needed}=FILE{also}")
        try:
            if "folder" in signature(function).parameters:
                arguments.setdefault("folder", folder)
            if "numbers" in arguments:
                arguments["numbers"] = range(*arguments["numbers"])
            return function(**arguments)
        except TypeError as error:
            raise ValueError(f"the recipe's [corpus] does not fit {function.__name__}: {error}") from error

    def located(self, folder: str | PathLike[str] | None = None) -> "Recipe":
        """The same recipe with the paths of the user's own text in full, so that it holds from any folder.

        Args:
            folder: where relative paths begin, and where a file is looked for that is no longer in its old place; not
                given, the current folder.

        Raises:
            ValueError: what should be the name of a file is none.
        """
        return replace(self, corpus=located(self.corpus, folder))

    def model_config(self, vocab: int, labels: Sequence[str] = ()) -> ModelConfig:
        """The sizes of the model.

        Args:
            vocab: number of tokens of the vocabulary.
            labels: the names of a classifier's classes.
        """
        if self.task == TRANSLATION:
            sizes = {"source_vocab": vocab, "target_vocab": vocab}
        else:
            classes = {"classes": len(labels)} if labels and self.task == "classification" else {}
            sizes = {"vocab": vocab, **classes}
        return KINDS[self.task].config(**sizes, **self.model)

    def training_config(self) -> TrainingConfig:
        """How the model is trained."""
        betas = {"betas": tuple(self.training["betas"])} if "betas" in self.training else {}  # files have lists only
        return TrainingConfig(**{**self.training, **betas, "seed": self.seed})

    def tokenizer(self, corpus: AnyCorpus) -> Tokenizer:
        """The vocabulary, learned from the training text."""
        return Tokenizer.train(corpus.training_text(), self.vocab_size)

    def new_model(self, vocab: int, labels: Sequence[str] = ()) -> Model:
        """The model before its first step, on the CPU; arguments as for `model_config`."""
        torch.manual_seed(self.seed)
        return KINDS[self.task].model(self.model_config(vocab, labels))

    def batches(self, tokenizer: Tokenizer, corpus: AnyCorpus, processes: Processes) -> Batches:
        """The share of this process of the batches that the training text makes; over-long examples are left out."""
        resample = BpeDropout(tokenizer, self.bpe_dropout) if self.bpe_dropout else None
        return self._batches(tokenizer, encoded(tokenizer, corpus, "train"), processes, resample)

    def validation_batches(self, tokenizer: Tokenizer, corpus: AnyCorpus, processes: Processes) -> Batches | None:
        """As `batches`, of the validation text, without BPE-dropout; None where the corpus has none."""
        examples = encoded(tokenizer, corpus, "validation")
        return self._batches(tokenizer, examples, processes, None) if examples else None

    def _batches(
        self, tokenizer: Tokenizer, examples: Sequence[Encoded], processes: Processes, resample: BpeDropout | None
    ) -> Batches:
        return Batches(
            examples,
            self.batch_tokens,
            seed=self.seed,
            max_length=self.model_config(len(tokenizer)).max_length,
            over_long="leave out",
            resample=resample,
            rank=processes.rank,
            ranks=processes.count,
        )

    def plan(self) -> list[tuple["Recipe", int]]:
        """What holds up to which update: each stage, then the recipe itself. None goes beyond its `training.steps`."""
        plain = replace(self, stages=[])
        whole = plain.training_config().steps
        stages = [(plain.changed(stage["set"]), stage["until"]) for stage in self.stages]
        return [(stage, min(until, stage.training_config().steps, whole)) for stage, until in (*stages, (plain, whole))]

    def _check_stages(self) -> None:
        last = 0
        for number, stage in enumerate(self.stages, start=1):
            _check_keys(f"stage {number}", stage, {"until", "set"})
            until, changes = stage.get("until", 0), stage.get("set")
            check_positive(until=until)
            if until <= last:
                raise ValueError(f"stage {number} ends at update {until}, but the one before it at {last}")
            if not isinstance(changes, (list, tuple)) or not all(isinstance(change, str) for change in changes):
                raise ValueError(f'stage {number} needs a list of changes, set = ["bpe_dropout=0.1"], not {changes!r}')
            last = until
        *plan, (plain, _) = self.plan()
        kept = {item.name for item in fields(self)} - CHANGING
        for number, (other, _) in enumerate(plan, start=1):
            if changed := sorted(name for name in kept if getattr(other, name) != getattr(plain, name)):
                raise ValueError(f"stage {number} cannot change {', '.join(changed)}: a training keeps it to its end")

    def changed(self, changes: Iterable[str]) -> "Recipe":
        """The same recipe with other values.

        Args:
            changes: "training.steps=100", "seed=1"; a value is written as in a recipe, and a word needs no quotes.

        Raises:
            ValueError: a change is no such text, or its value is refused.
        """
        values = asdict(self)
        for change in changes:
            path, separator, text = change.partition("=")
            *sections, key = path.strip().split(".")
            if not separator or len(sections) > 1:
                raise ValueError(f"{change!r} is not like training.steps=100 or seed=1")
            place = values.get(sections[0]) if sections else values
            if not isinstance(place, dict):
                raise ValueError(f"{change!r}: a recipe has no section {sections[0]!r}")
            place[key] = _value(text.strip())
        return from_values(values)


def encoded(tokenizer: Tokenizer, corpus: AnyCorpus, part: Part) -> Sequence[Encoded]:
    """One part of a corpus in ids."""
    if isinstance(corpus, Corpus):
        return encode_pairs(tokenizer, corpus.train if part == "train" else to_pairs(getattr(corpus, part)))
    if isinstance(corpus, LabelledCorpus):
        return encode_labelled(tokenizer, getattr(corpus, part), corpus.labels)
    return encode_texts(tokenizer, getattr(corpus, part))


def read_recipe(path: str | PathLike[str]) -> Recipe:
    """Read a recipe from a TOML file, or one in the box by its name (`recipe_names()`).

    Raises:
        FileNotFoundError: there is no such file, and no such name.
        ValueError: it is no recipe; the message begins with the file's name.
    """
    names = recipe_names()
    if not Path(path).exists() and str(path) not in names:
        raise FileNotFoundError(f"no recipe {str(path)!r}: neither a file, nor one of {', '.join(names)}")
    text = read_text(path) if Path(path).exists() else recipe_text(str(path))
    try:
        return from_values(tomllib.loads(text))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def from_values(values: Mapping[str, Any]) -> Recipe:
    """A recipe from what a file holds.

    Raises:
        ValueError: a value is missing, unknown or refused.
    """
    _check_keys("a recipe", values, {item.name for item in fields(Recipe)})
    for name in ("title", "corpus"):
        if name not in values:
            raise ValueError(f"a recipe needs {name!r}")
    stages = values.get("stages", [])
    if not isinstance(stages, (list, tuple)) or not all(isinstance(stage, Mapping) for stage in stages):
        raise ValueError(f"stages must be sections, [[stages]], and not {stages!r}")
    for name in ("corpus", "model", "training"):
        if not isinstance(values.get(name, {}), Mapping):
            raise ValueError(f"{name} must be a section, [{name}], and not {values[name]!r}")
    try:
        return Recipe(**values)
    except TypeError as error:  # a text where a number is due
        raise ValueError(f"a value has the wrong kind: {error}") from error


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _check_keys(place: str, values: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(values.keys() - known):
        raise ValueError(f"{place} has no {', '.join(unknown)}; it knows {', '.join(sorted(known))}")

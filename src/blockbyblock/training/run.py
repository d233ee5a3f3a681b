"""A recipe carried out: a folder in which a training begins, goes on, and leaves a translator."""

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from blockbyblock.data import AnyCorpus, Batches, Tokenizer
from blockbyblock.files import write_atomically
from blockbyblock.kinds import KINDS, parts
from blockbyblock.portable import TEXT_MODELS
from blockbyblock.texts import read_text
from blockbyblock.training.checkpoint import CheckpointFolder
from blockbyblock.training.own_text import by_name
from blockbyblock.training.processes import Processes, processor_name
from blockbyblock.training.recipe import CHANGING, Recipe, from_values
from blockbyblock.training.trainer import AVERAGED, Outcome, Trainer
from blockbyblock.weights import load_weights

RUN, TOKENIZER = "run.json", "tokenizer.json"
DESCRIBED = ("name", "terms", "sha256", "sentences")  # of each corpus, besides what it says about itself


@dataclass(frozen=True)
class Run:
    """What `run.json` in the folder of a training says.

    Attributes:
        recipe: what decides the result.
        corpus: name, sizes, terms and hashes of the text.
        machine: processor, number of threads and processes, versions: what decides the last digits.
    """

    recipe: Recipe
    corpus: Mapping[str, Any]
    machine: Mapping[str, Any]


def carry_out(
    recipe: Recipe,
    corpus: AnyCorpus,
    folder: str | PathLike[str],
    *,
    resume: bool = False,
    processes: Processes | None = None,
    progress: bool = True,
    report: Callable[[str], None] | None = None,
) -> Outcome:
    """Train as the recipe says; what the folder holds at the end is a `TextModel` for `open_run`.

    Args:
        recipe: what to do.
        corpus: from `recipe.load_corpus`.
        folder: made if it is not there.
        resume: go on from the newest checkpoint in the folder; from the beginning if there is none. What is new in
            `training`, `stages` and `bpe_dropout` of the recipe holds from there on; the rest must be as it was.
        processes: who takes part, from `join_processes`.
        progress: whether to show a progress bar.
        report: called by the leading process with a few lines about text, batches and model, before training begins.

    Raises:
        ValueError: the folder was begun with another recipe, or another text.
        FileExistsError, CheckpointError, FloatingPointError, OSError: as `Trainer.train` says.
    """
    processes = Processes() if processes is None else processes
    checkpoints = CheckpointFolder(Path(folder))
    begun = checkpoints.newest() is not None
    tokenizer = Tokenizer.load(checkpoints.path / TOKENIZER) if begun else recipe.tokenizer(corpus)
    validation = recipe.validation_batches(tokenizer, corpus, processes)
    *stages, (last, _) = recipe.plan()
    for number, (stage, until) in enumerate([*stages, (last, None)]):
        batches = stage.batches(tokenizer, corpus, processes)
        trainer = Trainer(
            stage.new_model(len(tokenizer), corpus.about().get("labels", ())),
            batches,
            stage.training_config(),
            checkpoints.path,
            validation=validation,
            processes=processes,
            progress=progress,
        )
        if number == 0:
            run = Run(recipe, _describe(corpus), _machine(processes))
            _prepare(checkpoints.path, run, tokenizer, begun=begun, writes=processes.leads and (resume or not begun))
            if processes.leads and report is not None:
                for text in (*corpus.reports, corpus, _summary(batches, trainer, len(tokenizer)), *_stages(recipe)):
                    report(str(text))
        outcome = trainer.train(resume=resume or number > 0, until=until)
        if outcome.reason == "interrupted":
            break
    return outcome


def _prepare(folder: Path, run: Run, tokenizer: Tokenizer, *, begun: bool, writes: bool) -> None:
    """See that the folder is of this run, and write what a translator needs besides weights."""
    if begun:
        _require_same(folder, read_run(folder), run)
    if writes:
        if not begun:  # else it was read from there, and another process may be reading it now
            tokenizer.save(folder / TOKENIZER)
        write_atomically(folder / RUN, json.dumps(asdict(run), indent=2).encode())


def read_run(folder: str | PathLike[str]) -> Run:
    """What the folder of a training says about it.

    Raises:
        FileNotFoundError: it is no such folder.
        ValueError: the file is damaged; the message begins with its name.
    """
    path = Path(folder) / RUN
    text = read_text(path)
    try:
        values = json.loads(text)
        corpus = values["corpus"]
        if missing := [key for key in DESCRIBED if key not in corpus]:
            raise KeyError(*missing)
        return Run(from_values(values["recipe"]), corpus, values["machine"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not say how the model was trained: {error!r}") from error


def open_run(path: str | PathLike[str]) -> Any:
    """What a training has made, or has got to: a `Translator`, `TextGenerator` or `TextClassifier`.

    Args:
        path: the folder: its averaged weights, or if it has not ended its newest checkpoint; or one file in it.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a file cannot be used; its name is in the message.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    run = read_run(folder)
    tokenizer = Tokenizer.load(folder / TOKENIZER)
    weights = path
    if path.is_dir():
        newest = CheckpointFolder(folder).newest()
        finished = folder / AVERAGED
        if newest is None and not finished.exists():
            raise FileNotFoundError(f"{folder} holds no checkpoint yet")
        weights = finished if newest is None or finished.exists() else newest
    kind = KINDS[run.recipe.task]
    with torch.random.fork_rng(devices=[]):
        model = kind.model(run.recipe.model_config(len(tokenizer), run.corpus.get("labels", ())))
    load_weights(weights, model)
    return TEXT_MODELS[run.recipe.task](model, tokenizer, about(run))


def about(run: Run) -> dict[str, Any]:
    """What a model says about its origin."""
    corpus = {key: value for key, value in run.corpus.items() if key not in ("name", "sentences")}
    return {"title": run.recipe.title, "corpus": run.corpus["name"], **corpus, "recipe": asdict(run.recipe)}


def _summary(batches: Batches, trainer: Trainer, vocab: int) -> str:
    parameters = sum(parts(trainer.model).values())
    return (
        f"{parameters:,} parameters, {vocab:,} tokens in the vocabulary; an epoch has {len(batches):,} batches, "
        f"{batches.padding():.1%} of them padding; {len(batches.left_out):,} over-long examples are left out"
    )


def _stages(recipe: Recipe) -> list[str]:
    return [f"up to update {stage['until']:,}: {', '.join(stage['set'])}" for stage in recipe.stages]


def _describe(corpus: AnyCorpus) -> dict[str, Any]:
    return {
        "name": corpus.name,
        **corpus.about(),
        "terms": corpus.terms,
        "sha256": dict(corpus.sha256),
        "sentences": {"train": len(corpus.train), "validation": len(corpus.validation), "test": len(corpus.test)},
    }


def _machine(processes: Processes) -> dict[str, Any]:
    return {
        "processor": processor_name(processes.device),
        "threads": torch.get_num_threads(),
        "processes": processes.count,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _require_same(folder: Path, begun: Run, run: Run) -> None:
    """Refuse to go on with another model, or with text in another order."""
    before, now = (
        {
            **asdict(each.recipe),
            "corpus": by_name(each.recipe.corpus),  # the text's hash says whether it is the same one
            "text": {key: each.corpus[key] for key in ("sha256", "sentences")},
        }
        for each in (begun, run)
    )
    differences = [
        f"{name}={before[name]!r} in the folder and {now[name]!r} now"
        for name in before
        if name not in {"title", "stages", *CHANGING} and before[name] != now[name]
    ]
    if differences:
        raise ValueError(f"{folder} was begun with another recipe or text: {'; '.join(differences)}")

"""A language model and a classifier are trained as a translator is: by recipe, resumed bit for bit, averaged."""

import json
import shutil

import pytest
import torch
from training_run import everything, raise_at

from blockbyblock.data import number_names
from blockbyblock.kinds import KINDS, new_model
from blockbyblock.portable import load_portable, save_portable
from blockbyblock.text_classifier import TextClassifier
from blockbyblock.text_generator import TextGenerator
from blockbyblock.text_model import TextModel
from blockbyblock.text_scores import text_losses, total_loss
from blockbyblock.training import Processes, average_files, carry_out, open_run, read_run
from blockbyblock.training.loss import batch_loss
from blockbyblock.training.recipe import encoded, from_values
from blockbyblock.training.validation import validation_loss
from blockbyblock.translator import Translator
from blockbyblock.weights import CheckpointError, load_weights, read_tensors

ALONE = Processes(device=torch.device("cpu"))
VALUES = {
    "title": "Tiny",
    "seed": 3,
    "vocab_size": 280,
    "batch_tokens": 200,
    "bpe_dropout": 0.1,
    "model": {"d_model": 16, "heads": 2, "d_ff": 16, "layers": 1, "max_length": 64, "dropout": 0.1},
    "training": {
        "steps": 5, "schedule": "constant", "peak": 1e-3, "warmup": 1, "log_every": 1, "checkpoint_every": 2,
        "average": 2,
    },
}  # fmt: skip
LABELS = {"name": "number-languages", "languages": ["de", "nl", "da"], "train": 12, "validation": 4, "test": 4}
TASKS = {"generation": TextGenerator, "classification": TextClassifier}
LAST = "step_00000005.safetensors"


@pytest.fixture(scope="module", params=TASKS)
def task(request):
    return request.param


@pytest.fixture(scope="module")
def recipe(task, tmp_path_factory):
    if task == "classification":
        return from_values({**VALUES, "corpus": LABELS})
    path = tmp_path_factory.mktemp("text") / "mine.txt"
    lines = [pair.source for pair in number_names(numbers=range(100), train=50, validation=0, test=0).train]
    path.write_text("\n".join(lines), encoding="utf-8")
    return from_values({**VALUES, "corpus": {"name": "plain-text", "file": str(path)}})


def carry(recipe, folder, **more):
    return carry_out(recipe, recipe.load_corpus(), folder, processes=ALONE, progress=False, **more)


@pytest.fixture(scope="module")
def trained(recipe, tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    assert carry(recipe, folder).reason == "finished"
    return folder


def answers(model: TextModel):
    texts = ["twenty-one", "", "sieben"]
    if isinstance(model, TextClassifier):
        return [[*decision.probabilities.items()] for decision in model.classify(texts)]
    return model.generate(texts, seed=1, max_length=9)


def test_a_recipe_leaves_a_model_for_its_task(task, recipe, trained):
    model, run = open_run(trained), read_run(trained)
    assert type(model) is TASKS[task]
    assert recipe.task == task
    assert type(model.model) is KINDS[task].model
    assert run.recipe == recipe
    assert from_values(model.about["recipe"]) == recipe
    corpus = recipe.load_corpus()
    assert {key: model.about[key] for key in corpus.about()} == corpus.about()
    assert run.corpus["sentences"]["train"] == len(corpus.train)
    _, values = read_tensors(trained / LAST)
    assert values["task"] == task


def test_a_training_that_was_killed_ends_with_the_same_bits(recipe, trained, tmp_path, monkeypatch):
    def crash():
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        raise_at(patch, 4, crash)
        with pytest.raises(RuntimeError, match="power cut"):
            carry(recipe, tmp_path)
    torch.manual_seed(99)
    assert carry(recipe, tmp_path, resume=True).step == 5
    assert everything(tmp_path / LAST) == everything(trained / LAST)
    averaged = "averaged.safetensors"
    assert (tmp_path / averaged).read_bytes() == (trained / averaged).read_bytes()


def test_averaged_weights_are_opened_and_written_again(trained, tmp_path):
    steps = [trained / f"step_{step:08}.safetensors" for step in (4, 5)]
    average_files(steps, tmp_path / "mean.safetensors")
    assert (tmp_path / "mean.safetensors").read_bytes() == (trained / "averaged.safetensors").read_bytes()
    found = [read_tensors(path)[0]["model.embedding.table.weight"] for path in (*steps, tmp_path / "mean.safetensors")]
    torch.testing.assert_close(found[2], (found[0] + found[1]) / 2)


def test_an_exported_model_gives_the_same_answers(task, trained, tmp_path):
    model, path = open_run(trained), tmp_path / "model.safetensors"
    save_portable(path, model, "float32")
    loaded = load_portable(path, TASKS[task])
    assert loaded.about == model.about
    assert answers(loaded) == answers(model)
    save_portable(path, model)
    assert type(load_portable(path, TextModel)) is TASKS[task]
    other = next(kind for name, kind in TASKS.items() if name != task)
    for kind in (other, Translator):
        with pytest.raises(ValueError, match=rf"model\.safetensors is a model for {task}, and one for {kind.task} is"):
            load_portable(path, kind)


def test_a_checkpoint_of_another_task_is_refused_by_name(task, recipe, trained, tmp_path):
    other = next(name for name in TASKS if name != task)
    sizes = {"vocab": 280, "d_model": 16, "heads": 2, "d_ff": 16, "layers": 1, "max_length": 64, "dropout": 0.1}
    model = KINDS[other].model(KINDS[other].config(**sizes))
    message = rf"{LAST}.*task='{task}' in the file and '{other}' in the model"
    with pytest.raises(CheckpointError, match=message):
        load_weights(trained / LAST, model)
    shutil.copytree(trained, tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["recipe"]["corpus"] = LABELS if other == "classification" else {"name": "plain-text"}
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(CheckpointError, match=rf"task='{task}' in the file and '{other}' in the model"):
        open_run(tmp_path / "run")


def test_a_task_is_one_of_three():
    with pytest.raises(ValueError, match="task='music' is not one of translation, generation, classification"):
        new_model("music", {})
    assert from_values({**VALUES, "model": {}, "corpus": {"name": "number-names"}}).task == "translation"


def test_validation_is_per_token_or_per_text_and_counts_every_class(task, recipe, trained):
    model, corpus = open_run(trained), recipe.load_corpus()
    found = validation_loss(model.model, recipe.validation_batches(model.tokenizer, corpus, ALONE), ALONE)
    if task == "generation":
        assert found == pytest.approx(total_loss(text_losses(model, corpus.validation)).loss, rel=1e-4)
    else:
        rows = model.probabilities([text for text, _ in corpus.validation])
        own = torch.tensor([model.labels.index(label) for _, label in corpus.validation])
        assert found == pytest.approx(float(-rows.gather(1, own[:, None]).log().mean()), rel=1e-4)


def test_the_loss_of_a_batch_is_smoothed_over_what_is_asked_for(task, recipe, trained):
    model, corpus = open_run(trained), recipe.load_corpus()
    examples = encoded(model.tokenizer, corpus, "test")
    batch = examples[0].batch(examples)
    logits = model.model(*batch.inputs)
    found = batch_loss(logits, batch, 0.1)
    wide = torch.nn.functional.cross_entropy(
        logits.flatten(0, -2), batch.target.flatten(), ignore_index=batch.ignored, label_smoothing=0.1, reduction="sum"
    )
    torch.testing.assert_close(found.smoothed, wide)
    assert batch.predictions == (len(examples) if task == "classification" else sum(row.length for row in examples))


def test_two_processes_share_the_batches(recipe):
    corpus = recipe.load_corpus()
    tokenizer = recipe.tokenizer(corpus)
    shares = [recipe.batches(tokenizer, corpus, Processes(rank, 2, torch.device("cpu"))) for rank in (0, 1)]
    assert len(shares[0]) == len(shares[1])
    assert sum(len(batch.target) for share in shares for batch in share.epoch(0)) == len(corpus.train)
    for batch in shares[0].epoch(1):  # cut anew, and still after its first token
        assert (batch.inputs[0][:, 0] == tokenizer.start_id).all()


@pytest.mark.parametrize("key", ["classes", "cls_id", "vocab", "encoder_layers"])
def test_what_corpus_and_tokenizer_decide_is_no_choice(key):
    with pytest.raises(ValueError, match=f"model has no {key}"):
        from_values({**VALUES, "corpus": LABELS, "model": {key: 2}})

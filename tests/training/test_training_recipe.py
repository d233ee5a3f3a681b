"""A recipe decides everything, refuses what it does not know, and is carried out in a folder."""

import json
import re
import signal
from dataclasses import replace

import pytest
import torch
from training_run import everything, raise_at

from blockbyblock.data import Tokenizer, encode_pairs, number_names, to_pairs
from blockbyblock.kinds import KINDS, TRANSLATION
from blockbyblock.pretrained import pretrained_names
from blockbyblock.training import (
    Outcome,
    Processes,
    Trainer,
    carry_out,
    open_run,
    read_recipe,
    read_run,
    recipe_names,
    recipe_text,
)
from blockbyblock.training.own_text import OWN_TEXT, located
from blockbyblock.training.recipe import CORPORA, Recipe, from_values
from blockbyblock.training.run import about
from blockbyblock.weights import CheckpointError, model_weights

ALONE = Processes(device=torch.device("cpu"))
TINY = {
    "title": "Tiny",
    "seed": 3,
    "vocab_size": 280,
    "batch_tokens": 200,
    "corpus": {"name": "number-names", "train": 40, "validation": 8, "test": 8, "numbers": [0, 100]},
    "model": {"d_model": 16, "heads": 2, "d_ff": 16, "encoder_layers": 1, "decoder_layers": 1, "max_length": 64},
    "training": {
        "steps": 4,
        "schedule": "constant",
        "peak": 1e-3,
        "warmup": 1,
        "log_every": 2,
        "checkpoint_every": 2,
        "average": 2,
    },
}


@pytest.fixture
def recipe():
    return from_values(TINY)


@pytest.mark.parametrize("name", recipe_names())
def test_each_recipe_in_the_box_is_one(name):
    recipe = read_recipe(name)
    config = recipe.model_config(recipe.vocab_size, ("one", "two"))
    assert type(config) is KINDS[recipe.task].config
    assert recipe.task != TRANSLATION or config.tying == "three-way"
    assert recipe.training_config().steps > 0
    assert f"blockbyblock train {name} " in recipe_text(name)


def test_there_is_a_recipe_for_each_corpus_and_none_has_the_name_of_a_model():
    assert {read_recipe(name).corpus["name"] for name in recipe_names()} == CORPORA.keys()
    assert not {*recipe_names()} & {*pretrained_names()}  # `blockbyblock info` knows both


def test_a_recipe_is_found_by_its_name_from_any_folder_and_a_file_of_that_name_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_recipe("number-names-en-de").title == "Number names, English to German"
    with pytest.raises(
        FileNotFoundError, match=r"no recipe 'numbers': neither a file, nor one of multi30k-en-de, numb"
    ):
        read_recipe("numbers")
    changed = recipe_text("number-names-en-de").replace("Number names", "My numbers")
    (tmp_path / "number-names-en-de").write_text(changed, encoding="utf-8")
    assert read_recipe("number-names-en-de").title == "My numbers, English to German"


def test_everything_in_a_file_arrives(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'title = "Mine"\nseed = 5\nvocab_size = 300\nbatch_tokens = 99\n'
        '[corpus]\nname = "number-names"\ntarget = "fr"\n[model]\nd_model = 24\nheads = 3\n'
        "[training]\nsteps = 7\nbetas = [0.8, 0.9]\n",
        encoding="utf-8",
    )
    recipe = read_recipe(path)
    assert (recipe.title, recipe.seed, recipe.vocab_size, recipe.batch_tokens) == ("Mine", 5, 300, 99)
    config, training = recipe.model_config(290), recipe.training_config()
    assert (config.source_vocab, config.target_vocab, config.d_model, config.heads) == (290, 290, 24, 3)
    assert (training.steps, training.betas, training.seed) == (7, (0.8, 0.9), 5)
    assert recipe.load_corpus().target_language == "fr"


@pytest.mark.parametrize(
    "text, message",
    [
        ("title = ", "Invalid value"),
        ('[corpus]\nname = "multi30k"', "a recipe needs 'title'"),
        ('title = "T"', "a recipe needs 'corpus'"),
        ('title = "T"\ncorpus = "multi30k"', "corpus must be a section"),
        ('title = "T"\nsteps = 3\n[corpus]\nname = "multi30k"', "a recipe has no steps; it knows batch_tokens"),
        ('title = "T"\n[corpus]\nname = "wmt"', "corpus_name='wmt' is not one of number-names"),
        ('title = "T"\n[corpus]\nname = "multi30k"\nsize = 3', "corpus has no size"),
        ('title = "T"\n[corpus]\nname = "multi30k"\n[model]\nsource_vocab = 3', "model has no source_vocab"),
        ('title = "T"\n[corpus]\nname = "multi30k"\n[training]\nseed = 3', "training has no seed"),
        ('title = "T"\n[corpus]\nname = "multi30k"\n[model]\nd_model = 10', "d_model=10 is not divisible by heads=8"),
        ('title = "T"\n[corpus]\nname = "multi30k"\n[training]\nsteps = 0', "steps=0 must be a whole number above"),
        ('title = "T"\n[corpus]\nname = "multi30k"\n[training]\neps = "x"', "a value has the wrong kind"),
        ('title = "T"\nstages = "x"\n[corpus]\nname = "multi30k"', "stages must be sections, .*, and not 'x'"),
        ('title = "T"\nstages = [3]\n[corpus]\nname = "multi30k"', r"stages must be sections, .*, and not \[3\]"),
        ('title = "T"\nstages = 3\n[corpus]\nname = "multi30k"', "stages must be sections, .*, and not 3"),
        ('title = "T"\nbpe_dropout = 1.5\n[corpus]\nname = "multi30k"', "bpe_dropout=1.5 is not a probability"),
    ],
)
def test_what_is_no_recipe_is_refused_with_the_name_of_the_file(tmp_path, text, message):
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"mine\.toml: .*{message}"):
        read_recipe(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    "stages, message",
    [
        ([{"until": 2, "set": [], "for": 3}], "stage 1 has no for; it knows set, until"),
        ([{"set": ["bpe_dropout=0.1"]}], "until=0 must be a whole number above zero"),
        ([{"until": 2, "set": []}, {"until": 2, "set": []}], "stage 2 ends at update 2, but the one before it at 2"),
        ([{"until": 2}], "stage 1 needs a list of changes, .* not None"),
        ([{"until": 2, "set": "bpe_dropout=0.1"}], "stage 1 needs a list of changes, .* not 'bpe_dropout=0.1'"),
        ([{"until": 2, "set": [3]}], r"stage 1 needs a list of changes, .* not \[3\]"),
        ([{"until": 2, "set": ["training.stps=3"]}], "training has no stps"),
        ([{"until": 2, "set": ["seed=9", "model.heads=4"]}], "stage 1 cannot change model, seed: a training keeps"),
        ([{"until": 2, "set": ["stages=[{until=1,set=[]}]"]}], "stage 1 cannot change stages: a training keeps"),
    ],
)
def test_stages_that_make_no_sense_are_refused(stages, message):
    with pytest.raises(ValueError, match=message):
        from_values({**TINY, "stages": stages})


STAGES = [
    {"until": 2, "set": ["training.schedule=cosine", "training.steps=2"]},
    {"until": 5, "set": ["bpe_dropout=0.5", "training.peak=2e-3"]},
]


def test_stages_are_the_same_as_one_training_resumed_with_other_values(tmp_path, monkeypatch):
    recipe = from_values({**TINY, "stages": STAGES}).changed(["training.steps=8"])
    corpus, said = recipe.load_corpus(), []
    whole = carry_out(recipe, corpus, tmp_path / "whole", processes=ALONE, progress=False, report=said.append)
    assert (whole.reason, whole.step) == ("finished", 8)
    assert said[-2:] == [
        "up to update 2: training.schedule=cosine, training.steps=2",
        "up to update 5: bpe_dropout=0.5, training.peak=2e-3",
    ]
    assert read_run(tmp_path / "whole").recipe == recipe
    # By hand: three recipes, one after the other.
    plain = recipe.changed(["stages=[]"])
    for changes, until in ((STAGES[0]["set"], 2), (STAGES[1]["set"], 5), ([], None)):
        stage = plain.changed(changes)
        tokenizer = stage.tokenizer(corpus)
        trainer = Trainer(
            stage.new_model(len(tokenizer)),
            stage.batches(tokenizer, corpus, ALONE),
            stage.training_config(),
            tmp_path / "by hand",
            validation=stage.validation_batches(tokenizer, corpus, ALONE),
            processes=ALONE,
            progress=False,
        )
        trainer.train(resume=True, until=until)
    # Interrupted in each of its stages.
    for updates, step in ((1, 1), (2, 3), (4, 7)):
        with monkeypatch.context() as patch:
            raise_at(patch, updates, lambda: signal.raise_signal(signal.SIGTERM))
            outcome = carry_out(recipe, corpus, tmp_path / "stopped", resume=True, processes=ALONE, progress=False)
        assert (outcome.reason, outcome.step) == ("interrupted", step)
    carry_out(recipe, corpus, tmp_path / "stopped", resume=True, processes=ALONE, progress=False)
    last = [everything(tmp_path / name / "step_00000008.safetensors") for name in ("whole", "by hand", "stopped")]
    assert last[0] == last[1] == last[2]
    averaged = [(tmp_path / name / "averaged.safetensors").read_bytes() for name in ("whole", "by hand", "stopped")]
    assert averaged[0] == averaged[1] == averaged[2]


def test_no_stage_goes_beyond_the_steps_asked_for(tmp_path):
    recipe = from_values({**TINY, "stages": STAGES, "training": {**TINY["training"], "steps": 8}})
    short = recipe.changed(["training.steps=1"])
    assert [until for _, until in short.plan()] == [1, 1, 1]
    outcome = carry_out(short, short.load_corpus(), tmp_path, processes=ALONE, progress=False)
    assert (outcome.reason, outcome.step) == ("finished", 1)
    assert open_run(tmp_path).translate(["seventeen"])


def test_single_values_can_be_changed(recipe):
    changed = recipe.changed(["seed=9", "training.steps = 50", "training.schedule=cosine", "title=two words"])
    assert (changed.seed, changed.training["steps"], changed.training["schedule"]) == (9, 50, "cosine")
    assert changed.title == "two words"
    assert (recipe.seed, recipe.training["steps"]) == (3, 4)


@pytest.mark.parametrize(
    "change, message",
    [
        ("steps", "is not like training.steps=100"),
        ("a.b.c=3", "is not like training.steps=100"),
        ("trainer.steps=3", "a recipe has no section 'trainer'"),
        ("seed.x=3", "a recipe has no section 'seed'"),
        ("training.stps=3", "training has no stps"),
        ("training.steps=-3", "steps=-3 must be"),
        ("seed=-1", "seed=-1 must be a whole number"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(recipe, change, message):
    with pytest.raises(ValueError, match=message):
        recipe.changed([change])


def test_the_users_own_text_is_taken_from_the_data_folder(tmp_path):
    lines = [f"word {number}\tWort {number}" for number in range(30)]
    (tmp_path / "mine.tsv").write_text("\n".join(lines), encoding="utf-8")
    corpus = {"name": "parallel-text", "source": "mine.tsv", "validation": 5, "test": 5}
    recipe = Recipe(title="Mine", corpus=corpus, model={"d_model": 16, "heads": 2})
    assert len(recipe.load_corpus(tmp_path).train) == 20


def test_a_located_text_of_the_users_own_is_found_from_any_folder(tmp_path, monkeypatch):
    lines = "\n".join(f"word {number}\tWort {number}" for number in range(30))
    (tmp_path / "there" / "deep").mkdir(parents=True)
    (tmp_path / "there" / "deep" / "mine.tsv").write_text(lines, encoding="utf-8")
    recipe = Recipe(title="Mine", corpus={"name": "parallel-text", "source": "deep/mine.tsv"})
    monkeypatch.chdir(tmp_path / "there")
    here = recipe.located()
    monkeypatch.chdir(tmp_path)
    assert here == recipe.located("there") == recipe.located(tmp_path / "there")
    assert len(here.load_corpus().train) == 24
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "deep" / "mine.tsv"))):
        recipe.load_corpus()
    # Moved since, or on another machine: the data folder says where it is now.
    (tmp_path / "there" / "deep" / "mine.tsv").rename(tmp_path / "mine.tsv")
    with pytest.raises(FileNotFoundError):
        here.load_corpus()
    assert len(here.load_corpus(tmp_path).train) == 24
    assert Recipe(title="M", corpus={"name": "multi30k"}).located(tmp_path).corpus == {"name": "multi30k"}


def test_a_training_on_a_text_that_was_moved_goes_on_and_on_another_side_of_it_does_not(tmp_path):
    for side, word in (("en", "word"), ("de", "Wort")):
        (tmp_path / f"mine.{side}").write_text("\n".join(f"{word} {n}" for n in range(30)), encoding="utf-8")
    sides = {"source": "mine.en", "target": "mine.de"}
    recipe = from_values({**TINY, "corpus": {"name": "parallel-text", **sides}}).located(tmp_path)
    carry_out(recipe, recipe.load_corpus(), tmp_path / "run", processes=ALONE, progress=False)
    (tmp_path / "moved").mkdir()
    for side in ("en", "de"):
        (tmp_path / f"mine.{side}").rename(tmp_path / "moved" / f"mine.{side}")
    moved = recipe.located(tmp_path / "moved")
    assert moved.corpus != recipe.corpus
    carry_out(moved, moved.load_corpus(), tmp_path / "run", resume=True, processes=ALONE, progress=False)
    sides = {"source": "mine.de", "target": "mine.en"}  # the same two files, the other way round
    swapped = from_values({**TINY, "corpus": {"name": "parallel-text", **sides}}).located(tmp_path / "moved")
    with pytest.raises(ValueError, match="begun with another recipe or text: corpus="):
        carry_out(swapped, swapped.load_corpus(), tmp_path / "run", resume=True, processes=ALONE, progress=False)


def test_the_data_folder_reaches_a_corpus_that_has_files(monkeypatch, tmp_path):
    folders = []

    def published(folder=None):
        folders.append(folder)
        return number_names(train=3, validation=1, test=1)

    monkeypatch.setitem(CORPORA, "multi30k", published)
    Recipe(title="T", corpus={"name": "multi30k"}).load_corpus(tmp_path)
    Recipe(title="T", corpus={"name": "multi30k", "folder": "mine"}).load_corpus(tmp_path)
    assert folders == [tmp_path, "mine"]


@pytest.mark.unhooked
@pytest.mark.parametrize(
    "corpus, message",
    [
        ({"name": "number-names", "train": "40"}, "not supported between"),
        ({"name": "number-names", "numbers": "abc"}, "cannot be interpreted as an integer"),
    ],
)
def test_arguments_that_the_corpus_cannot_use_are_refused(corpus, message):
    with pytest.raises(ValueError, match=rf"\[corpus\] does not fit \w+: .*{message}"):
        Recipe(title="T", corpus=corpus).load_corpus()


@pytest.mark.parametrize(
    "corpus, message",
    [
        ({"name": "parallel-text"}, "the recipe names no text: set corpus.source=FILE"),
        ({"name": "parallel-text", "source": 3}, r"\[corpus\] has source=3 where the name of a file is due"),
    ],
)
def test_a_text_of_the_users_own_must_be_named(corpus, message):
    with pytest.raises(ValueError, match=message):
        Recipe(title="T", corpus=corpus).load_corpus()


def test_a_pair_over_the_models_limit_is_left_out_and_counted(recipe):
    corpus = recipe.load_corpus()
    tokenizer = recipe.tokenizer(corpus)
    lengths = [pair.length for pair in encode_pairs(tokenizer, corpus.train)]
    limit = sorted(lengths)[30]
    batches = recipe.changed([f"model.max_length={limit}"]).batches(tokenizer, corpus, ALONE)
    assert batches.left_out == [index for index, length in enumerate(lengths) if length > limit]
    assert batches.left_out


def test_the_seed_decides_the_first_weights_and_the_order(recipe):
    corpus = recipe.load_corpus()
    tokenizer = recipe.tokenizer(corpus)
    one, same, other = recipe, recipe.changed([]), recipe.changed(["seed=4"])
    weights = [each.new_model(len(tokenizer)).target_embedding.table.weight for each in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    first = [next(each.batches(tokenizer, corpus, ALONE).stream())[0].source for each in (one, same, other)]
    assert torch.equal(first[0], first[1])
    assert first[0].shape != first[2].shape or not torch.equal(first[0], first[2])


def test_bpe_dropout_cuts_the_training_text_anew_and_never_the_validation_text(recipe):
    corpus = recipe.load_corpus()
    tokenizer = recipe.tokenizer(corpus)
    other = recipe.changed(["bpe_dropout=0.5"])

    def tokens(batches):
        return [sum(int((batch.target > 0).sum()) for batch in batches.epoch(epoch)) for epoch in (0, 1)]

    plain, dropped = (tokens(each.batches(tokenizer, corpus, ALONE)) for each in (recipe, other))
    assert plain[0] == plain[1]
    assert len({plain[0], *dropped}) == 3
    plain, dropped = (tokens(each.validation_batches(tokenizer, corpus, ALONE)) for each in (recipe, other))
    assert plain == dropped


def test_the_vocabulary_comes_from_the_training_text_alone(recipe, monkeypatch):
    corpus = recipe.load_corpus()
    texts, train = [], Tokenizer.train

    def watch(text, size):
        texts.extend(text)
        return train(texts, size)

    monkeypatch.setattr(Tokenizer, "train", watch)
    assert len(recipe.tokenizer(corpus)) == 280
    assert texts == [side for pair in corpus.train for side in pair]


def test_a_range_of_numbers_is_written_as_its_ends(recipe):
    corpus = recipe.changed(["corpus.numbers=[200, 300]"]).load_corpus()
    assert all("hundred" in pair.source for pair in corpus.train)


def test_a_recipe_carried_out_leaves_a_translator_that_knows_its_origin(recipe, tmp_path):
    corpus, said = recipe.load_corpus(), []
    outcome = carry_out(recipe, corpus, tmp_path, processes=ALONE, progress=False, report=said.append)
    assert (outcome.reason, outcome.step) == ("finished", 4)
    assert "40 training pairs" in said[0]
    assert "of them padding" in said[1]
    translator = open_run(tmp_path)
    assert translator.translate(["seventeen"])
    run = read_run(tmp_path)
    assert run.recipe == recipe
    assert run.corpus["sentences"] == {"train": 40, "validation": 8, "test": 8}
    assert translator.about == about(run)
    assert from_values(translator.about["recipe"]) == recipe
    for name in ("averaged", "step_00000002"):
        assert open_run(tmp_path / f"{name}.safetensors").tokenizer.to_json() == translator.tokenizer.to_json()
    # averaged, and not the last step
    averaged, last = open_run(tmp_path), open_run(tmp_path / "step_00000004.safetensors")
    name = "model.encoder.layers.0.feed_forward.hidden_projection.weight"
    assert not torch.equal(model_weights(averaged.model)[name], model_weights(last.model)[name])


def test_a_training_goes_on_with_new_choices_of_training_and_with_nothing_else(recipe, tmp_path, monkeypatch):
    corpus = recipe.load_corpus()
    carry_out(recipe, corpus, tmp_path, processes=ALONE, progress=False)
    with pytest.raises(FileExistsError, match="resume"):
        carry_out(recipe, corpus, tmp_path, processes=ALONE, progress=False)
    for change, message in (
        ("seed=4", "seed=3 in the folder and 4 now"),
        ("batch_tokens=300", "batch_tokens=200 in the folder and 300 now"),
        ("model.dropout=0.5", "model="),
        ("corpus.seed=1", "corpus="),
    ):
        other = recipe.changed([change])
        with pytest.raises(ValueError, match=f"begun with another recipe or text: {message}"):
            carry_out(other, other.load_corpus(), tmp_path, resume=True, processes=ALONE, progress=False)
    other = replace(corpus, sha256={"numbers.txt": "0"})
    with pytest.raises(ValueError, match=r"text=\{'sha256': \{\}, .*'numbers\.txt': '0'"):
        carry_out(recipe, other, tmp_path, resume=True, processes=ALONE, progress=False)
    # The vocabulary is that of the folder, and is not written again: another process may be reading it.
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(json.loads(tokenizer.read_text(encoding="utf-8"))), encoding="utf-8")
    kept = tokenizer.read_bytes()
    longer = recipe.changed(["training.steps=6"])
    monkeypatch.setattr(Trainer, "_finish", lambda trainer: trainer._outcome("interrupted", None))
    carry_out(recipe.changed(["training.steps=5"]), corpus, tmp_path, resume=True, processes=ALONE, progress=False)
    assert not (tmp_path / "averaged.safetensors").exists()  # that of the earlier end is not taken for this one's
    monkeypatch.undo()
    outcome = carry_out(longer, corpus, tmp_path, resume=True, processes=ALONE, progress=False)
    assert (outcome.reason, outcome.step) == ("finished", 6)
    assert read_run(tmp_path).recipe.training["steps"] == 6
    assert tokenizer.read_bytes() == kept


def test_only_the_leading_process_writes_and_speaks(recipe, tmp_path, monkeypatch):
    trained = Outcome("finished", 4, None, None, None)
    # What would wait for the other process.
    monkeypatch.setattr("blockbyblock.training.update.DistributedDataParallel", lambda model, **_: model)
    monkeypatch.setattr(Trainer, "train", lambda *_, **__: trained)
    written = {}
    for rank in (1, 0):
        said, folder = [], tmp_path / str(rank)
        folder.mkdir()
        processes = Processes(rank, 2, torch.device("cpu"))
        outcome = carry_out(recipe, recipe.load_corpus(), folder, processes=processes, report=said.append)
        assert outcome == trained
        written[rank] = (sorted(path.name for path in folder.iterdir()), len(said))
    assert written == {1: ([], 0), 0: (["run.json", "tokenizer.json"], 2)}


def test_an_unfinished_training_is_opened_at_its_newest_checkpoint(recipe, tmp_path):
    carry_out(recipe, recipe.load_corpus(), tmp_path, processes=ALONE, progress=False)
    (tmp_path / "averaged.safetensors").unlink()
    before = torch.get_rng_state()
    newest = open_run(tmp_path / "step_00000004.safetensors").model
    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(model_weights(open_run(tmp_path).model), model_weights(newest), rtol=0, atol=0)
    for path in tmp_path.glob("step_*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="holds no checkpoint yet"):
        open_run(tmp_path)


def test_two_processes_share_the_batches_of_a_recipe(recipe):
    corpus = recipe.load_corpus()
    tokenizer = recipe.tokenizer(corpus)
    shares = [recipe.batches(tokenizer, corpus, Processes(rank, 2, torch.device("cpu"))) for rank in (0, 1)]
    assert len(shares[0]) == len(shares[1])
    rows = sum(len(batch.source) for share in shares for batch in share.epoch(0))
    assert rows == len(corpus.train)
    assert recipe.validation_batches(tokenizer, corpus, ALONE).padding() >= 0
    assert sum(len(batch.source) for batch in recipe.validation_batches(tokenizer, corpus, ALONE).epoch(0)) == len(
        to_pairs(corpus.validation)
    )


@pytest.mark.parametrize(
    "content",
    ["", "{}", '{"recipe": 3, "corpus": {}, "machine": {}}', json.dumps({"recipe": TINY, "corpus": {}, "machine": {}})],
)
def test_a_damaged_description_is_refused_by_name(tmp_path, content):
    (tmp_path / "run.json").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"run\.json does not say how the model was trained"):
        open_run(tmp_path)


def test_a_folder_without_a_training_is_that(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_run(tmp_path)


def test_weights_of_another_model_are_refused(recipe, tmp_path):
    carry_out(recipe, recipe.load_corpus(), tmp_path, processes=ALONE, progress=False)
    values = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    values["recipe"]["model"]["heads"] = 4
    (tmp_path / "run.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(CheckpointError, match="heads=2 in the file and 4 in the model"):
        open_run(tmp_path)


def test_a_users_folder_in_the_path_of_an_own_text_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))  # where Windows looks
    section = {"name": OWN_TEXT, "source": "~/mine.tsv"}
    assert located(section)["source"] == str(tmp_path / "mine.tsv")
    assert located({**section, "source": "mine.tsv"}, "~")["source"] == str(tmp_path / "mine.tsv")
    with pytest.raises(ValueError, match="write the path without ~"):
        located({**section, "source": "~nobody-of-that-name/mine.tsv"})

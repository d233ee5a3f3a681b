"""What trains as nn.Transformer learns from what ours learns from, and is scored as ours is."""

import shutil
import signal
from pathlib import Path

import pytest
import torch
from small_translator import TEXTS, small_translator
from torch import nn
from torch.testing import assert_close

from benchmarks.same_batches import PeerRecipe, StandIn, main, require_alike
from blockbyblock import Transformer, TransformerConfig
from blockbyblock.data import Tokenizer, encode_pairs, to_pairs
from blockbyblock.data.batches import pad_rows
from blockbyblock.evaluation import bleu, token_loss
from blockbyblock.training import Processes, carry_out, open_run, read_log, read_recipe
from blockbyblock.training.trainer import Updater
from blockbyblock.weights import load_weights, model_weights

ALONE = Processes(device=torch.device("cpu"))
RECIPE = """
title = "Tiny"
seed = 3
vocab_size = 300
batch_tokens = 300

[corpus]
name = "number-names"
source = "de"
target = "en"
numbers = [100, 1000]
train = 120
validation = 8
test = 40

[model]
d_model = 32
heads = 2
d_ff = 32
encoder_layers = 1
decoder_layers = 2
max_length = 64

[training]
steps = 6
schedule = "constant"
peak = 1e-2
warmup = 2
clip_norm = 1.0
log_every = 1
checkpoint_every = 2
keep = 3
average = 2
"""
EXACT = "model.dropout=0.0"
LONGER = ("training.steps=90", "training.checkpoint_every=30")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def train_both(recipe_file, folder, *changes):
    """Train ours and the peer, each in a folder of its own."""
    recipe = read_recipe(recipe_file).changed(changes)
    corpus = recipe.load_corpus()
    carry_out(recipe, corpus, folder / "ours", processes=ALONE, progress=False)
    torch.manual_seed(99)  # the peer must not depend on what was drawn before
    carry_out(PeerRecipe(**vars(recipe)), corpus, folder / "theirs", processes=ALONE, progress=False)
    return folder / "ours", folder / "theirs"


@pytest.fixture(scope="module")
def trained(recipe_file, tmp_path_factory):
    """A folder in which both have learned enough for a BLEU above zero, with dropout, so that they differ."""
    folder = tmp_path_factory.mktemp("trained")
    train_both(recipe_file, folder, *LONGER)
    return folder


def run(recipe_file, *arguments):
    return main([str(recipe_file), "--quiet", *map(str, arguments)], ALONE)


def longer():
    return [word for change in LONGER for word in ("--set", change)]


def records(folder):
    return [
        {name: value for name, value in record.items() if name not in ("seconds", "predictions_per_second")}
        for record in read_log(folder / "log.jsonl")
    ]


# The same training ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [(), ("training.accumulate=2", "training.smoothing=0.3")])
def test_without_dropout_every_loss_is_ours(recipe_file, tmp_path, change):
    ours, theirs = map(records, train_both(recipe_file, tmp_path, EXACT, *change))
    kinds = [[record.pop("kind") for record in each] for each in (ours, theirs)]
    assert kinds[0] == kinds[1] == ["train", "train", "validation"] * 3
    # Float32: sums in another order differ by a rounding of 6e-8, which six updates could make larger; found: 2e-7.
    assert_close(theirs, ours, rtol=1e-5, atol=0)
    assert max(record.get("gradient_norm", 0.0) for record in ours) > 1  # so that clipping counts


def test_without_dropout_the_averaged_weights_translate_as_ours(recipe_file, tmp_path):
    ours, theirs = train_both(recipe_file, tmp_path, EXACT)
    recipe = PeerRecipe(**vars(read_recipe(recipe_file).changed([EXACT])))
    translators = [open_run(ours), recipe.translator(theirs)]
    texts = [example.source for example in recipe.load_corpus().test]
    source = pad_rows([translators[0].encode(text) for text in texts])
    logits = [translator.model(source, source) for translator in translators]
    assert_close(logits[1], logits[0], rtol=0, atol=1e-4)  # float32, logits of up to 4; found: 3e-6
    last = open_run(ours / "step_00000006.safetensors").model(source, source)
    assert (logits[0] - last).abs().max() > 0.1  # averaged, and not the last step


def test_both_are_fast_where_the_recipe_is(recipe_file, tmp_path):
    plain, fast = (
        [
            [record["loss"] for record in records(folder)]
            for folder in train_both(recipe_file, tmp_path / kind, EXACT, f"training.fast={fast}")
        ]
        for kind, fast in (("plain", "false"), ("fast", "true"))
    )
    for one, other in zip(plain, fast, strict=True):
        assert one != other
    assert_close(fast[1], fast[0], rtol=0.01, atol=0)  # bfloat16 has 8 bits of precision: 0.4 % in each product


def test_an_interrupted_training_goes_on_bit_for_bit(recipe_file, tmp_path, monkeypatch, capsys):
    _, whole = train_both(recipe_file, tmp_path)
    cut = tmp_path / "cut"
    update, calls = Updater.update, []

    def interrupted(self, *arguments):
        calls.append(arguments)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGTERM)
        return update(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Updater, "update", interrupted)
        assert run(recipe_file, "--to", cut) == 130
    assert "interrupted after 3 steps" in capsys.readouterr().err
    torch.manual_seed(99)  # whatever the next process did before it goes on
    assert run(recipe_file, "--to", cut, "--resume") == 0
    assert (cut / "averaged.safetensors").read_bytes() == (whole / "averaged.safetensors").read_bytes()
    assert records(cut) == records(whole)


# The same model ------------------------------------------------------------------------------------------------------


def test_its_dropout_is_that_of_the_recipe():
    config = TransformerConfig(
        d_model=8, heads=2, d_ff=8, encoder_layers=1, decoder_layers=1, source_vocab=9, target_vocab=9, dropout=0.1
    )
    for attention, activation in ((0.0, 0.0), (0.2, 0.3)):
        changed = TransformerConfig(**vars(config) | {"attention_dropout": attention, "activation_dropout": activation})
        peer = StandIn(Transformer(changed)).peer
        names = {name: module.p for name, module in peer.named_modules() if isinstance(module, nn.Dropout)}
        inner = {name for name in names if name.endswith("layers.0.dropout")}
        assert len(inner) == 2
        assert {names[name] for name in inner} == {activation}
        assert {p for name, p in names.items() if name not in inner} == {0.1}
        attentions = [module for module in peer.modules() if isinstance(module, nn.MultiheadAttention)]
        assert [module.dropout for module in attentions] == [attention] * 3


@pytest.mark.parametrize("change", [{"tying": "two-way"}, {"output_bias": True}, {"positions": "learned"}])
def test_a_model_that_the_peer_has_not_is_refused(change):
    [(name, value)] = change.items()
    with pytest.raises(ValueError, match=f"this peer has {name}=.*, and the model {value!r}"):
        StandIn(small_translator(**change).model)


def test_the_converted_model_translates_as_the_peer_itself(trained, recipe_file):
    recipe = PeerRecipe(**vars(read_recipe(recipe_file).changed(LONGER)))
    translator = recipe.translator(trained / "theirs")
    peer = recipe.new_model(len(translator.tokenizer)).eval()
    load_weights(trained / "theirs" / "averaged.safetensors", peer)
    texts = [example.source for example in recipe.load_corpus().test[:10]]
    found = [hypothesis.ids for hypothesis in translator.hypotheses(texts, beam=1, max_length=15)]
    assert len({*found}) > 5  # not the same translation over and over
    for text, ids in zip(texts, found, strict=True):
        source, target = torch.tensor([translator.encode(text)]), [Tokenizer.start_id]
        while len(target) <= 15 and target[-1] != Tokenizer.end_id:
            target.append(int(peer(source, torch.tensor([target]))[0, -1].argmax()))
        assert [id for id in target[1:] if id != Tokenizer.end_id] == [*ids]


def test_the_converted_weights_are_copies():
    peer = StandIn(small_translator().model)
    ours = peer.converted()
    before = {name: tensor.clone() for name, tensor in model_weights(ours).items()}
    for parameter in peer.parameters():
        nn.init.normal_(parameter)
    assert_close(model_weights(ours), before, rtol=0, atol=0)


# The same scores -----------------------------------------------------------------------------------------------------


def test_both_are_scored_beside_each_other(trained, recipe_file, capsys):
    recipe = PeerRecipe(**vars(read_recipe(recipe_file).changed(LONGER)))
    corpus = recipe.load_corpus()
    translators = {"nn.Transformer": recipe.translator(trained / "theirs"), "ours": open_run(trained / "ours")}
    expected, values = [], {}
    for name, translator in translators.items():
        translations = translator.translate([example.source for example in corpus.test])
        score = bleu(translations, [example.references for example in corpus.test])
        pairs = encode_pairs(translator.tokenizer, to_pairs(corpus.validation))
        loss = token_loss(translator.model, ((torch.tensor([a]), torch.tensor([b])) for a, b in pairs)).loss
        values[name] = score.value
        expected.append(f"{name:15} BLEU {score.value:.2f}, validation loss {loss:.4f} nats per token")
    assert min(values.values()) > 10
    assert abs(values["ours"] - values["nn.Transformer"]) > 0.1

    folders = ["--to", trained / "theirs", "--ours", trained / "ours"]
    assert run(recipe_file, *folders, "--evaluate", *longer()) == 0
    *scores, difference, signature = capsys.readouterr().out.splitlines()
    assert scores == expected
    assert difference.startswith(f"ours - theirs   {values['ours'] - values['nn.Transformer']:.2f} [")
    assert "40 sentences, nrefs:1|case:mixed|eff:no|tok:13a" in signature


def test_the_peer_is_scored_alone_where_there_is_nothing_beside_it(trained, recipe_file, capsys):
    before = {path: path.read_bytes() for path in (trained / "theirs").iterdir()}
    assert run(recipe_file, "--to", trained / "theirs", "--evaluate", *longer()) == 0
    [score, signature] = capsys.readouterr().out.splitlines()
    assert score.startswith("nn.Transformer  BLEU ")
    assert "tok:13a" in signature
    assert {path: path.read_bytes() for path in (trained / "theirs").iterdir()} == before  # nothing was trained


def test_a_corpus_without_validation_has_no_loss(recipe_file, tmp_path, capsys):
    assert run(recipe_file, "--to", tmp_path / "new", "--set", "corpus.validation=0", "--set", "training.steps=1") == 0
    assert "loss" not in capsys.readouterr().out


# Refused -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, message",
    [
        ("seed=4", "seed=3 and not 4"),
        ("training.peak=0.02", "peak=0.01 and not 0.02"),
        ("training.fast=true", "fast=False and not True"),
        ("batch_tokens=400", "batch_tokens=300 and not 400"),
        ("model.dropout=0.3", "dropout=0.1 and not 0.3"),
        ("corpus.train=100", "'train': 120"),
    ],
)
def test_trainings_that_were_not_alike_are_not_compared(trained, recipe_file, tmp_path, capsys, change, message):
    arguments = ["--to", tmp_path / "new", "--ours", trained / "ours", *longer(), "--set", change]
    assert run(recipe_file, *arguments) == 1
    error = capsys.readouterr().err
    assert f"{trained / 'ours'} was trained in another way: " in error
    assert message in error
    assert not (tmp_path / "new").exists()  # before hours of training, and not after them


@pytest.mark.parametrize("change", ["training.log_every=7", "model.attention_dropout=0.1", "training.average=2"])
def test_what_decides_no_batch_may_differ(trained, recipe_file, change):
    recipe = read_recipe(recipe_file).changed([*LONGER, change])
    require_alike(trained / "ours", recipe, recipe.load_corpus())


def test_several_processes_share_batches_out_otherwise(trained, recipe_file, tmp_path):
    shutil.copytree(trained / "ours", tmp_path / "two")
    path = tmp_path / "two" / "run.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"processes": 1', '"processes": 2'), encoding="utf-8")
    recipe = read_recipe(recipe_file).changed(LONGER)
    with pytest.raises(ValueError, match=r"processes=2 and not 1$"):
        require_alike(tmp_path / "two", recipe, recipe.load_corpus())


def test_another_vocabulary_is_refused(trained, recipe_file, tmp_path, capsys):
    shutil.copytree(trained / "ours", tmp_path / "ours")
    Tokenizer.train([*TEXTS, RECIPE] * 5, 300).save(tmp_path / "ours" / "tokenizer.json")
    folders = ["--to", trained / "theirs", "--ours", tmp_path / "ours"]
    assert run(recipe_file, *folders, "--evaluate", *longer()) == 1
    assert "have other vocabularies" in capsys.readouterr().err


@pytest.mark.parametrize("side", ["theirs", "ours"])
def test_what_was_not_trained_to_its_end_is_not_scored(trained, recipe_file, tmp_path, capsys, side):
    shutil.copytree(trained, tmp_path / "cut")
    (tmp_path / "cut" / side / "averaged.safetensors").unlink()
    folders = ["--to", tmp_path / "cut" / "theirs", "--ours", tmp_path / "cut" / "ours"]
    assert run(recipe_file, *folders, "--evaluate", *longer()) == 1
    assert str(Path(side) / "averaged.safetensors") in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--threads", "0"], "threads=0"),
        (["--evaluate"], "run.json"),
        (["--ours", "nowhere"], "nowhere"),
        (["--set", "steps"], "is not like training.steps=100"),
    ],
)
def test_a_mistake_is_one_line(recipe_file, tmp_path, capsys, arguments, message):
    assert run(recipe_file, "--to", tmp_path / "new", *arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert message in printed.err

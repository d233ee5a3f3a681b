"""From a recipe's name or a text of one's own to a score; and what is said when it cannot be so."""

import argparse
import json
import re
import tomllib
from pathlib import Path

import pytest

from blockbyblock.cli import COMMANDS, _parser, main
from blockbyblock.cli.common import in_options
from blockbyblock.data import number_names
from blockbyblock.portable import load_portable
from blockbyblock.training import read_recipe, recipe_names, recipe_text

# As small as a model can be: what is tested is the way, not the result.
TINY = "vocab_size=280 model.d_model=16 model.heads=2 model.d_ff=16 model.encoder_layers=1 model.decoder_layers=1"
SHORT = "training.steps=4 training.warmup=1 training.checkpoint_every=2 training.log_every=2"
SMALL = [word for change in f"{TINY} {SHORT}".split() for word in ("--set", change)]


@pytest.fixture(scope="module")
def fifty_lines() -> str:
    """As many lines as somebody has who only wants to see whether it works."""
    return "".join(f"{source}\t{target}\n" for source, target in number_names(train=50, validation=0, test=0).train)


@pytest.fixture(scope="module")
def begun(tmp_path_factory, fifty_lines) -> Path:
    """A training on them, begun with a relative path from their folder."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.tsv").write_text(fifty_lines, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        arguments = ["own-text", "--set", "corpus.source=mine.tsv", *SMALL, "--to", "runs/mine", "--quiet"]
        assert main(["train", *arguments]) == 0
    return folder


def test_fifty_lines_become_a_score_from_any_folder(begun, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    scores = tmp_path / "scores.json"
    assert main(["evaluate", str(begun / "runs" / "mine"), "--beam", "1", "--json", str(scores)]) == 0
    assert json.loads(scores.read_text(encoding="utf-8"))["sentences"] == 5
    output, errors = capsys.readouterr()
    assert "5 sentences, 5 references" in output
    assert "40 training pairs, 5 validation and 5 test examples" in errors
    assert main(["translate", "--model", str(begun / "runs" / "mine"), "one", "--max-length", "3"]) == 0


def test_an_exported_model_says_nothing_of_the_folders_of_its_machine(begun, tmp_path, monkeypatch, capsys):
    exported = tmp_path / "mine.safetensors"
    assert main(["export", str(begun / "runs" / "mine"), "--to", str(exported)]) == 0
    assert load_portable(exported).about["recipe"]["corpus"]["source"] == "mine.tsv"
    assert str(begun).encode() not in exported.read_bytes()
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", str(exported), "--beam", "1"]) == 1
    assert "mine.tsv" in capsys.readouterr().err
    assert main(["evaluate", str(exported), "--beam", "1", "--data", str(begun)]) == 0


def test_a_recipe_without_a_text_says_how_to_name_one(tmp_path, capsys):
    assert main(["train", "own-text", "--to", str(tmp_path)]) == 1
    assert "set corpus.source=FILE" in capsys.readouterr().err


def test_a_recipe_in_the_box_is_printed_to_be_copied(capsys):
    for name in recipe_names():
        assert main(["info", name]) == 0
        printed = capsys.readouterr().out
        assert printed == recipe_text(name)
        assert tomllib.loads(printed)["title"]


def test_resuming_where_there_is_nothing_is_refused_and_what_is_beside_it_is_named(begun, monkeypatch, capsys):
    monkeypatch.chdir(begun)
    arguments = ["train", "own-text", "--set", "corpus.source=mine.tsv", *SMALL, "--quiet", "--resume", "--to"]
    assert main([*arguments, "runs/mime"]) == 1
    errors = capsys.readouterr().err
    assert "runs/mime holds no checkpoint to go on from: begin without --resume" in errors
    assert errors.endswith(f"beside it are {begun / 'runs' / 'mine'}\n")
    assert not (begun / "runs" / "mime").exists()
    assert main([*arguments, "elsewhere"]) == 1
    assert "beside it" not in capsys.readouterr().err
    assert main([*arguments, "runs/mine", "--set", "training.steps=6"]) == 0


def test_a_training_that_is_there_is_not_overwritten_and_the_option_is_named(begun, monkeypatch, capsys):
    monkeypatch.chdir(begun)
    assert main(["train", "own-text", "--set", "corpus.source=mine.tsv", *SMALL, "--to", "runs/mine"]) == 1
    assert "is there already: go on from it with --resume, or choose another folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change, remedy",
    [
        ("training.steps=100", "--set training.warmup=10"),
        ("training.average=9", "--set training.keep=9"),
        ("training.schedule=paper", None),
    ],
)
def test_a_change_that_needs_another_one_names_it(tmp_path, capsys, change, remedy):
    arguments = ["train", "number-names-en-de", "--to", str(tmp_path / "run"), "--set", change]
    assert main(arguments) == 1
    errors = capsys.readouterr().err
    assert errors.startswith("blockbyblock: ")
    assert (f"; set that too: {remedy}\n" in errors) == (remedy is not None)
    if remedy:
        read_recipe("number-names-en-de").changed([change, remedy.removeprefix("--set ")])  # it helps


@pytest.mark.parametrize(
    "text, expected",
    [
        ("go on from it with resume=True, or choose", "go on from it with --resume, or choose"),
        ("length_penalty=-0.5 must be", "--length-penalty -0.5 must be"),
        ("max_length=9 is over config.max_length=8", "--max-length 9 is over config.max_length=8"),
        ("my_max_length=9", "my_max_length=9"),
        ("model=9: not an option here", "model=9: not an option here"),
        ("beam=0; it", "--beam 0; it"),
    ],
)
def test_a_message_of_the_package_speaks_of_options(text, expected):
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--resume", action="store_true")
    for option in ("--length-penalty", "--max-length", "--beam"):
        parser.add_argument(option)
    assert in_options(text, parser) == expected


@pytest.mark.parametrize(
    "options, message",
    [
        (["--beam", "0"], "--beam 0 must be"),
        (["--length-penalty", "-1"], "--length-penalty -1.0 must be"),
        (["--max-length", "999"], "--max-length 999 is over"),
        (["--threads", "0"], "--threads 0 must be"),
        (["--show-attention", "--layer", "9"], "--layer 9: the decoder has"),
        (["--show-attention", "--head", "0"], "--head 0 must be"),
    ],
)
def test_what_is_wrong_with_an_option_is_said_of_the_option(model, capsys, options, message):
    assert main(["translate", "--model", model, "cat", *options]) == 1
    assert message in capsys.readouterr().err


def test_the_first_sentence_of_each_commands_help_is_whole(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = " ".join(capsys.readouterr().out.split())
    commands = next(action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    assert len(commands._choices_actions) == len(COMMANDS)
    for action in commands._choices_actions:
        assert " ".join(action.help.split()) in listed
        assert action.help.count("(") == action.help.count(")")
        assert commands.choices[action.dest].description.startswith(f"{action.help}.")
    assert re.search(r"average +Average the weights of several checkpoints \(paper, section 6\.1\) ?", listed)

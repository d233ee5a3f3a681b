"""`generate` and `classify`: one line in, one line out; `evaluate`, `info` and `export` for each kind of model."""

import io
import json
import math
import sys

import pytest
from small_translator import small_translator
from tiny_applications import ABOUT, LABELS, tiny_classifier, tiny_generator

from blockbyblock.cli import main
from blockbyblock.cli.common import open_model, printable
from blockbyblock.data import number_names
from blockbyblock.portable import load_portable, save_portable
from blockbyblock.text_classifier import TextClassifier
from blockbyblock.text_generator import TextGenerator
from blockbyblock.text_scores import accuracy, text_losses, total_loss
from blockbyblock.training import read_run


class Stdin:
    """Standard input that holds these bytes, typed or not."""

    def __init__(self, content, tty=False):
        self.buffer, self._tty = io.BytesIO(content), tty

    def isatty(self):
        return self._tty


@pytest.fixture(scope="module")
def files(tmp_path_factory, one_thread):
    """A model of each kind, untrained, as files."""
    folder = tmp_path_factory.mktemp("models")
    models = {"writer": tiny_generator(), "judge": tiny_classifier(), "translator": small_translator()}
    paths = {name: str(folder / f"{name}.safetensors") for name in models}
    for name, model in models.items():
        save_portable(paths[name], model, "float32")
    return paths


def said(capsys, *arguments, rc=0):
    assert main([*arguments]) == rc
    return capsys.readouterr()


SHORT = ["--max-length", "5"]


@pytest.fixture
def writer(files):
    return ["generate", "--model", files["writer"], *SHORT]


def test_a_text_is_continued_as_asked(files, writer, capsys):
    generator = open_model(files["writer"], TextGenerator)
    cases = (
        ([], {"temperature": 0.8, "seed": 0}),
        (["--temperature", "0"], {"temperature": 0.0}),
        (["--seed", "3", "--top-k", "9"], {"temperature": 0.8, "seed": 3, "top_k": 9}),
        (
            ["--top-p", "0.5", "--temperature", "2", "--repetition-penalty", "1.5"],
            {"temperature": 2.0, "seed": 0, "top_p": 0.5, "repetition_penalty": 1.5},
        ),
    )
    for options, arguments in cases:
        expected = generator.generate(["The cat", "I"], max_length=5, **arguments)
        assert said(capsys, *writer, "The cat", "I", *options) == ("".join(f"{printable(x)}\n" for x in expected), "")


def test_samples_of_a_line_follow_each_other(files, writer, capsys):
    lines = said(capsys, *writer, "The cat", "I", "--samples", "3").out.split("\n")
    assert len(lines) == 7
    assert len({*lines[:3]}) == 3
    assert all(line.startswith("The cat") for line in lines[:3])
    assert all(line.startswith("I") for line in lines[3:6])
    refused = said(capsys, *writer, "x", "--samples", "0", rc=1).err
    assert refused == "blockbyblock: --samples 0 must be a whole number above zero\n"


@pytest.mark.parametrize("command, name", [("generate", "writer"), ("classify", "judge")])
def test_a_file_and_standard_input_say_the_same_and_a_bad_line_is_named(
    files, capsys, tmp_path, monkeypatch, command, name
):
    content = b"\xef\xbb\xbfThe cat\r\n\r\n\xff\nlong " + b"word " * 40 + b"\nStra\xc3\x9fe"
    (tmp_path / "in.txt").write_bytes(content)
    arguments = [command, "--model", files[name], *(SHORT if command == "generate" else [])]
    from_file = said(capsys, *arguments, "--file", str(tmp_path / "in.txt"), rc=1)
    monkeypatch.setattr(sys, "stdin", Stdin(content))
    assert said(capsys, *arguments, rc=1) == from_file
    lines = from_file.out.split("\n")
    assert len(lines) == 6
    assert (lines[2], lines[3]) == ("", "")
    assert all(lines[place] for place in (0, 1, 4))  # of nothing too there is something to say
    errors = from_file.err.splitlines()
    assert [error.split(":")[0] for error in errors] == ["line 3", "line 4"]
    assert "over the model's limit of 30" in errors[1]
    assert said(capsys, *arguments, "x", "--file", "in.txt", rc=1).err.count("\n") == 1


def test_two_chunks_of_a_file_are_not_drawn_alike(writer, capsys, monkeypatch):
    monkeypatch.setattr("blockbyblock.cli.common.LINES_AT_ONCE", 2)
    lines = said(capsys, *writer, *["The cat"] * 4).out.splitlines()
    assert len({*lines}) == 4


def test_classes_and_their_probabilities(files, capsys):
    [decision] = open_model(files["judge"], TextClassifier).classify(["nitti"])
    ranked = [f"{label}\t{probability:.3f}" for label, probability in decision.probabilities.items()]
    judge = ["classify", "--model", files["judge"], "nitti"]
    assert said(capsys, *judge) == (f"{ranked[0]}\n", "")
    assert said(capsys, *judge, "--top", "3").out == "\t".join(ranked[:3]) + "\n"
    assert said(capsys, *judge, "--top", "99").out == "\t".join(ranked) + "\n"
    assert said(capsys, *judge, "--top", "0", rc=1).err == "blockbyblock: --top 0 must be a whole number above zero\n"


def test_a_label_cannot_command_a_terminal(files, tmp_path, capsys):
    classifier = load_portable(files["judge"], TextClassifier)
    about = ABOUT | {"labels": [f"\x1b[31m{label}" for label in LABELS]}
    path = tmp_path / "red.safetensors"
    save_portable(path, TextClassifier(classifier.model, classifier.tokenizer, about))
    assert "\x1b" not in said(capsys, "classify", "--model", str(path), "nitti").out
    (tmp_path / "in.tsv").write_text("".join(f"nitti\t{label}\n" for label in about["labels"]), encoding="utf-8")
    assert "\x1b" not in said(capsys, "evaluate", str(path), "--source", str(tmp_path / "in.tsv")).out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["translate", "--model", "{writer}", "x"], "{writer} is a model for generation, and one for translation is"),
        (["generate", "--model", "{judge}", "x"], "{judge} is a model for classification, and one for generation is"),
        (["classify", "--model", "{translator}", "x"], "{translator} is a model for translation, and one for class"),
        (["evaluate", "{judge}", "--references", "x"], "--references and --output are for a model that translates"),
        (["evaluate", "{writer}", "--output", "x"], "--references and --output are for a model that translates"),
        (["evaluate", "{writer}"], "the model does not say what it was trained on: give --source\n"),
        (["evaluate", "{judge}"], "the model does not say what it was trained on: give --source\n"),
        (["evaluate", "{writer}", "--source", "no.txt"], "no.txt"),
        (["generate", "--model", "{writer}", "x", "--temperature", "-1"], "--temperature -1.0 must be positive"),
        (["generate", "--model", "{writer}", "x", "--top-k", "0"], "--top-k 0"),
        (["generate", "--model", "{writer}", "x", "--max-length", "99"], "--max-length 99 is over the model's own"),
        (["generate", "--model", "nonsense", "x"], "no model 'nonsense'"),
    ],
)
@pytest.mark.unhooked
def test_a_mistake_is_one_line(files, capsys, arguments, message):
    output, errors = said(capsys, *[each.format(**files) for each in arguments], rc=1)
    assert output == ""
    assert errors.startswith("blockbyblock: ")
    assert message.format(**files) in errors
    assert errors.count("\n") == 1


def test_scores_on_files(files, capsys, tmp_path):
    texts = ["The cat sat.", "I don't know.", "Where is she?"]
    (tmp_path / "in.txt").write_text("\n".join(f" {text} \n" for text in texts), encoding="utf-8")
    scores = tmp_path / "scores.json"
    arguments = ["--source", str(tmp_path / "in.txt"), "--json", str(scores)]
    output = said(capsys, "evaluate", files["writer"], *arguments).out
    loss = total_loss(text_losses(open_model(files["writer"], TextGenerator), texts))
    size = len("".join(texts).encode())
    assert f"3 texts, {size} bytes" in output
    assert json.loads(scores.read_text()) == {
        "texts": 3,
        "loss": pytest.approx(loss.total / loss.tokens),
        "perplexity": pytest.approx(math.exp(loss.total / loss.tokens)),
        "bits_per_byte": pytest.approx(loss.total / math.log(2) / size),
    }
    assert "1 texts" in said(capsys, "evaluate", files["writer"], *arguments, "--first", "1").out

    classifier = open_model(files["judge"], TextClassifier)
    rows = [("nitti", "Danish"), ("einundzwanzig", "German"), ("halvfems", "Dutch")]
    lines = "".join(f"{text}\t{label}\n" for text, label in rows)
    (tmp_path / "in.tsv").write_text(lines + "no label\n", encoding="utf-8")
    arguments = ["--source", str(tmp_path / "in.tsv"), "--json", str(scores)]
    output, errors = said(capsys, "evaluate", files["judge"], *arguments)
    found = accuracy(classifier, *zip(*rows, strict=True))
    assert f"accuracy         {found}\n" in output
    assert all(f"  {own} taken for {given}: {count}\n" in output for (own, given), count in found.confusions.items())
    assert "4 lines, 3 pairs" in errors
    assert json.loads(scores.read_text()) == {"texts": 3, "correct": found.correct, "accuracy": found.share}


SIZES = "vocab_size=280 model.d_model=16 model.heads=2 model.d_ff=16 model.layers=1"
STEPS = "training.steps=2 training.warmup=1 training.checkpoint_every=1 training.log_every=1"
SMALL = [word for change in f"{SIZES} {STEPS}".split() for word in ("--set", change)]


@pytest.mark.parametrize("recipe, command", [("own-language", "generate"), ("own-labels", "classify")])
def test_from_a_text_of_ones_own_to_a_score(tmp_path, capsys, recipe, command):
    rows = number_names(numbers=range(100), train=40, validation=0, test=0).train
    lines = [f"{side}\t{label}" for row in rows for side, label in zip(row, ("English", "German"), strict=True)]
    texts = [line.split("\t")[0] for line in lines] if command == "generate" else lines
    path, run = tmp_path / "mine.txt", str(tmp_path / "run")
    path.write_text("\n".join(texts), encoding="utf-8")
    errors = said(capsys, "train", recipe, "--set", f"corpus.file={path}", *SMALL, "--to", run, "--quiet").err
    assert f"{command} with it:  blockbyblock {command} --model {run} ..." in errors
    assert f"nats per {'token' if command == 'generate' else 'text'}\n" in errors
    assert f"{len(texts)} lines" in errors

    kind = TextGenerator if command == "generate" else TextClassifier
    model, corpus, scores = open_model(run, kind), read_run(run).recipe.load_corpus(), tmp_path / "scores.json"
    for part, examples in (("test", corpus.test), ("validation", corpus.validation)):
        errors = said(capsys, "evaluate", run, "--part", part, "--json", str(scores)).err
        assert f"{len(texts) * 8 // 10} training texts" in errors
        values = json.loads(scores.read_text())
        assert values["texts"] == len(examples) == len(texts) // 10
        if command == "generate":
            assert values["loss"] == pytest.approx(total_loss(text_losses(model, examples)).loss)
        else:
            assert values["correct"] == accuracy(model, *zip(*examples, strict=True)).correct

    exported = str(tmp_path / "mine.safetensors")
    assert "bytes" in said(capsys, "export", run, "--to", exported, "--precision", "float32").err
    options = [command, "twenty", *(SHORT if command == "generate" else [])]
    assert said(capsys, *options, "--model", exported) == said(capsys, *options, "--model", run)
    about = load_portable(exported, kind).about
    assert about["recipe"]["corpus"]["file"] == "mine.txt"

    output = said(capsys, "info", exported).out
    task, extra = ("generation", "language") if command == "generate" else ("classification", "labels")
    assert f"  task             {task}\n" in output
    assert f"  {extra:16} {'text' if command == 'generate' else 'English, German'}\n" in output

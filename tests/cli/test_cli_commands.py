"""The other commands, end to end on a training of seconds; mistakes of a user end in one line."""

import gzip
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from safetensors.torch import save_file
from small_translator import small_translator

from blockbyblock import __version__
from blockbyblock.cli import COMMANDS, _parser, main
from blockbyblock.cli.common import open_model
from blockbyblock.data import number_names
from blockbyblock.evaluation import bleu, bleu_interval, chrf, exact_matches
from blockbyblock.portable import load_portable, quantise_rows, save_portable
from blockbyblock.training import average_checkpoints, average_files, open_run
from blockbyblock.translator import Translator
from blockbyblock.weights import KEY, VERSION, load_weights, model_weights

RECIPE = """
title = "Tiny"
vocab_size = 280
batch_tokens = 200
[corpus]
name = "number-names"
train = 40
validation = 6
test = 9
[model]
d_model = 16
heads = 2
d_ff = 16
encoder_layers = 1
decoder_layers = 1
max_length = 64
[training]
steps = 4
schedule = "constant"
peak = 1e-3
warmup = 1
log_every = 1
checkpoint_every = 2
average = 2
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    assert main(["train", recipe, "--to", str(folder), "--quiet"]) == 0
    return folder


def test_train_says_what_it_does_and_how_to_go_on(recipe, tmp_path, capsys):
    assert main(["train", recipe, "--to", str(tmp_path), "--quiet", "--set", "training.steps=3"]) == 0
    errors = capsys.readouterr().err
    assert "40 training pairs" in errors
    assert "% of them padding" in errors
    assert "finished after 3 steps, least validation loss" in errors
    assert f"blockbyblock translate --model {tmp_path}" in errors
    assert main(["train", recipe, "--to", str(tmp_path), "--quiet"]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["train", recipe, "--to", str(tmp_path), "--quiet", "--resume"]) == 0
    assert "finished after 4 steps" in capsys.readouterr().err


def test_threads_are_those_asked_for(recipe, tmp_path):
    before = torch.get_num_threads()
    try:
        assert main(["train", recipe, "--to", str(tmp_path), "--quiet", "--threads", "3"]) == 0
        assert torch.get_num_threads() == 3
        assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["machine"]["threads"] == 3
    finally:
        torch.set_num_threads(before)


if sys.platform != "win32":  # which has no SIGTERM: terminate() kills

    def test_a_terminated_training_saves_says_so_and_goes_on(recipe, tmp_path):
        endless = ["--set", "training.steps=100000", "--set", "training.checkpoint_every=100000"]
        command = [sys.executable, "-m", "blockbyblock", "train", recipe, "--to", str(tmp_path), "--threads", "1"]
        with subprocess.Popen([*command, "--quiet", *endless], stderr=subprocess.PIPE, text=True) as process:
            log = tmp_path / "log.jsonl"
            deadline = time.monotonic() + 120
            while not (log.exists() and log.read_text(encoding="utf-8").count("\n") > 2):
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=120)
        assert process.returncode == 130
        assert "interrupted after" in errors
        assert "--resume goes on from here" in errors
        [saved] = tmp_path.glob("interrupted_*")
        step = int(re.search(r"\d+", saved.name)[0])
        steps = f"training.steps={step + 1}"
        assert main(["train", recipe, "--to", str(tmp_path), "--quiet", "--resume", "--set", steps]) == 0
        assert (tmp_path / f"step_{step + 1:08}.safetensors").exists()


def test_two_processes_by_torchrun_train_one_model(recipe, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "blockbyblock", "train", recipe, "--to", str(tmp_path), "--quiet", "--threads", "1"]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("finished after 4 steps") == 1  # process 0 alone speaks
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["machine"]["processes"] == 2
    assert open_run(tmp_path).translate(["one"])


def test_evaluate_scores_the_test_part(run, capsys, tmp_path):
    options = ["--output", str(tmp_path / "out.txt"), "--json", str(tmp_path / "scores.json"), "--beam", "2"]
    assert main(["evaluate", str(run), *options]) == 0
    output = capsys.readouterr().out
    test = number_names(train=40, validation=6, test=9).test
    translations = (tmp_path / "out.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert translations == open_run(run).translate([example.source for example in test], beam=2)
    references = [example.references for example in test]
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert scores["bleu"] == bleu(translations, references).value
    assert scores["bleu_lowercased"] == bleu(translations, references, lowercase=True).value
    assert scores["exact"] == exact_matches(translations, references).share
    assert (scores["sentences"], scores["beam"]) == (9, 2)
    assert "9 sentences, 9 references" in output
    assert f"perplexity {scores['perplexity']:.2f}" in output
    assert scores["signature"] in output


def watch_translations(monkeypatch, found=None):
    """What is asked of the translator, once it is asked; the answers, if not given, are the model's own."""
    asked, translate = [], Translator.translate

    def watch(translator, texts, **options):
        asked.append(([*texts], options))
        return translate(translator, texts, **options) if found is None else found

    monkeypatch.setattr(Translator, "translate", watch)
    return asked


def test_evaluate_the_validation_part_and_its_beginning(run, capsys, monkeypatch):
    asked = watch_translations(monkeypatch)
    assert main(["evaluate", str(run), "--part", "validation", "--beam", "1", "--first", "4"]) == 0
    assert "4 sentences, 4 references" in capsys.readouterr().out
    validation = number_names(train=40, validation=6, test=9).validation[:4]
    assert asked == [([example.source for example in validation], {"beam": 1, "length_penalty": 0.6})]


def test_each_score_is_of_its_kind_and_a_line_ends_at_a_line_feed(run, tmp_path, monkeypatch, capsys):
    # Of unequal length, so that a score tells the translations from the references.
    references = ["Eins und zwei sind drei, wie man sieht", "vier und fünf \u2028 sind neun"]
    found = ["eins und zwei sind drei", references[1]]
    asked = watch_translations(monkeypatch, found)
    (tmp_path / "source").write_bytes("one and two \u2028 are three\r\nfour\r\n".encode())
    (tmp_path / "target").write_bytes("\r\n".join(references).encode())
    options = ["--source", str(tmp_path / "source"), "--references", str(tmp_path / "target"), "--beam", "3"]
    scores = tmp_path / "scores.json"
    assert main(["evaluate", str(run), *options, "--length-penalty", "1.0", "--json", str(scores)]) == 0
    assert asked == [(["one and two \u2028 are three", "four"], {"beam": 3, "length_penalty": 1.0})]
    values = json.loads(scores.read_text(encoding="utf-8"))
    right, swapped = (found, [(text,) for text in references]), (references, [(text,) for text in found])
    for name, score in (
        ("bleu", bleu),
        ("bleu_lowercased", lambda *texts: bleu(*texts, lowercase=True)),
        ("chrf2", chrf),
    ):
        assert values[name] == score(*right).value != score(*swapped).value
    assert len({values[name] for name in ("bleu", "bleu_lowercased", "chrf2")}) == 3
    assert values["exact"] == 0.5
    output = capsys.readouterr().out
    assert f"BLEU             {bleu_interval(*right)}\n" in output
    assert f"BLEU lowercased  {bleu_interval(*right, lowercase=True)}\n" in output
    assert f"chrF2            {values['chrf2']:.2f}\n" in output


def test_evaluate_on_files(run, capsys, tmp_path):
    for name, lines in (("source", ["one", "two"]), ("a", ["eins", "zwei"]), ("b", ["ein", "zwo"]), ("c", ["eins"])):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    paths = {name: str(tmp_path / name) for name in ("source", "a", "b", "c")}
    assert main(["evaluate", str(run), "--source", paths["source"], "--references", paths["a"], paths["b"]]) == 0
    assert "2 sentences, 4 references" in capsys.readouterr().out
    assert main(["evaluate", str(run), "--source", paths["source"], "--references", paths["c"]]) == 1
    assert "the files have 2, 1 lines: they do not pair" in capsys.readouterr().err
    assert main(["evaluate", str(run), "--source", paths["source"]]) == 1
    assert "--source and --references belong together" in capsys.readouterr().err


def test_evaluate_reads_packed_and_marked_files_as_the_others(run, tmp_path, monkeypatch):
    asked = watch_translations(monkeypatch)
    (tmp_path / "source").write_bytes(b"\xef\xbb\xbfone\ntwo\n")
    (tmp_path / "target").write_bytes(b"\xef\xbb\xbfeins\nzwei\n")
    for name in ("source", "target"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    scores = []
    for ending in ("", ".gz"):
        paths = ["--source", str(tmp_path / f"source{ending}"), "--references", str(tmp_path / f"target{ending}")]
        assert main(["evaluate", str(run), *paths, "--json", str(tmp_path / "scores.json")]) == 0
        scores.append(json.loads((tmp_path / "scores.json").read_text(encoding="utf-8")))
    assert [texts for texts, _ in asked] == [["one", "two"]] * 2
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"eins\nzw\xffei\n", "target, line 2: not UTF-8: byte 2 is 0xff"),
        (b"eins\nzw\0ei\n", "target, line 2: NUL: byte 2 is 0x00"),
        ("eins\nzwei\n".encode("utf-16"), "target is text in UTF-16"),
        (None, "target is a folder"),
    ],
)
def test_evaluate_names_the_file_that_cannot_be_read(run, capsys, tmp_path, content, message):
    (tmp_path / "source").write_bytes(b"one\ntwo\n")
    if content is None:
        (tmp_path / "target").mkdir()
    else:
        (tmp_path / "target").write_bytes(content)
    options = ["--source", str(tmp_path / "source"), "--references", str(tmp_path / "target")]
    assert main(["evaluate", str(run), *options]) == 1
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"\n", b" \n\n"])
def test_evaluate_refuses_files_without_a_sentence(run, capsys, tmp_path, content):
    """Nothing, translated as nothing, would be exactly right."""
    for name in ("source", "target"):
        (tmp_path / name).write_bytes(content)
    options = ["--source", str(tmp_path / "source"), "--references", str(tmp_path / "target")]
    assert main(["evaluate", str(run), *options]) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.endswith("blockbyblock: there is no sentence to score\n")


def test_evaluate_leaves_out_lines_that_are_empty_on_all_sides_and_counts_them(run, capsys, tmp_path, monkeypatch):
    asked = watch_translations(monkeypatch)
    (tmp_path / "source").write_bytes(b"one\n\ntwo\n\n")
    (tmp_path / "target").write_bytes(b"eins\n\n\n\n")
    options = ["--source", str(tmp_path / "source"), "--references", str(tmp_path / "target"), "--beam", "1"]
    assert main(["evaluate", str(run), *options]) == 0
    assert [texts for texts, _ in asked] == [["one", "two"]]
    assert "2 lines are empty in each of the files, and are left out" in capsys.readouterr().err


OWN_TEXT = """
title = "Mine"
vocab_size = 280
batch_tokens = 200
[corpus]
name = "parallel-text"
source = "a.en"
target = "a.de"
validation = 2
test = 2
[model]
d_model = 8
heads = 2
d_ff = 8
encoder_layers = 1
decoder_layers = 1
max_length = 64
[training]
steps = 1
warmup = 1
"""


@pytest.fixture
def own_text(tmp_path) -> list[str]:
    """What trains on `a.en` and `a.de`, of ten lines each."""
    (tmp_path / "mine.toml").write_text(OWN_TEXT, encoding="utf-8")
    for language in ("en", "de"):
        lines = "".join(f"{language} {number}\n" for number in range(10))
        (tmp_path / f"a.{language}").write_text(lines, encoding="utf-8")
    return ["train", str(tmp_path / "mine.toml"), "--data", str(tmp_path), "--to", str(tmp_path / "run"), "--quiet"]


def test_training_refuses_text_in_another_encoding(own_text, tmp_path, capsys):
    for language in ("en", "de"):
        path = tmp_path / f"a.{language}"
        path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16"))
    assert main(own_text) == 1
    errors = capsys.readouterr().err
    assert "a.en is text in UTF-16, and this package reads UTF-8: `iconv -f UTF-16 -t UTF-8` turns" in errors
    assert "Windows" in errors
    assert errors.count("\n") == 1


def test_training_refuses_files_of_different_length_and_takes_them_where_asked(own_text, tmp_path, capsys):
    path = tmp_path / "a.de"
    path.write_text(path.read_text(encoding="utf-8").replace("de 2\n", ""), encoding="utf-8")
    assert main(own_text) == 1
    assert "a.de 9: they do not pair" in capsys.readouterr().err
    assert not list(tmp_path.glob("run/*.safetensors"))
    assert main([*own_text, "--set", "corpus.unpaired=leave out"]) == 0
    assert "1 unpaired (line 10: 'en 9')" in capsys.readouterr().err


def test_a_recipe_may_begin_with_a_byte_order_mark(own_text, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert main(own_text) == 0


@pytest.mark.parametrize("same", [False, True])
def test_evaluate_warns_of_another_text_than_that_of_training(run, tmp_path, capsys, same):
    """The test part of another file may be what the model was trained on."""
    values = json.loads((run / "run.json").read_text(encoding="utf-8"))
    lines = "\n".join(f"cat {number}\tKatze {number}" for number in range(20))
    (tmp_path / "mine.tsv").write_bytes(lines.encode())
    values["recipe"]["corpus"] = {"name": "parallel-text", "source": "mine.tsv", "validation": 2, "test": 3}
    digest = hashlib.sha256(lines.encode()).hexdigest()
    values["corpus"]["sha256"] = {"mine.tsv": digest if same else "0"}
    for name in ("tokenizer.json", "averaged.safetensors"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    (tmp_path / "run.json").write_text(json.dumps(values), encoding="utf-8")
    assert main(["evaluate", str(tmp_path), "--data", str(tmp_path), "--beam", "1"]) == 0
    warned = "mine.tsv: not the file that the model was trained on" in capsys.readouterr().err
    assert warned != same


@pytest.mark.parametrize("text, explained", [("eins", True), ("eins und zwei sind drei", False), ("x", False)])
def test_evaluate_explains_a_bleu_of_zero_beside_exact_matches(run, capsys, tmp_path, monkeypatch, text, explained):
    monkeypatch.setattr(Translator, "translate", lambda *_, **__: [text])
    (tmp_path / "source").write_text("one\n", encoding="utf-8")
    (tmp_path / "target").write_text(f"{text if text != 'x' else 'eins'}\n", encoding="utf-8")
    options = ["--source", str(tmp_path / "source"), "--references", str(tmp_path / "target")]
    assert main(["evaluate", str(run), *options]) == 0
    assert ("BLEU is 0 though" in capsys.readouterr().err) == explained


def test_a_reference_over_the_limit_is_left_out_of_the_loss_and_counted(run, capsys, tmp_path):
    (tmp_path / "source").write_text("one\ntwo\n", encoding="utf-8")
    (tmp_path / "target").write_text(f"eins\n{'zwei ' * 80}\n", encoding="utf-8")
    options = ["--source", str(tmp_path / "source"), "--references", str(tmp_path / "target"), "--beam", "1"]
    assert main(["evaluate", str(run), *options]) == 0
    assert "1 over-long pairs are left out of the loss" in capsys.readouterr().err


def test_a_sentence_over_the_limit_is_named(run, capsys, tmp_path):
    (tmp_path / "source").write_text(f"one\n{'two ' * 80}\n", encoding="utf-8")
    (tmp_path / "target").write_text("eins\nzwei\n", encoding="utf-8")
    options = ["--source", str(tmp_path / "source"), "--references", str(tmp_path / "target"), "--beam", "1"]
    assert main(["evaluate", str(run), *options]) == 1
    assert "text 2: the sentence has" in capsys.readouterr().err


def test_a_model_that_does_not_know_its_corpus_needs_files(model, capsys):
    assert main(["evaluate", model]) == 1
    assert "give --source and --references" in capsys.readouterr().err


def test_export_rounds_the_averaged_weights(run, tmp_path, capsys):
    for precision, options in (("int8", []), ("float16", ["--precision", "float16"])):
        path = tmp_path / f"{precision}.safetensors"
        assert main(["export", str(run), "--to", str(path), *options]) == 0
        assert f"wrote {path}, {path.stat().st_size:,} bytes" in capsys.readouterr().err
        name = "model.encoder.layers.0.feed_forward.hidden_projection.weight"
        weight = model_weights(open_run(run).model)[name]
        steps, scales = quantise_rows(weight)
        expected = weight.half().float() if precision == "float16" else steps * scales[:, None]
        assert torch.equal(model_weights(load_portable(path).model)[name], expected)


def test_a_file_in_the_folder_of_a_training_may_be_an_exported_one_or_a_checkpoint(run, tmp_path, capsys):
    exported, checkpoint = run / "exported.safetensors", run / "step_00000002.safetensors"
    save_portable(exported, open_run(run), "float16")
    for path, expected in ((exported, load_portable(exported)), (checkpoint, open_run(checkpoint))):
        found = model_weights(open_model(str(path), Translator).model)
        torch.testing.assert_close(found, model_weights(expected.model), rtol=0, atol=0)
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(checkpoint.read_bytes())
    assert main(["info", str(alone)]) == 1
    assert "alone.safetensors holds no tokenizer: it is a checkpoint" in capsys.readouterr().err


def test_a_model_in_the_box_is_found_by_its_name_and_shows_its_card(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("blockbyblock.pretrained.MODELS", tmp_path)
    for name, seed in (("en-de", 0), ("numbers-en-de", 1)):
        save_portable(tmp_path / f"{name}.safetensors", small_translator(seed))
        (tmp_path / f"{name}.md").write_text(f"The card of {name}.\n", encoding="utf-8")
    loaded = model_weights(open_model("numbers-en-de", Translator).model)
    expected = load_portable(tmp_path / "numbers-en-de.safetensors").model
    torch.testing.assert_close(loaded, model_weights(expected), rtol=0, atol=0)
    assert main(["info"]) == 0
    assert "The card of en-de." in capsys.readouterr().out
    assert main(["info", "de-en"]) == 1
    assert "no model 'de-en': neither a file or folder, nor one of en-de, numbers-en-de" in capsys.readouterr().err


def test_average_is_the_mean_of_the_files(run, tmp_path, capsys):
    files = sorted(str(path) for path in run.glob("step_*"))
    mean = run / "mean.safetensors"
    assert main(["average", *files, "--to", str(mean)]) == 0
    assert "the mean of 2 files" in capsys.readouterr().err
    expected, found = open_run(run).model, open_run(run).model
    average_checkpoints(files, expected)
    load_weights(mean, found)
    torch.testing.assert_close(model_weights(found), model_weights(expected), rtol=0, atol=0)
    assert main(["translate", "--model", str(mean), "one", "--max-length", "3"]) == 0
    (tmp_path / "no.safetensors").write_bytes(b"no")
    assert main(["average", str(tmp_path / "no.safetensors"), "--to", str(mean)]) == 1
    assert "no.safetensors is truncated" in capsys.readouterr().err
    odd = json.dumps({"version": VERSION, "config": {"heads": 3}})
    save_file({}, tmp_path / "odd.safetensors", {KEY: odd})
    assert main(["average", str(tmp_path / "odd.safetensors"), "--to", str(mean)]) == 1
    assert "odd.safetensors does not describe a model: d_model=512 is not divisible" in capsys.readouterr().err
    with pytest.raises(ValueError, match="there is no checkpoint to average"):
        average_files([], mean)


def test_average_looks_for_the_files_of_a_pattern_where_the_shell_has_not(run, tmp_path, capsys):
    files, mean = sorted(str(path) for path in run.glob("step_*")), tmp_path / "mean.safetensors"
    assert main(["average", *files, "--to", str(mean)]) == 0
    expected = mean.read_bytes()
    assert main(["average", str(run / "step_*.safetensors"), "--to", str(mean)]) == 0
    assert capsys.readouterr().err.count("the mean of 2 files") == 2
    assert mean.read_bytes() == expected
    assert main(["average", str(run / "stop_*.safetensors"), "--to", str(mean)]) == 1
    assert "there is no file" in capsys.readouterr().err
    brackets = tmp_path / "a[1].safetensors"
    brackets.write_bytes(Path(files[0]).read_bytes())
    assert main(["average", str(brackets), "--to", str(mean)]) == 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["average", "FOLDER", "--to", "mean"], "is a folder: name the checkpoints in it, as"),
        (["average", "CHECKPOINT", "--to", "FOLDER"], "Is a directory"),
        (["export", "MODEL", "--to", "FOLDER"], "Is a directory"),
        (["evaluate", "MODEL", "--source", "FOLDER", "--references", "FOLDER"], "is a folder, and a file with text"),
        (["translate", "--model", "MODEL", "--file", "FOLDER"], "is a folder, and a file with text"),
        (["train", "FOLDER", "--to", "x"], "is a folder, and a file with text"),
        (["train", "RECIPE", "--to", "RECIPE"], "is a file, and a training needs a folder"),
        (["plot", "FOLDER", "--to", "x.svg"], "log.jsonl"),
        (["plot", "RUN", "--to", "FOLDER"], "is a folder, and a picture needs the name of a file"),
        (["info", "FOLDER"], "run.json"),
    ],
)
def test_a_folder_in_the_place_of_a_file_is_one_clear_line(run, model, recipe, tmp_path, capsys, arguments, message):
    (tmp_path / "folder").mkdir()
    places = {"FOLDER": tmp_path / "folder", "MODEL": model, "RECIPE": recipe, "RUN": run}
    places["CHECKPOINT"] = run / "step_00000002.safetensors"
    assert main([str(places.get(argument, argument)) for argument in arguments]) == 1
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
    assert str(tmp_path / "folder") in errors or "RECIPE" in arguments
    assert not [*(tmp_path / "folder").iterdir()]


if sys.platform == "linux":  # where a name is bytes, and need not be text

    def test_a_run_in_a_folder_whose_name_is_not_utf8_is_carried_out_and_used(recipe, tmp_path, capsys):
        folder = os.fsdecode(os.fsencode(tmp_path) + b"/r\xfcn")
        assert main(["train", recipe, "--to", folder, "--quiet"]) == 0
        assert main(["train", recipe, "--to", folder, "--quiet", "--resume"]) == 0
        assert main(["translate", "--model", folder, "one", "--max-length", "3"]) == 0
        assert main(["average", f"{folder}/step_*.safetensors", "--to", f"{folder}/mean.safetensors"]) == 0
        assert "the mean of 2 files" in capsys.readouterr().err


@pytest.mark.parametrize("ending, begins", [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_plot_writes_a_picture_of_the_log(run, tmp_path, ending, begins):
    for log in (run, run / "log.jsonl"):
        picture = tmp_path / f"losses.{ending}"
        assert main(["plot", str(log), "--to", str(picture)]) == 0
        assert picture.read_bytes().startswith(begins)
        assert not plt.get_fignums()  # a figure that stays open takes memory
        picture.unlink()


def test_info_says_what_a_model_is(run, capsys):
    assert main(["info", str(run)]) == 0
    output = capsys.readouterr().out
    assert output.startswith("Tiny\n")
    assert "number names, 0 to 99,999" in output
    assert re.search(r"parameters +8,", output)
    assert re.search(r"d_model +16\n", output)
    assert re.search(r"dropout +0\.1 \(as in the paper's base model\)", output)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["translate", "--model", "nothing", "cat"], "no model 'nothing': neither a file or folder, nor one of"),
        (["translate", "--file", "nothing.txt", "--model", "MODEL"], "nothing.txt"),
        (["translate", "cat", "--file", "x", "--model", "MODEL"], "either texts or --file, not both"),
        (["translate", "cat", "--beam", "0", "--model", "MODEL"], "--beam 0"),
        (["translate", "--model", "MODEL", "--show-attention", "Where is the cat?"], "write sentences before it"),
        (["translate", "cat", "--threads", "0", "--model", "MODEL"], "--threads 0"),
        (["translate", "cat", "--max-length", "999", "--model", "MODEL"], "--max-length 999"),
        (["train", "nothing.toml", "--to", "x"], "nothing.toml"),
        (["plot", "nothing", "--to", "x.svg"], "nothing"),
        (["info", "nothing"], "no model 'nothing'"),
        (["evaluate", "MODEL", "--first", "0"], "--first 0"),
    ],
)
def test_a_mistake_of_the_user_is_one_line(model, capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main([model if argument == "MODEL" else argument for argument in arguments]) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("blockbyblock: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert not list(tmp_path.iterdir())


def no_home(monkeypatch):
    """A user without HOME and without a line in the list of users."""

    def unknown(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    monkeypatch.setattr("blockbyblock.data.fetching.user_cache_path", lambda _: Path("~/.cache").expanduser())


@pytest.mark.parametrize("named", [None, "~/corpora"])
@pytest.mark.parametrize("option", [[], ["--data", "~nobody/corpora"]])
def test_a_user_without_a_home_is_told_so_in_one_line(model, capsys, monkeypatch, named, option):
    no_home(monkeypatch)
    monkeypatch.delenv("BLOCKBYBLOCK_DATA", raising=False)
    if named:
        monkeypatch.setenv("BLOCKBYBLOCK_DATA", named)
    recipe = "multi30k-en-de"
    assert main(["train", recipe, "--to", "x", *option]) == 1
    errors = capsys.readouterr().err
    assert errors.startswith(f"blockbyblock: {option[-1] if option else named or 'no place to download to'}: Could not")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["translate", "--bean", "3"], ["train", "x.toml"]])
def test_what_is_not_understood_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: blockbyblock" in capsys.readouterr().err


def test_each_command_has_a_help_with_examples_that_it_understands(capsys):
    parser = _parser()
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0
        examples = re.findall(rf"blockbyblock ({name}\b[^|>\n]*)", capsys.readouterr().out.partition("Examples:")[2])
        assert examples
        for example in examples:
            parser.parse_args(shlex.split(example))


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"blockbyblock {__version__}\n"


def test_it_starts_as_a_module_and_ends_quietly_when_nobody_reads_on(model, tmp_path):
    (tmp_path / "in.txt").write_text("cat\n" * 2000, encoding="utf-8")
    command = [sys.executable, "-m", "blockbyblock", "translate", "--model", model, "--file", str(tmp_path / "in.txt")]
    options = ["--beam", "1", "--max-length", "3", "--threads", "1"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(timeout=120)
    assert process.returncode == 0


if sys.platform != "win32":  # which gives a closed pipe the error of a wrong argument

    def test_a_result_that_python_holds_back_to_its_end_also_ends_quietly(model):
        reading, writing = os.pipe()
        os.close(reading)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        command = [sys.executable, "-m", "blockbyblock", "info", model]
        result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment, timeout=120)
        os.close(writing)
        assert (result.returncode, result.stderr) == (0, b"")

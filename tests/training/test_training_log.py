"""A log can be read whatever happened to the process that wrote it, and drawn."""

import json

import pytest

from blockbyblock.figures import plots
from blockbyblock.training import plot_log, read_log
from blockbyblock.training.log import TrainingLog


def write(path, count=3):
    log = TrainingLog(path, step=0)
    for step in range(1, count + 1):
        log.write("train", 10 * step, loss=4.0 / step, learning_rate=step * 1e-3)
        log.write("validation", 10 * step, loss=4.5 / step)
    return path


def test_records_come_back(tmp_path):
    found = read_log(write(tmp_path / "log.jsonl"))
    assert found[0] == {"kind": "train", "step": 10, "loss": 4.0, "learning_rate": 1e-3}
    assert [record["step"] for record in found] == [10, 10, 20, 20, 30, 30]


def test_a_crash_at_any_byte_leaves_a_log_of_the_whole_lines(tmp_path):
    path = write(tmp_path / "log.jsonl")
    whole, content = read_log(path), path.read_bytes()
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        assert read_log(path) == whole[: content[:size].count(b"\n")]


@pytest.mark.parametrize("line", ["{", "[1]", '{"kind": "train", "step": 1}', ""])
def test_a_damaged_line_is_refused_with_its_number(tmp_path, line):
    path = write(tmp_path / "log.jsonl")
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[:2], line, *lines[2:]]))
    with pytest.raises(ValueError, match=r"log.jsonl, line 3: no"):
        read_log(path)


def test_going_on_drops_what_was_written_about_later_steps(tmp_path):
    path = write(tmp_path / "log.jsonl")
    with path.open("a") as file:
        file.write('{"kind": "tr')
    log = TrainingLog(path, step=20)
    assert [record["step"] for record in read_log(path)] == [10, 10, 20, 20]
    log.write("train", 30, loss=9.0)
    assert read_log(path)[-1] == {"kind": "train", "step": 30, "loss": 9.0}
    TrainingLog(path, step=0)
    assert read_log(path) == []


def test_the_plot_shows_the_losses_and_the_learning_rate(tmp_path):
    figure = plot_log(write(tmp_path / "log.jsonl"))
    losses, rates = figure.axes
    train, validation = losses.lines
    assert (list(train.get_xdata()), list(train.get_ydata())) == ([10, 20, 30], [4.0, 2.0, 4.0 / 3])
    assert list(validation.get_ydata()) == [4.5, 2.25, 1.5]
    assert list(rates.lines[0].get_ydata()) == [1e-3, 2e-3, 3e-3]
    assert [text.get_text() for text in losses.get_legend().get_texts()] == ["training", "validation"]
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))
        plots.show(figure, "The loss falls.")  # it has labels, and text that can be read on a phone
    assert shown[0]["text/plain"] == "The loss falls."


def test_a_log_without_training_cannot_be_drawn(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"kind": "validation", "step": 1, "loss": 2.0}) + "\n")
    with pytest.raises(ValueError, match="no record of training yet"):
        plot_log(path)

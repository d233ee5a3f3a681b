"""What the long experiments have left is read from anywhere, and what is not there is said."""

import json

import pytest

from blockbyblock.experiments import recorded
from blockbyblock.experiments.record import record


@pytest.mark.parametrize("name", ["decoder", "one_batch"])
def test_what_was_found_is_read_from_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a notebook that was downloaded lies anywhere
    found = recorded(name)
    assert found["about"]["command"] == f"python -m blockbyblock.experiments.{name}"
    assert found["rows"]


def test_an_unknown_experiment_is_answered_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"no experiment has left 'decodre'; there are .*decoder, "):
        recorded("decodre")


def test_rows_and_how_they_were_made_are_written(tmp_path, one_thread):
    record("decoder", lambda: [{"loss": 1.5}, {"loss": 0.5}], ["--to", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["rows"] == [{"loss": 1.5}, {"loss": 0.5}]
    assert found["about"]["threads"] == 1

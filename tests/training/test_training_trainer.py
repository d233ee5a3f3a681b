"""The loop: it learns, it stops when nothing gets better, it reports what is so."""

import itertools
import math
import threading
import types

import pytest
import torch
from training_run import VOCAB, everything, make_model, make_pairs, make_trainer

from blockbyblock.data import Batches
from blockbyblock.training import (
    CheckpointFolder,
    Processes,
    Trainer,
    TrainingConfig,
    average_checkpoints,
    read_log,
    smoothed_cross_entropy,
    trainer,
    validation_loss,
)
from blockbyblock.weights import load_weights

ALONE = Processes(device=torch.device("cpu"))


def records(folder, kind):
    return [record for record in read_log(folder / "log.jsonl") if record["kind"] == kind]


def test_it_learns(tmp_path):
    outcome = make_trainer(tmp_path, validation=True, steps=150, checkpoint_every=50).train()
    losses = [record["loss"] for record in records(tmp_path, "train")]
    # An untrained model is about as good as guessing at random, ln 23 = 3.1; one that has learned must be far better.
    assert losses[0] > math.log(VOCAB) * 0.9
    assert losses[-1] < math.log(VOCAB) - 0.8
    assert outcome.best_loss < math.log(VOCAB)


def test_a_seed_decides_everything(tmp_path):
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        make_trainer(tmp_path / name, seed=seed, steps=4).train()
    one, same, other = (everything(tmp_path / name / "step_00000004.safetensors") for name in ("one", "same", "other"))
    assert one == same != other


def test_each_process_drops_out_other_numbers_and_the_same_ones_in_each_run(tmp_path, monkeypatch):
    # What would wait for the other process.
    monkeypatch.setattr("blockbyblock.training.update.DistributedDataParallel", lambda model, **_: model)

    def drawn(rank: int, seed: int) -> torch.Tensor:
        processes = Processes(rank, 2, torch.device("cpu"))
        make_trainer(tmp_path / f"{rank}", processes=processes, seed=seed)._begin(resume=False)
        return torch.nn.functional.dropout(torch.ones(1000), 0.5)

    assert torch.equal(drawn(0, seed=7), drawn(0, seed=7))
    agreeing = (drawn(0, seed=7) == drawn(1, seed=7)).float().mean()
    assert 0.4 < agreeing < 0.6  # as two coins agree
    assert not torch.equal(drawn(0, seed=7), drawn(0, seed=6))


def test_the_model_holds_the_mean_of_the_last_checkpoints(tmp_path):
    run = make_trainer(tmp_path, steps=14, average=2)
    outcome = run.train()
    assert outcome.averaged == tmp_path / "averaged.safetensors"
    assert [path.name for path in run.folder.regular()] == [f"step_{step:08}.safetensors" for step in (8, 12, 14)]
    expected, loaded = make_model(seed=3), make_model(seed=4)
    average_checkpoints(run.folder.regular()[1:], expected)
    load_weights(outcome.averaged, loaded)
    for name, tensor in expected.state_dict().items():
        assert torch.equal(run.model.state_dict()[name], tensor)
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert not run.model.training


def test_training_ends_when_validation_gets_no_better(tmp_path, monkeypatch):
    losses = iter([3.0, 2.0, 2.5, 1.9, 1.9, 2.2, 5.0, 0.0])
    monkeypatch.setattr(trainer, "validation_loss", lambda *_, **__: next(losses))
    changes = {"steps": 1000, "patience": 2, "keep": 1, "average": 1, "checkpoint_every": 2}
    outcome = make_trainer(tmp_path, validation=True, **changes).train()
    # The fourth is the best; an equal one is no better, so two in a row are not.
    assert (outcome.reason, outcome.step, outcome.best_loss) == ("stopped early", 12, 1.9)
    assert outcome.best == tmp_path / "step_00000008.safetensors"
    assert outcome.best.exists()
    assert [path.name for path in CheckpointFolder(tmp_path).regular()] == [
        "step_00000008.safetensors",
        "step_00000012.safetensors",
    ]
    assert [record["loss"] for record in records(tmp_path, "validation")] == [3.0, 2.0, 2.5, 1.9, 1.9, 2.2]
    again = make_trainer(tmp_path, validation=True, **changes).train(resume=True)
    assert (again.reason, again.step) == ("stopped early", 12)


def test_the_validation_loss_is_per_token_without_smoothing_and_dropout():
    model = make_model(dropout=0.5).train()
    batches = Batches(make_pairs(8, seed=1), tokens=40)
    found = validation_loss(model, batches, ALONE)
    assert model.training
    model.eval()
    plain = tokens = 0
    for batch in batches.epoch(0):
        logits = model(batch.source, batch.decoder_input).detach()
        plain += smoothed_cross_entropy(logits, batch.target, pad_id=0, smoothing=0.0).smoothed.item()
        tokens += int((batch.target != 0).sum())
    assert found == pytest.approx(plain / tokens, rel=1e-6)  # float32 sums
    fast = validation_loss(model, batches, ALONE, fast=True)
    assert fast != found
    assert fast == pytest.approx(found, rel=0.02)  # bfloat16
    with pytest.raises(ValueError, match="no text to validate on"):
        validation_loss(model, Batches([], tokens=40), ALONE)


def test_the_log_holds_the_means_since_its_last_line(tmp_path, monkeypatch):
    seen, update = [], trainer.Updater.update

    def watched(self, *arguments):
        seen.append(update(self, *arguments))
        return seen[-1]

    monkeypatch.setattr(trainer.Updater, "update", watched)
    make_trainer(tmp_path, steps=5, log_every=3, checkpoint_every=100).train()
    lines = records(tmp_path, "train")
    assert [line["step"] for line in lines] == [3, 5]
    for line, part in zip(lines, (seen[:3], seen[3:]), strict=True):
        predictions = sum(one.predictions for one in part)
        assert line["loss"] == pytest.approx(sum(one.plain.item() for one in part) / predictions)
        assert line["smoothed_loss"] == pytest.approx(sum(one.smoothed.item() for one in part) / predictions)
        assert line["gradient_norm"] == pytest.approx(sum(one.gradient_norm.item() for one in part) / len(part))
        assert line["learning_rate"] == pytest.approx(1e-2)
        assert line["predictions_per_second"] > 0
    assert lines[0]["seconds"] < lines[1]["seconds"]


def test_the_log_says_rate_epoch_speed_and_seconds_and_the_seconds_go_on_after_a_pause(tmp_path, monkeypatch):
    ticks = itertools.count()
    for module in ("trainer", "update"):  # a clock that goes on by a second at each look
        clock = types.SimpleNamespace(perf_counter=lambda: float(next(ticks)))
        monkeypatch.setattr(f"blockbyblock.training.{module}.time", clock)
    parts = [make_trainer(tmp_path, log_every=1, **changes) for changes in ({}, {})]
    parts[0].train(until=4)
    for _ in range(500):  # time passes between the two
        next(ticks)
    parts[1].train(resume=True)
    lines, batches = records(tmp_path, "train"), len(parts[0].batches)
    assert [line["step"] for line in lines] == [*range(1, 13)]
    for line in lines:
        assert line["learning_rate"] == parts[0].config.learning_rate(line["step"], 16)
        assert line["epoch"] == (line["step"] - 1) // batches
    assert lines[-1]["epoch"] > 0
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds)
    assert seconds[4] - seconds[3] < 100  # what passed between the two is not training


def test_a_diverged_training_ends_with_an_error_and_saves_nothing(tmp_path):
    run = make_trainer(tmp_path, steps=4)
    with torch.no_grad():
        run.model.output.weight.fill_(math.inf)
    with pytest.raises(FloatingPointError, match=r"has diverged: loss nan.*try a lower learning rate"):
        run.train()
    assert not list(tmp_path.glob("*.safetensors"))


def test_training_in_another_thread_handles_no_signal(tmp_path):
    outcomes = []
    run = make_trainer(tmp_path, steps=2)
    thread = threading.Thread(target=lambda: outcomes.append(run.train()))
    thread.start()
    thread.join(timeout=60)
    assert [outcome.reason for outcome in outcomes] == ["finished"]


def test_progress_is_shown_where_asked_for(tmp_path, capsys):
    run = make_trainer(tmp_path / "quiet", steps=2)
    run.train()
    assert capsys.readouterr() == ("", "")
    loud = make_trainer(tmp_path / "loud", steps=2)
    loud.progress = True
    loud.train()
    shown = capsys.readouterr().err
    assert "2/2" in shown
    assert "predictions/s" in shown


@pytest.mark.unhooked
def test_arguments_that_contradict_each_other(tmp_path):
    batches = Batches(make_pairs(), tokens=40, rank=1, ranks=2)
    config = TrainingConfig(steps=1)
    with pytest.raises(ValueError, match="batches of rank 1 of 2 in process 0 of 1"):
        Trainer(make_model(), batches, config, tmp_path, processes=ALONE)
    whole = Batches(make_pairs(), tokens=40)
    with pytest.raises(ValueError, match="batches of rank 1 of 2 in process 0 of 1"):
        Trainer(make_model(), whole, config, tmp_path, validation=batches, processes=ALONE)
    with pytest.raises(ValueError, match="patience=2 needs validation text"):
        Trainer(make_model(), whole, TrainingConfig(patience=2), tmp_path, processes=ALONE)

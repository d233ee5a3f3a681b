"""A run that was stopped, terminated or killed ends with the same bits as one that was not."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import training_run
from training_run import everything, make_trainer, raise_at

from blockbyblock.training import read_log

LAST = "step_00000012.safetensors"


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    outcome = make_trainer(folder, validation=True).train()
    assert (outcome.reason, outcome.step) == ("finished", 12)
    return folder


def without_times(record):
    return {name: value for name, value in record.items() if name not in ("seconds", "predictions_per_second")}


@pytest.mark.parametrize("step", [1, 3, 4, 7, 11])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_after_the_step_and_the_rest_is_bit_for_bit(uninterrupted, tmp_path, monkeypatch, step, number):
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        raise_at(patch, step, lambda: signal.raise_signal(number))
        outcome = make_trainer(tmp_path, validation=True).train()
    assert (outcome.reason, outcome.step, outcome.averaged) == ("interrupted", step, None)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    torch.manual_seed(99)  # whatever the next process did before it goes on
    outcome = make_trainer(tmp_path, validation=True).train(resume=True)
    assert (outcome.reason, outcome.step) == ("finished", 12)
    assert everything(tmp_path / LAST) == everything(uninterrupted / LAST)
    averaged = "averaged.safetensors"
    assert (tmp_path / averaged).read_bytes() == (uninterrupted / averaged).read_bytes()
    names = [{path.name for path in folder.iterdir()} for folder in (tmp_path, uninterrupted)]
    assert names[0] == names[1]  # the interruption left nothing behind


@pytest.mark.parametrize("until", [3, 4, 8, 12])
def test_a_pause_keeps_the_schedule_and_the_rest_is_bit_for_bit(tmp_path, until):
    changes = {"schedule": "cosine", "validation": True}
    make_trainer(tmp_path / "whole", **changes).train()
    outcome = make_trainer(tmp_path / "paused", **changes).train(until=until)
    paused = tmp_path / "paused" / f"step_{until:08}.safetensors"
    assert (outcome.reason, outcome.step, outcome.averaged, paused.exists()) == ("paused", until, None, True)
    again = make_trainer(tmp_path / "paused", **changes).train(resume=True, until=until)  # it is there already
    assert (again.reason, again.step) == ("paused", until)
    outcome = make_trainer(tmp_path / "paused", **changes).train(resume=True)
    assert (outcome.reason, outcome.step) == ("finished", 12)
    assert outcome.averaged.exists()
    assert everything(tmp_path / "paused" / LAST) == everything(tmp_path / "whole" / LAST)


@pytest.mark.parametrize("until", [0, 13])
def test_a_pause_outside_the_training_is_refused(tmp_path, until):
    with pytest.raises(ValueError, match=f"until={until} is not one of the updates, 1 to 12"):
        make_trainer(tmp_path).train(until=until)


def test_a_signal_in_the_last_step_before_a_pause_is_an_interruption(tmp_path, monkeypatch):
    raise_at(monkeypatch, 4, lambda: signal.raise_signal(signal.SIGTERM))
    assert make_trainer(tmp_path).train(until=4).reason == "interrupted"


def test_a_run_goes_on_through_epochs_and_accumulated_batches(tmp_path, monkeypatch):
    changes = {"accumulate": 3, "steps": 7}
    make_trainer(tmp_path / "whole", **changes).train()
    with monkeypatch.context() as patch:
        raise_at(patch, 5, lambda: signal.raise_signal(signal.SIGTERM))
        make_trainer(tmp_path / "stopped", **changes).train()
    make_trainer(tmp_path / "stopped", **changes).train(resume=True)
    expected = everything(tmp_path / "whole" / "step_00000007.safetensors")
    assert expected["state"]["batches"][1] > 0  # the second epoch
    assert everything(tmp_path / "stopped" / "step_00000007.safetensors") == expected


def test_a_second_control_c_does_not_wait(tmp_path, monkeypatch):
    raise_at(monkeypatch, 6, lambda: [signal.raise_signal(signal.SIGINT) for _ in range(2)])
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        make_trainer(tmp_path).train()
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["step_00000004.safetensors"]
    assert signal.getsignal(signal.SIGINT) == handler


def test_a_log_names_each_step_once_after_a_crash(uninterrupted, tmp_path, monkeypatch):
    def crash():
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        raise_at(patch, 8, crash)  # after a line for step 6, which no checkpoint holds
        with pytest.raises(RuntimeError, match="power cut"):
            make_trainer(tmp_path, validation=True).train()
    assert read_log(tmp_path / "log.jsonl")[-1]["step"] == 6
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"kind": "train", "st')
    make_trainer(tmp_path, validation=True).train(resume=True)
    logs = [[*map(without_times, read_log(folder / "log.jsonl"))] for folder in (tmp_path, uninterrupted)]
    assert logs[0] == logs[1]


def test_a_finished_run_stays_finished_and_can_be_made_longer(uninterrupted, tmp_path):
    make_trainer(tmp_path, steps=8, validation=True).train()
    before = (tmp_path / "step_00000008.safetensors").read_bytes()
    assert make_trainer(tmp_path, steps=8, validation=True).train(resume=True).reason == "finished"
    assert (tmp_path / "step_00000008.safetensors").read_bytes() == before
    make_trainer(tmp_path, steps=12, validation=True).train(resume=True)
    assert everything(tmp_path / LAST) == everything(uninterrupted / LAST)


def test_checkpoints_are_not_overwritten_by_a_new_run(tmp_path):
    make_trainer(tmp_path, steps=1).train()
    with pytest.raises(FileExistsError, match=r"step_00000001.safetensors is there already"):
        make_trainer(tmp_path, steps=1).train()


def test_resuming_nothing_is_beginning(uninterrupted, tmp_path):
    make_trainer(tmp_path, validation=True).train(resume=True)
    assert everything(tmp_path / LAST) == everything(uninterrupted / LAST)


class Run:
    """A training in another process, checkpoint after checkpoint, until something ends it."""

    def __init__(self, folder: Path) -> None:
        # As many threads as here: sums over other pieces round in other ways.
        program = f"import torch, training_run; torch.set_num_threads({torch.get_num_threads()}); "
        changes = json.dumps({"steps": 10**6, "checkpoint_every": 1, "keep": 2, "log_every": 1})
        program += f"print(training_run.main({str(folder)!r}, {changes!r}).reason)"
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", program], cwd=Path(training_run.__file__).parent, stdout=subprocess.PIPE, text=True
        )

    def wait_for_checkpoints(self, step: int) -> None:
        give_up = time.monotonic() + 120
        while not any(path.name >= f"step_{step:08}" for path in self.folder.glob("step_*.safetensors")):
            assert self.process.poll() is None, "the training ended by itself"
            assert time.monotonic() < give_up, "no checkpoint came"
            time.sleep(0.02)


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run")
    yield run
    run.process.kill()
    run.process.communicate()


def reached(folder: Path) -> int:
    return max(int(path.stem.split("_")[1]) for path in folder.glob("*_*.safetensors"))


def assert_goes_on_as_if_never_stopped(folder, fresh):
    steps = reached(folder) + 3
    changes = {"checkpoint_every": 1, "keep": 2, "log_every": 1, "steps": steps}
    make_trainer(folder, **changes).train(resume=True)
    make_trainer(fresh, **changes).train()
    last = f"step_{steps:08}.safetensors"
    assert everything(folder / last) == everything(fresh / last)
    logs = [[*map(without_times, read_log(path / "log.jsonl"))] for path in (folder, fresh)]
    assert logs[0] == logs[1]
    assert not list(folder.glob("*.tmp"))


def test_a_killed_process_loses_at_most_what_followed_its_last_checkpoint(run, tmp_path):
    run.wait_for_checkpoints(5)
    run.process.kill()
    run.process.wait(timeout=60)
    steps = [record["step"] for record in read_log(run.folder / "log.jsonl")]
    assert reached(run.folder) >= steps[-1] - 1
    assert_goes_on_as_if_never_stopped(run.folder, tmp_path / "fresh")


if sys.platform != "win32":  # which has no SIGTERM: terminate() kills

    def test_a_terminated_process_saves_and_ends_well(run, tmp_path):
        run.wait_for_checkpoints(3)
        run.process.terminate()
        output, _ = run.process.communicate(timeout=60)
        assert run.process.returncode == 0
        assert output.split() == ["ready", "interrupted"]
        assert_goes_on_as_if_never_stopped(run.folder, tmp_path / "fresh")

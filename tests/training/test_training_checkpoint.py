"""Checkpoints: whole or not there, refused by name when they are not ours, and kept in the right number."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import training_run
from safetensors.torch import save_file
from training_run import everything, make_model, make_trainer

from blockbyblock.files import write_atomically
from blockbyblock.training import CheckpointFolder, average_checkpoints
from blockbyblock.weights import CheckpointError, load_weights, model_weights, read_tensors, write_tensors

LAST = "step_00000012.safetensors"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    make_trainer(folder).train()
    return folder


@pytest.fixture
def begun(trained, tmp_path):
    """A folder with two good checkpoints, of steps 4 and 8."""
    for name in ("step_00000004.safetensors", "step_00000008.safetensors", "log.jsonl"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    return tmp_path


def values_of(model):
    return {name: tensor.tolist() for name, tensor in model_weights(model).items()}


@pytest.mark.parametrize("tying", ["none", "two-way", "three-way"])
def test_weights_come_back_bit_for_bit_and_tied_ones_stay_tied(tmp_path, tying):
    written, read = make_model(tying=tying), make_model(seed=1, tying=tying)
    write_tensors(tmp_path / "a.safetensors", model_weights(written), written.config)
    load_weights(tmp_path / "a.safetensors", read)
    assert all(torch.equal(read.state_dict()[name], tensor) for name, tensor in written.state_dict().items())
    assert (read.output.weight is read.target_embedding.table.weight) == (tying != "none")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99, 0.9999])
def test_a_truncated_checkpoint_is_refused_with_its_name_and_changes_nothing(trained, begun, share):
    whole = (trained / LAST).read_bytes()
    (begun / LAST).write_bytes(whole[: int(share * len(whole))])
    trainer = make_trainer(begun)
    before = values_of(trainer.model)
    with pytest.raises(CheckpointError, match=f"{LAST} is truncated, or no safetensors file"):
        trainer.train(resume=True)
    with pytest.raises(CheckpointError, match=LAST):
        load_weights(begun / LAST, trainer.model)
    assert values_of(trainer.model) == before
    (begun / LAST).unlink()  # as its name was told: the one before it is good
    assert make_trainer(begun).train(resume=True).reason == "finished"
    assert everything(begun / LAST) == everything(trained / LAST)


def test_a_pickle_is_not_opened(begun):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (begun / "sprung",))

    torch.save(Trap(), begun / LAST)
    with pytest.raises(CheckpointError, match=LAST):
        make_trainer(begun).train(resume=True)
    assert not (begun / "sprung").exists()


def altered(source: Path, path: Path, tensors=None, **changes) -> None:
    """A checkpoint with some of its tensors and values replaced; None removes one."""
    old_tensors, old_values = read_tensors(source)
    new_tensors, values = old_tensors | (tensors or {}), old_values | changes
    save_file(
        {name: tensor for name, tensor in new_tensors.items() if tensor is not None},
        path,
        {"blockbyblock": json.dumps({name: value for name, value in values.items() if value is not None})},
    )


def test_a_file_of_another_program_is_refused(begun):
    for metadata, message in (
        (None, "none of this book"),
        ({"format": "pt"}, "none of this book"),
        ({"blockbyblock": "7"}, "none of this book"),
        ({"blockbyblock": "{"}, "holds a text that is not JSON"),
    ):
        save_file({"weight": torch.zeros(3)}, begun / LAST, metadata)
        with pytest.raises(CheckpointError, match=f"{LAST} .*{message}"):
            make_trainer(begun).train(resume=True)


@pytest.mark.parametrize(
    "tensors, changes, message",
    [
        ({}, {"version": 2}, "none of this book, version 1"),
        ({}, {"config": None}, "does not say what model it belongs to"),
        ({}, {"state": None}, "does not hold the state of a training"),
        ({}, {"state": [1, 2]}, "does not hold the state of a training"),
        ({}, {"state": {"batches": [5, 0, "x"], "batches_per_epoch": 1, "processes": 1}}, "not all whole numbers"),
        ({"random.0": None}, {}, "does not hold random.0"),
        ({"random.0": torch.zeros(3)}, {}, r"holds random.0 as torch.float32 \[3\], expected torch.uint8"),
        ({"model.output.weight": None, "model.target_embedding.table.weight": None}, {}, "does not hold model."),
        ({"optimizer.step.target_embedding.table.weight": torch.zeros(2)}, {}, r"\[2\], expected torch.float32 \[\]"),
    ],
)
def test_a_foreign_file_is_refused_with_its_name_and_changes_nothing(begun, trained, tensors, changes, message):
    altered(trained / LAST, begun / LAST, tensors, **changes)
    trainer = make_trainer(begun)
    before = values_of(trainer.model)
    with pytest.raises(CheckpointError, match=f"{LAST} .*{message}"):
        trainer.train(resume=True)
    assert values_of(trainer.model) == before


def test_weights_of_another_model_are_refused_though_the_shapes_agree(trained):
    with pytest.raises(CheckpointError, match=f"{LAST} belongs to another model: heads=2 in the file and 4 in the"):
        load_weights(trained / LAST, make_model(heads=4))


def test_other_data_or_another_number_of_processes_is_refused(begun, trained):
    _, values = read_tensors(trained / LAST)
    state = values["state"]
    for name, changed in (
        ("processes", state | {"processes": 2}),
        ("batches_per_epoch", state | {"batches_per_epoch": state["batches_per_epoch"] + 1}),
        ("seed", state | {"batches": [6, 0, 0]}),
    ):
        altered(trained / LAST, begun / LAST, {"random.1": torch.get_rng_state()}, state=changed)
        trainer = make_trainer(begun)
        before = values_of(trainer.model)
        with pytest.raises(
            CheckpointError, match=f"{LAST} was written with {name}=.*the order of the data would differ"
        ):
            trainer.train(resume=True)
        assert values_of(trainer.model) == before


def test_fewer_processes_are_named_before_the_batches_that_each_would_have(begun, trained):
    """Half the processes have twice the batches each: the number of processes is what the user can mend."""
    _, values = read_tensors(trained / LAST)
    state = values["state"] | {"processes": 2, "batches_per_epoch": values["state"]["batches_per_epoch"] // 2}
    altered(trained / LAST, begun / LAST, {"random.1": torch.get_rng_state()}, state=state)
    with pytest.raises(CheckpointError, match=r"processes=2, and this run has 1: .*; start 2 of them to go on"):
        make_trainer(begun).train(resume=True)


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_weights(tmp_path / "nowhere.safetensors", make_model())


def test_a_folder_is_no_file_of_weights(tmp_path):
    for read in (lambda: load_weights(tmp_path, make_model()), lambda: average_checkpoints([tmp_path], make_model())):
        with pytest.raises(IsADirectoryError, match=r"is a folder, and a file \*\.safetensors is needed"):
            read()


def test_the_average_is_the_mean_of_each_tensor(tmp_path):
    models = [make_model(seed=seed) for seed in range(3)]
    paths = [tmp_path / f"{seed}.safetensors" for seed in range(3)]
    for model, path in zip(models, paths, strict=True):
        write_tensors(path, model_weights(model), model.config)
    average = make_model(seed=9)
    average_checkpoints(paths, average)
    for name, tensor in average.state_dict().items():
        expected = torch.stack([model.state_dict()[name].double() for model in models]).mean(0)
        assert torch.equal(tensor, expected.float())
    average_checkpoints(paths[1:2], average)
    assert values_of(average) == values_of(models[1])
    with pytest.raises(ValueError, match="no checkpoint"):
        average_checkpoints([], average)
    with pytest.raises(CheckpointError, match=r"0.safetensors belongs to another model: dropout=0.2 in the file"):
        average_checkpoints(paths, make_model(dropout=0.0))


def test_the_last_checkpoints_are_kept_and_the_best_and_the_newest(tmp_path):
    folder = CheckpointFolder(tmp_path)
    for step in (2, 4, 6, 8):
        folder.file(step).touch()
    folder.file(5, interrupted=True).touch()
    (tmp_path / "step_00000010.safetensors.tmp").touch()
    (tmp_path / "mine.safetensors").touch()
    assert folder.newest() == folder.file(8)
    folder.file(9, interrupted=True).touch()
    assert folder.newest() == folder.file(9, interrupted=True)
    folder.prune(keep=2, best_step=2)
    names = {"step_00000002", "step_00000006", "step_00000008", "interrupted_00000009", "mine"}
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.safetensors" for name in names}
    assert folder.regular() == [folder.file(step) for step in (2, 6, 8)]


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, call, full_disk)
    with pytest.raises(OSError, match=r"No space left on device; what was saved before is untouched.*file"):
        write_atomically(path, b"new")
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == {"file": b"old"}


def test_the_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    calls = []
    monkeypatch.setattr(os, "fsync", lambda _: calls.append(("fsync", path.read_bytes())))
    write_atomically(path, b"new")
    assert calls[0] == ("fsync", b"old")
    assert path.read_bytes() == b"new"


def test_a_disk_that_fills_up_costs_the_steps_since_the_last_checkpoint_and_no_more(begun, trained, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full_disk)
        with pytest.raises(OSError, match="No space left"):
            make_trainer(begun).train(resume=True)
    assert {path.name for path in begun.glob("*.safetensors*")} == {
        "step_00000004.safetensors",
        "step_00000008.safetensors",
    }
    make_trainer(begun).train(resume=True)
    assert everything(begun / LAST) == everything(trained / LAST)


if sys.platform != "win32":  # the operating system itself says no: files may not grow over a limit

    def test_a_file_that_may_not_grow_is_an_error_and_the_last_checkpoint_stays(begun, trained):
        program = (
            "import resource, sys, torch, training_run\n"
            "torch.set_num_threads(1)\n"
            "trainer = training_run.make_trainer(training_run.Path(sys.argv[1]))\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
            "trainer.train(resume=True)\n"
        )
        size = (begun / "step_00000008.safetensors").stat().st_size
        assert size > 20_000 > (begun / "log.jsonl").stat().st_size
        process = subprocess.run(
            [sys.executable, "-c", program, str(begun)],
            cwd=Path(training_run.__file__).parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "File too large" in process.stderr
        assert f"{LAST}" in process.stderr
        assert not list(begun.glob("*.tmp"))
        make_trainer(begun).train(resume=True)
        assert everything(begun / LAST) == everything(trained / LAST)


def test_a_checkpoint_says_what_model_it_is(trained):
    _, values = read_tensors(trained / LAST)
    assert values["config"] == asdict(make_model().config)

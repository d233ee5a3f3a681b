"""One update equals Adam by hand; cut or joined batches, one process or two, make no difference."""

import os
import socket
import weakref
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close
from training_run import everything, make_model, make_pairs, make_trainer

from blockbyblock.data import Batches
from blockbyblock.training import Processes, TrainingConfig, Updater, join_processes, smoothed_cross_entropy
from blockbyblock.training.trainer import stop_on_signals

CPU = torch.device("cpu")
# Float64, where sums in another order differ by a few rounding errors of 1e-16.
SAME = {"rtol": 1e-11, "atol": 1e-13}


def make_updater(processes=None, **changes):
    model = make_model(dropout=0.0).double()
    return Updater(model, TrainingConfig(**changes), processes or Processes(device=CPU))


def join(batches):
    """One batch with the rows of several, padded to the longest."""

    def padded(tensor, width):
        return torch.nn.functional.pad(tensor, (0, width - tensor.shape[1]))

    joined = []
    for name in ("source", "decoder_input", "target"):
        sides = [getattr(batch, name) for batch in batches]
        joined.append(torch.cat([padded(side, max(side.shape[1] for side in sides)) for side in sides]))
    return type(batches[0])((joined[0], joined[1]), joined[2])


def uneven_batches(count=2):
    batches = list(Batches(make_pairs(), tokens=40).epoch(0))[:count]
    tokens = {int((batch.target != 0).sum()) for batch in batches}
    assert len(tokens) > 1, "batches of equal size would not tell a mean of means from a mean"
    return batches


def gradients(updater):
    return {name: parameter.grad for name, parameter in updater.model.named_parameters()}


def test_an_update_is_the_mean_loss_and_torchs_own_adam():
    batch = uneven_batches()[0]
    updater, twin = make_updater(), make_model(dropout=0.0).double()
    optimizer = torch.optim.Adam(twin.parameters(), betas=(0.9, 0.98), eps=1e-9, fused=False)
    for rate in (1e-3, 3e-3):
        update = updater.update([batch], rate)
        logits = twin(batch.source, batch.decoder_input).flatten(0, 1)
        criterion = torch.nn.CrossEntropyLoss(ignore_index=0, label_smoothing=0.1)
        optimizer.zero_grad()
        loss = criterion(logits, batch.target.flatten())
        loss.backward()
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        assert update.predictions == (batch.target != 0).sum()
        assert_close(update.smoothed / update.predictions, loss.detach(), **SAME)
        norm = torch.cat([parameter.grad.flatten() for parameter in twin.parameters()]).norm()
        assert_close(update.gradient_norm, norm, **SAME)
    for one, other in zip(updater.model.parameters(), twin.parameters(), strict=True):
        # The bias of the keys has no gradient but rounding errors of 1e-17, which Adam divides by eps = 1e-9.
        assert_close(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_smoothing_is_that_of_the_choices(smoothing):
    batch, twin = uneven_batches()[0], make_model(dropout=0.0).double()
    update = make_updater(smoothing=smoothing).update([batch], 1e-3)
    logits = twin(batch.source, batch.decoder_input).flatten(0, 1).detach()
    criterion = torch.nn.CrossEntropyLoss(ignore_index=0, label_smoothing=smoothing)
    assert_close(update.smoothed / update.predictions, criterion(logits, batch.target.flatten()), **SAME)


@pytest.mark.parametrize("count", [2, 3])
def test_accumulated_batches_equal_one_large_batch(count):
    batches = uneven_batches(count)
    cut, whole = make_updater(), make_updater()
    one, other = cut.update(batches, 1e-3), whole.update([join(batches)], 1e-3)
    assert_close(gradients(cut), gradients(whole), **SAME)
    assert_close(one, other, **SAME)


def test_clipping_shortens_a_long_gradient_and_leaves_a_short_one():
    batch = uneven_batches()[:1]
    free = make_updater()
    norm = free.update(batch, 1e-3).gradient_norm.item()
    clipped, untouched = make_updater(clip_norm=norm / 2), make_updater(clip_norm=norm * 2)
    assert clipped.update(batch, 1e-3).gradient_norm.item() == pytest.approx(norm)  # as it was before
    untouched.update(batch, 1e-3)
    # clip_grad_norm_ adds 1e-6 to the norm that it divides by
    half = {name: gradient / 2 for name, gradient in gradients(free).items()}
    assert_close(gradients(clipped), half, rtol=1e-5, atol=1e-12)
    assert_close(gradients(untouched), gradients(free), rtol=0, atol=0)


def test_targets_of_nothing_but_padding_are_refused():
    batch = uneven_batches()[0]
    empty = type(batch)(batch.inputs, torch.zeros_like(batch.target))
    with pytest.raises(ValueError, match="nothing but padding"):
        make_updater().update([empty], 1e-3)


def test_fast_on_a_cpu_computes_in_bfloat16_and_keeps_float32_weights():
    batch = uneven_batches()[:1]
    exact, fast = make_updater(), make_updater(fast=True)
    for updater in (exact, fast):
        updater.model.float()  # autocast leaves float64 as it is
    dtypes = []
    projection = fast.model.encoder.layers[0].feed_forward.hidden_projection
    projection.register_forward_hook(lambda *call: dtypes.append(call[-1].dtype))
    one, other = exact.update(batch, 1e-3), fast.update(batch, 1e-3)
    assert dtypes == [torch.bfloat16]
    assert {parameter.dtype for parameter in fast.model.parameters()} == {torch.float32}
    # bfloat16 has 8 bits of precision: 0.4 % in each product
    assert_close(other.plain, one.plain, rtol=0.02, atol=0)
    assert_close(other.gradient_norm, one.gradient_norm, rtol=0.05, atol=0)
    assert other.plain != one.plain


class SignalsOf:
    """Stands in for a signal that reaches one process after a few steps."""

    def __init__(self, step):
        self.left = step

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @property
    def requested(self):
        self.left -= 1
        return self.left <= 0


def fail_with(updater: Updater, report: Path) -> None:
    """An error, whose traceback leads to what exchanges the gradients."""
    weakref.finalize(updater._distributed, lambda: report.write_text(str(torch.distributed.is_initialized())))
    updater.itself = updater  # a cycle, as the frames of an error make them: only the collector can free it
    raise RuntimeError("planned")


def take_part(rank: int, folder: Path, groups: list[weakref.ref]) -> None:
    """Update, train, stop and resume with the other process, and end with an error."""
    with join_processes(timedelta(seconds=60)) as processes:
        groups.append(weakref.ref(torch.distributed.group.WORLD))
        updater = make_updater(processes)
        batches = uneven_batches(4)
        update = updater.update(batches[rank::2], 1e-3)
        losses = processes.sum(update.smoothed.item(), update.plain.item())
        result = {"losses": losses, "tokens": update.predictions, "norm": update.gradient_norm} | gradients(updater)
        torch.save(result, folder / f"{rank}.pt")

        make_trainer(folder / "whole", processes=processes, validation=True).train()
        # Only process 1 is told to stop, after 6 steps: both must, and go on to the same end.
        from blockbyblock.training import trainer

        trainer.stop_on_signals = lambda insist: SignalsOf(6) if rank else stop_on_signals(insist=insist)
        stopped = make_trainer(folder / "stopped", processes=processes, validation=True).train()
        assert (stopped.reason, stopped.step) == ("interrupted", 6)
        trainer.stop_on_signals = stop_on_signals
        make_trainer(folder / "stopped", processes=processes, validation=True).train(resume=True)
        del updater
        fail_with(make_updater(processes), folder / f"exchange of {rank}")


def work(rank: int, port: int, folder: Path) -> None:
    """What each of two processes does."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in place.items()})
    torch.set_num_threads(1)
    groups: list[weakref.ref] = []
    with pytest.raises(RuntimeError, match="planned"):
        take_part(rank, folder, groups)
    (folder / f"group of {rank}").write_text("alive" if groups[0]() else "gone", encoding="utf-8")


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    workers = torch.multiprocessing.spawn(work, (port, folder), nprocs=2, join=False)
    try:
        assert workers.join(timeout=100) or workers.join(timeout=20), "the two processes did not end"
    finally:
        for process in workers.processes:
            process.kill()
    return folder


def test_two_processes_equal_one_with_the_joined_batch(two_processes):
    whole = make_updater()
    update = whole.update([join(uneven_batches(4))], 1e-3)
    expected = {"tokens": update.predictions, "norm": update.gradient_norm} | gradients(whole)
    for rank in (0, 1):
        found = torch.load(two_processes / f"{rank}.pt", weights_only=True)  # our own file, written above
        assert_close(found.pop("losses"), [update.smoothed.item(), update.plain.item()], **SAME)
        assert_close(found, expected, **SAME)


def test_two_processes_stop_together_and_resume_bit_for_bit(two_processes):
    last = "step_00000012.safetensors"
    expected = everything(two_processes / "whole" / last)
    assert everything(two_processes / "stopped" / last) == expected
    assert expected["random.0"] != expected["random.1"]
    assert expected["state"]["processes"] == 2


def test_no_thread_of_the_group_outlives_the_training(two_processes):
    """One that does may abort the whole run: it needs Python once more, to free a tensor, as Python ends."""
    for rank in (0, 1):
        assert (two_processes / f"group of {rank}").read_text(encoding="utf-8") == "gone"


def test_what_exchanges_gradients_goes_before_the_group_after_an_error_too(two_processes):
    """One that outlives it may hang for ever: it ends the group, and holds what a thread of the group waits for."""
    for rank in (0, 1):
        assert (two_processes / f"exchange of {rank}").read_text(encoding="utf-8") == "True"


def test_the_loss_reported_is_the_loss_that_was_trained_on():
    batch = uneven_batches()[0]
    updater = make_updater()
    logits = updater.model(batch.source, batch.decoder_input).detach()
    expected = smoothed_cross_entropy(logits, batch.target, pad_id=0, smoothing=0.1)
    update = updater.update([batch], 1e-3)
    assert_close((update.smoothed, update.plain), tuple(expected), **SAME)

"""The training loop: from batches to a trained model, through any interruption (paper, section 5)."""

import time
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import torch
from tqdm.auto import tqdm  # type: ignore[import-untyped]

from blockbyblock.data import Batches, BatchState
from blockbyblock.kinds import Model
from blockbyblock.training.averaging import average_checkpoints
from blockbyblock.training.checkpoint import (
    CheckpointFolder,
    TrainingState,
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)
from blockbyblock.training.config import TrainingConfig
from blockbyblock.training.interruption import stop_on_signals
from blockbyblock.training.log import TrainingLog
from blockbyblock.training.processes import Processes
from blockbyblock.training.update import Tally, Updater
from blockbyblock.training.validation import validation_loss
from blockbyblock.weights import model_weights, write_tensors

LOG = "log.jsonl"
AVERAGED = "averaged.safetensors"
Reason = Literal["finished", "stopped early", "paused", "interrupted"]


@dataclass(frozen=True)
class Outcome:
    """How a call of `Trainer.train` ended.

    Attributes:
        reason: all steps made; no better validation loss for `patience` checkpoints; `until` reached; or Ctrl-C or
            SIGTERM.
        step: updates made, in all.
        best_loss: the least validation loss, in nats per prediction; None without validation.
        best: the checkpoint with that loss.
        averaged: the file with the averaged weights; None where training is to go on.
    """

    reason: Reason
    step: int
    best_loss: float | None
    best: Path | None
    averaged: Path | None


class Trainer:
    """Trains a model, and keeps in a folder what it takes to go on after any interruption, bit for bit.

    The folder holds `log.jsonl`, the checkpoints, and at the end `averaged.safetensors`. Several processes share one
    folder. Only process 0 writes.

    Args:
        model: made anew, from its own seed; moved to the device of this process.
        batches: of this process: made with its `rank` and `ranks`.
        config: the choices.
        folder: made if it is not there.
        validation: text to choose by, shared out in the same way; None trains without validation.
        processes: who takes part and where, from `join_processes`; by default this process alone, on an NVIDIA GPU
            where there is one.
        progress: whether to show a progress bar.

    Raises:
        ValueError: the batches are those of another process, or early stopping has nothing to go by.
    """

    def __init__(
        self,
        model: Model,
        batches: Batches,
        config: TrainingConfig,
        folder: str | PathLike[str],
        *,
        validation: Batches | None = None,
        processes: Processes | None = None,
        progress: bool = True,
    ) -> None:
        self.processes = Processes() if processes is None else processes
        for share in (batches, validation):
            if share is not None and (share.rank, share.ranks) != (self.processes.rank, self.processes.count):
                raise ValueError(
                    f"batches of rank {share.rank} of {share.ranks} in process {self.processes.rank} of "
                    f"{self.processes.count}"
                )
        if config.patience is not None and validation is None:
            raise ValueError(f"patience={config.patience} needs validation text to measure progress on")
        self.model, self.batches, self.validation, self.config = model, batches, validation, config
        self.progress = progress
        self.folder = CheckpointFolder(Path(folder))
        self._updater = Updater(model, config, self.processes)
        self._state = TrainingState(BatchState(batches.seed, 0, 0), len(batches), self.processes.count)

    def train(self, *, resume: bool = False, until: int | None = None) -> Outcome:
        """Train to the end, or to an interruption, which saves a checkpoint after the step that is being made.

        At the end the model holds the mean of the weights of the last `config.average` checkpoints. After an
        interruption or a pause it holds the weights of its last step. It is left in evaluation mode.

        Args:
            resume: go on from the newest checkpoint in the folder; from the beginning if there is none.
            until: pause after this update, with a checkpoint. The schedule remains that of `config.steps`.

        Raises:
            ValueError: `until` is not one of the updates.
            FileExistsError: there are checkpoints, and `resume` is not asked for.
            CheckpointError: the newest checkpoint cannot be used; its name is in the message.
            FloatingPointError: the loss is no longer a number; earlier checkpoints are kept.
            OSError: a file cannot be written, as on a full disk; earlier checkpoints are kept.
        """
        pause = self.config.steps if until is None else until
        if not 1 <= pause <= self.config.steps:
            raise ValueError(f"until={until} is not one of the updates, 1 to {self.config.steps}")
        self._begin(resume)
        if self.processes.leads and not self._is_over():  # of an earlier end, from which this run goes on
            (self.folder.path / AVERAGED).unlink(missing_ok=True)
        config, stream = self.config, self.batches.stream(self._state.batches)
        log = TrainingLog(self.folder.path / LOG, self._state.step) if self.processes.leads else None
        with stop_on_signals(insist=self.processes.count == 1) as stop, self._bar() as bar:
            self.model.train()
            tally, resumed, interrupted = Tally(), time.perf_counter() - self._state.seconds, False
            while not (interrupted or self._is_over() or self._state.step >= pause):
                batches, orders = zip(*(next(stream) for _ in range(config.accumulate)), strict=True)
                step = self._state.step + 1
                tally.add(self._updater.update(batches, config.learning_rate(step, self.model.config.d_model)))
                seconds = time.perf_counter() - resumed
                self._state = replace(self._state, step=step, batches=orders[-1], seconds=seconds)
                bar.update()
                # Several processes must stop after the same step, though a signal may reach only one of them.
                interrupted = bool(self.processes.sum(stop.requested)[0])
                regular = step % config.checkpoint_every == 0 or step in (config.steps, pause)
                if regular or interrupted or step % config.log_every == 0:
                    self._report(tally, log, bar)
                    if regular:
                        self._validate(log)
                    if regular or interrupted:
                        self._save(interrupted=not regular)
                    tally = Tally()
        self.model.eval()
        self.processes.sum(0)  # nobody goes on before process 0 has written
        if until is None and self._is_over():
            return self._finish()
        return self._outcome("interrupted" if interrupted else "paused", None)

    def _begin(self, resume: bool) -> None:
        """Take up the newest checkpoint, or start afresh."""
        newest = self.folder.newest()
        if newest is None:
            torch.manual_seed(self.config.seed + self.processes.rank)  # each process drops out other numbers
            return
        if not resume:
            raise FileExistsError(
                f"{newest} is there already: go on from it with resume=True, or choose another folder"
            )
        device = self.processes.device
        self._state, random_states = load_checkpoint(
            newest, self.model, self._updater.optimizer, device, expected=self._state
        )
        set_random_state(random_states[self.processes.rank], device)

    def _is_over(self) -> bool:
        patience = self.config.patience
        return self._state.step >= self.config.steps or (patience is not None and self._state.since_best >= patience)

    def _bar(self) -> Any:
        shown = self.progress and self.processes.leads
        return tqdm(total=self.config.steps, initial=self._state.step, unit="step", disable=not shown)

    def _report(self, tally: Tally, log: TrainingLog | None, bar: Any) -> None:
        means = tally.means(self.processes)
        if log is not None:
            log.write(
                "train",
                self._state.step,
                **means,
                learning_rate=self._updater.optimizer.param_groups[0]["lr"],
                epoch=self._state.batches.epoch,
                seconds=self._state.seconds,
            )
        bar.set_postfix_str(f"loss {means['loss']:.3f}, {means['predictions_per_second']:,.0f} predictions/s")

    def _validate(self, log: TrainingLog | None) -> None:
        if self.validation is None:
            return
        loss = validation_loss(self.model, self.validation, self.processes, fast=self.config.fast)
        best = self._state.best_loss
        if best is None or loss < best:
            self._state = replace(self._state, best_loss=loss, best_step=self._state.step, since_best=0)
        else:
            self._state = replace(self._state, since_best=self._state.since_best + 1)
        if log is not None:
            log.write("validation", self._state.step, loss=loss)

    def _save(self, *, interrupted: bool) -> None:
        random_states = self.processes.gather(random_state(self.processes.device))
        if self.processes.leads:
            path = self.folder.file(self._state.step, interrupted=interrupted)
            save_checkpoint(path, self.model, self._updater.optimizer, self._state, random_states)
            self.folder.prune(self.config.keep, self._state.best_step)

    def _finish(self) -> Outcome:
        """Average the last checkpoints, in each process, and write the result."""
        average_checkpoints(self.folder.regular()[-self.config.average :], self.model)
        path = self.folder.path / AVERAGED
        if self.processes.leads:
            write_tensors(path, model_weights(self.model), self.model.config)
        self.processes.sum(0)
        return self._outcome("finished" if self._state.step >= self.config.steps else "stopped early", path)

    def _outcome(self, reason: Reason, averaged: Path | None) -> Outcome:
        best = None if self._state.best_step is None else self.folder.file(self._state.best_step)
        return Outcome(reason, self._state.step, self._state.best_loss, best, averaged)

"""How a model is trained: one frozen, self-validating set of choices."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from blockbyblock.checks import check_choice, check_positive, check_probability
from blockbyblock.training.schedule import constant_schedule, cosine_schedule, paper_schedule

Schedule = Literal["paper", "constant", "cosine"]


class ContradictionError(ValueError):
    """Two choices that cannot hold together.

    Attributes:
        remedy: another choice with which the first one could hold, by its name; empty where none is known.
    """

    def __init__(self, message: str, **remedy: float | int) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The choices of a training run; the defaults are those of the paper's base model (section 5).

    Attributes:
        steps: updates of the parameters, in all.
        schedule: "paper" (equation 3), or "constant" or "cosine", both after a warm-up.
        warmup: steps in which the learning rate rises.
        peak: the highest learning rate of the constant and the cosine schedule; the paper's has its own.
        smoothing: label smoothing.
        betas: decay of Adam's two running means.
        eps: added to the denominator by Adam.
        accumulate: batches, of each process, that make one update.
        clip_norm: the largest norm of the gradient of all parameters; None does not clip, as in the paper.
        log_every: steps between two lines of the log.
        checkpoint_every: steps between two checkpoints; each is preceded by a validation, where there is validation
            text.
        keep: how many of the last checkpoints stay on disk, beside the best one.
        average: how many of the last checkpoints are averaged at the end (section 6.1: 5 for base, 20 for big).
        patience: checkpoints without a better validation loss after which training ends; None never ends early.
        fast: bfloat16 autocast, and on an NVIDIA GPU `torch.compile`. On a CPU it pays only where the processor has
            instructions for it (AVX-512 BF16, AMX).
        seed: of dropout. The order of the data has its own (`Batches`), and the model is made before training.

    Raises:
        ValueError: a value is out of range; the message holds the numbers.
        ContradictionError: two values contradict each other.
    """

    steps: int = 100_000
    schedule: Schedule = "paper"
    warmup: int = 4000
    peak: float | None = None
    smoothing: float = 0.1
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-9
    accumulate: int = 1
    clip_norm: float | None = None
    log_every: int = 100
    checkpoint_every: int = 1000
    keep: int = 5
    average: int = 5
    patience: int | None = None
    fast: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(
            steps=self.steps,
            warmup=self.warmup,
            accumulate=self.accumulate,
            log_every=self.log_every,
            checkpoint_every=self.checkpoint_every,
            keep=self.keep,
            average=self.average,
        )
        if self.patience is not None:
            check_positive(patience=self.patience)
        check_choice(get_args(Schedule), schedule=self.schedule)
        check_probability(smoothing=self.smoothing, beta_1=self.betas[0], beta_2=self.betas[1])
        for name in ("eps", "clip_norm", "peak"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name}={value} must be positive and finite")
        if (self.schedule == "paper") != (self.peak is None):
            raise ContradictionError(
                f"peak={self.peak} with schedule={self.schedule!r}: the paper's schedule has its own peak, the others "
                "need one",
                **({"peak": 1e-3} if self.peak is None else {}),
            )
        if self.schedule == "cosine" and self.warmup >= self.steps:
            raise ContradictionError(
                f"warmup={self.warmup} leaves nothing of steps={self.steps}",
                **({"warmup": max(1, self.steps // 10)} if self.steps > 1 else {}),
            )
        if self.average > self.keep:
            raise ContradictionError(
                f"average={self.average} checkpoints, but only keep={self.keep} of them stay on disk",
                keep=self.average,
            )

    def learning_rate(self, step: int, d_model: int) -> float:
        """The learning rate of a step.

        Args:
            step: counted from 1.
            d_model: width of the model, which the paper's schedule depends on.

        Raises:
            ValueError: `step` or `d_model` is not a whole number above zero.
        """
        if self.peak is None:
            return paper_schedule(step, d_model=d_model, warmup=self.warmup)
        if self.schedule == "cosine":
            return cosine_schedule(step, peak=self.peak, steps=self.steps, warmup=self.warmup)
        return constant_schedule(step, peak=self.peak, warmup=self.warmup)

"""One update of the parameters: forward, loss, backward, clipping, Adam; over one or several batches and processes."""

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from blockbyblock.data import Batch
from blockbyblock.kinds import Model
from blockbyblock.training.config import TrainingConfig
from blockbyblock.training.loss import LossSums, batch_loss
from blockbyblock.training.processes import Processes


class Update(NamedTuple):
    """What an update saw. Tensors stay on their device, so that a GPU need not wait for them.

    Attributes:
        smoothed: the loss that was differentiated, a sum over the predictions of this process.
        plain: the same without smoothing.
        gradient_norm: of all parameters together, before clipping.
        predictions: of all processes: target tokens, padding left out, or the texts of a classifier.
    """

    smoothed: Float[Tensor, ""]
    plain: Float[Tensor, ""]
    gradient_norm: Float[Tensor, ""]
    predictions: int


def autocast(device: torch.device, fast: bool) -> torch.autocast:
    """Where fast: matrix products in bfloat16; what needs the range stays in float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


class Updater:
    """A model with its optimizer, updated one step at a time.

    The gradient is that of the mean loss per prediction over all batches of the update, those of the other processes
    too. So it does not depend on how the same sentences are cut into batches or shared among processes: a short batch
    does not weigh as much as a long one.

    Args:
        model: moved to this process's device.
        config: the choices.
        processes: who takes part.
    """

    def __init__(self, model: Model, config: TrainingConfig, processes: Processes) -> None:
        device = processes.device
        self.config, self.processes = config, processes
        self.model = model.to(device)
        # The rate is set at each step. One fused kernel updates all parameters; the arithmetic is Adam's.
        self.optimizer = torch.optim.Adam(model.parameters(), lr=0.0, betas=config.betas, eps=config.eps, fused=True)
        self._network: nn.Module = model
        self._distributed: DistributedDataParallel | None = None
        if processes.count > 1:
            self._distributed = DistributedDataParallel(model, gradient_as_bucket_view=True)
            self._network = self._distributed
        if config.fast and device.type == "cuda":  # on a CPU the compiled model was slower than the plain one
            self._network = cast(nn.Module, torch.compile(self._network, dynamic=True))  # batches differ in length

    def update(self, batches: Sequence[Batch], learning_rate: float) -> Update:
        """Make one update.

        Args:
            batches: of this process, as many as in every other process.
            learning_rate: of this step.

        Raises:
            ValueError: the targets hold nothing but padding.
        """
        own = sum(batch.predictions for batch in batches)
        predictions = int(self.processes.sum(own)[0])
        if not predictions:
            raise ValueError("the targets of an update hold nothing but padding")
        self.optimizer.zero_grad(set_to_none=True)
        sums = [self._backward(batch, predictions, last=batch is batches[-1]) for batch in batches]
        gradient_norm = self._clip()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        smoothed, plain = (torch.stack(losses).sum() for losses in zip(*sums, strict=True))
        return Update(smoothed, plain, gradient_norm, predictions)

    def _backward(self, batch: Batch, predictions: int, last: bool) -> LossSums:
        """Add the gradient of one batch; the processes exchange theirs with the last one."""
        batch = batch.to(self.processes.device)
        exchange = nullcontext() if last or self._distributed is None else self._distributed.no_sync()
        with exchange:
            with autocast(self.processes.device, self.config.fast):
                logits = self._network(*batch.inputs)
            loss = batch_loss(logits, batch, self.config.smoothing)
            # DistributedDataParallel takes the mean over the processes; times their number it is the sum.
            (loss.smoothed * (self.processes.count / predictions)).backward()
        return LossSums(loss.smoothed.detach(), loss.plain)

    def _clip(self) -> Tensor:
        """Shorten the gradient if it is too long; its norm before that."""
        parameters = list(self.model.parameters())
        if self.config.clip_norm is not None:
            return nn.utils.clip_grad_norm_(parameters, self.config.clip_norm)
        return nn.utils.get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])


@dataclass
class Tally:
    """What has been seen since the last line of the log."""

    updates: int = 0
    predictions: int = 0
    smoothed: Any = 0.0
    plain: Any = 0.0
    gradient_norm: Any = 0.0
    started: float = field(default_factory=time.perf_counter)

    def add(self, update: Update) -> None:
        """Count one update."""
        self.updates += 1
        self.predictions += update.predictions
        self.smoothed = self.smoothed + update.smoothed
        self.plain = self.plain + update.plain
        self.gradient_norm = self.gradient_norm + update.gradient_norm

    def means(self, processes: Processes) -> dict[str, float]:
        """Losses per prediction in nats, the norm per update, and predictions per second, over all processes.

        Raises:
            FloatingPointError: a loss or a gradient is not a number.
        """
        smoothed, plain = processes.sum(float(self.smoothed), float(self.plain))
        gradient_norm = float(self.gradient_norm) / self.updates
        if not math.isfinite(smoothed + plain + gradient_norm):
            raise FloatingPointError(
                f"the training has diverged: loss {smoothed / self.predictions}, norm of the gradient {gradient_norm}; "
                "try a lower learning rate, a longer warm-up, or clip_norm"
            )
        return {
            "loss": plain / self.predictions,
            "smoothed_loss": smoothed / self.predictions,
            "gradient_norm": gradient_norm,
            "predictions_per_second": self.predictions / (time.perf_counter() - self.started),
        }

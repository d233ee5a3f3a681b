"""The loss on text that the model does not learn from."""

import torch

from blockbyblock.data import Batches
from blockbyblock.kinds import Model
from blockbyblock.training.loss import batch_loss
from blockbyblock.training.processes import Processes
from blockbyblock.training.update import autocast


@torch.no_grad()
def validation_loss(model: Model, batches: Batches, processes: Processes, *, fast: bool = False) -> float:
    """Cross-entropy per prediction, in nats, without smoothing and without dropout; exp of it is the perplexity.

    A prediction is one target token, or one text of a classifier.

    Args:
        model: on the device of this process; evaluated in evaluation mode, and gets its mode back.
        batches: the share of this process.
        processes: who takes part; all must call this together.
        fast: in bfloat16.

    Raises:
        ValueError: there is no batch.
    """
    training = model.training
    model.eval()
    total, predictions = torch.zeros((), device=processes.device), 0
    for batch in batches.epoch(0):
        predictions += batch.predictions
        batch = batch.to(processes.device)
        with autocast(processes.device, fast):
            logits = model(*batch.inputs)
        total = total + batch_loss(logits, batch, smoothing=0.0).plain
    model.train(training)
    loss, count = processes.sum(float(total), predictions)
    if not count:
        raise ValueError("there is no text to validate on")
    return loss / count

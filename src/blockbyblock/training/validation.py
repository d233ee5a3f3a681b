"""The loss on text that the model does not learn from."""

import torch

from blockbyblock.data import Batches
from blockbyblock.training.loss import smoothed_cross_entropy
from blockbyblock.training.processes import Processes
from blockbyblock.training.update import autocast
from blockbyblock.transformer import Transformer


@torch.no_grad()
def validation_loss(model: Transformer, batches: Batches, processes: Processes, *, fast: bool = False) -> float:
    """Cross-entropy per target token, in nats, without smoothing and without dropout; exp of it is the perplexity.

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
    total, tokens = torch.zeros((), device=processes.device), 0
    for batch in batches.epoch(0):
        tokens += int((batch.target != model.config.pad_id).sum())
        batch = batch.to(processes.device)
        with autocast(processes.device, fast):
            logits = model(batch.source, batch.decoder_input)
        total = total + smoothed_cross_entropy(logits, batch.target, pad_id=model.config.pad_id, smoothing=0.0).plain
    model.train(training)
    loss, count = processes.sum(float(total), tokens)
    if not count:
        raise ValueError("there is no text to validate on")
    return loss / count

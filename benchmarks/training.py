"""One step of training, on the same batch for all."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measuring import Peak, processor_peak, spread
from benchmarks.peers import MarianTranslator, TorchTranslator, both_sides, training_step
from benchmarks.report import Row, compared, significant
from benchmarks.settings import Sentences, Settings
from blockbyblock import Transformer, record_attention, shift_right
from blockbyblock.data import Batch
from blockbyblock.training import TrainingConfig, Updater

LEARNING_RATE = 1e-4
FAST = "ours, bfloat16"


def train_step(settings: Settings) -> list[Row]:
    """Forward, loss, backward and Adam on a padded batch of made-up sentences."""
    steps = training_steps(settings)
    dtypes = {by: torch.bfloat16 if by == FAST else settings.dtype for by in steps}
    peaks = {
        dtype: processor_peak(settings.device, dtype, settings.clock) for dtype in sorted(set(dtypes.values()), key=str)
    }
    rows = []
    for sentences in settings.training:
        batch = made_up_batch(settings, sentences)
        tasks = {by: partial(step, batch) for by, step in steps.items()}
        samples = settings.clock.compare(tasks, settings.device)
        seconds = {by: sample.seconds for by, sample in samples.items()}
        operations = training_operations(settings, batch)
        notes = {
            by: share_of_peak(operations / spread(values).median, peaks[dtypes[by]]) for by, values in seconds.items()
        }
        rows += compared("train-step", str(sentences), seconds, notes=notes)
    return rows


def made_up_batch(settings: Settings, sentences: Sentences) -> Batch:
    """Random tokens, each sentence closed with <end>."""
    source, target = (made_up_sentences(settings, sentences) for _ in range(2))
    return Batch((source, shift_right(target, settings.model.start_id)), target)


def made_up_sentences(settings: Settings, sentences: Sentences) -> torch.Tensor:
    """Ids `[count, longest]` of random tokens, each sentence closed with <end> and padded on the right."""
    model = settings.model
    lengths = torch.linspace(sentences.shortest, sentences.longest, sentences.count).round().long()[:, None]
    first = max(model.pad_id, model.start_id, model.end_id) + 1
    ids = torch.randint(first, model.source_vocab, (sentences.count, sentences.longest))
    places = torch.arange(sentences.longest)
    return ids.masked_fill(places == lengths - 1, model.end_id).masked_fill(places >= lengths, model.pad_id)


def training_steps(settings: Settings) -> dict[str, Callable[[Batch], Any]]:
    """A function for each implementation that updates its own copy of one model on a batch; ours first."""
    model = Transformer(settings.model)
    on_gpu = settings.device.type == "cuda"
    config = TrainingConfig(fast=on_gpu)
    options: dict[str, Any] = {
        "pad_id": settings.model.pad_id, "learning_rate": LEARNING_RATE, "device": settings.device
    }  # fmt: skip
    return {
        "ours": our_step(settings, model, config),
        "nn.Transformer": training_step(TorchTranslator(model), config, **options),
        "Hugging Face Marian": training_step(MarianTranslator(model), config, **options),
        **({} if on_gpu else {FAST: our_step(settings, model, replace(config, fast=True))}),
    }


def our_step(settings: Settings, model: Transformer, config: TrainingConfig) -> Callable[[Batch], Any]:
    """An update of a copy of `model`."""
    twin = Transformer(model.config)
    twin.load_state_dict(model.state_dict())
    updater = Updater(twin.train(), config, settings.processes)
    return lambda batch: updater.update([batch], LEARNING_RATE)


def share_of_peak(speed: float, peak: Peak) -> str:
    """Operations per second, and what part of the processor's that is."""
    whole = f"the {peak.source} {significant(peak.operations / 1e9)}"
    return f"{significant(speed / 1e9)} GFLOP/s, {speed / peak.operations:.0%} of {whole}"


def training_operations(settings: Settings, batch: Batch) -> int:
    """Operations of one forward and backward pass of the translator; as `operations_of`."""
    return operations_of(Transformer(settings.model), *both_sides(batch), device=settings.device)


def operations_of(model: nn.Module, *inputs: torch.Tensor, device: torch.device) -> int:
    """Operations of the matrix products of one forward and backward pass, two for each product of two numbers."""
    model = model.to(device)
    # Recorded attention computes its products one by one, where PyTorch's counter sees them on every device.
    with record_attention(model), FlopCounterMode(display=False) as counter:
        model(*(ids.to(device) for ids in inputs)).sum().backward()
    return counter.get_total_flops()

"""Attention as the sequence grows: step by step with its weights in memory, and in one kernel."""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.measuring import peak_memory
from benchmarks.report import Row, compared, significant
from benchmarks.settings import Settings
from blockbyblock.attention import fused_attention, scaled_dot_product_attention


def attention(settings: Settings) -> list[Row]:
    """Time and peak memory, forward and backward, of the heads of one sentence that attends to itself."""
    rows = []
    for length in settings.attention:
        tasks = attention_passes(settings, length)
        samples = settings.clock.compare(tasks, settings.device)
        notes = {
            by: f"{significant(peak_memory(task, settings.device) / 2**20)} MiB at most" for by, task in tasks.items()
        }
        task = f"{length} positions, {settings.model.heads} heads, forward and backward"
        rows += compared("attention", task, {by: sample.seconds for by, sample in samples.items()}, notes=notes)
    return rows


def attention_passes(settings: Settings, length: int) -> dict[str, Callable[[], tuple[Tensor, ...]]]:
    """A function for each way of computing, which returns the gradients of query, key and value."""
    heads = settings.model.heads
    shape = (1, heads, length, settings.model.key_width // heads)
    inputs = tuple(torch.randn(shape, device=settings.device, dtype=settings.dtype).requires_grad_() for _ in range(3))
    direction = torch.randn(shape, device=settings.device, dtype=settings.dtype)

    def passes(attend: Callable[..., Tensor]) -> Callable[[], tuple[Tensor, ...]]:
        return lambda: torch.autograd.grad(attend(*inputs), inputs, direction)

    return {
        "fused": passes(fused_attention),
        "explicit": passes(lambda query, key, value: scaled_dot_product_attention(query, key, value)[0]),
    }

"""The clock, which lets peers take turns; the peak of memory; the peak of the processor."""

import gc
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile

# Dense bfloat16, in operations per second, from the makers' data sheets; the first name that fits counts.
PUBLISHED_PEAKS = {"H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12, "A100": 312e12, "L4": 121e12}


class Samples(NamedTuple):
    """One task, measured: a number for each round.

    Attributes:
        seconds: of one call.
        results: what the task returned.
    """

    seconds: tuple[float, ...]
    results: tuple[Any, ...]


@dataclass(frozen=True)
class Clock:
    """Measures tasks in turns, so that a processor that slows down slows all of them.

    Attributes:
        seconds: for which to go on measuring, where the fewest rounds take less.
        fewest: rounds at least.
        most: rounds at most.
        shortest: seconds between two looks at the clock; a task that is shorter is called several times in a round.
    """

    seconds: float = 10.0
    fewest: int = 5
    most: int = 30
    shortest: float = 0.02

    def compare(self, tasks: Mapping[str, Callable[[], Any]], device: torch.device) -> dict[str, Samples]:
        """Warm up, then measure each task once a round, every other round in reverse order.

        Args:
            tasks: by name.
            device: where they compute; its work is waited for.
        """
        calls = {name: max(1, math.ceil(self.shortest / _warm_up(task, device))) for name, task in tasks.items()}
        samples: dict[str, list[tuple[float, Any]]] = {name: [] for name in tasks}
        with _no_garbage_collection():
            begun = time.perf_counter()
            for round in range(self.most):
                if round >= self.fewest and time.perf_counter() - begun > self.seconds:
                    break
                for name in reversed(list(tasks)) if round % 2 else tasks:
                    samples[name].append(_timed(tasks[name], device, calls[name]))
        return {name: Samples(*zip(*pairs, strict=True)) for name, pairs in samples.items()}


def _warm_up(task: Callable[[], Any], device: torch.device) -> float:
    """Call a task twice, or once if it takes a second; the seconds of the last call."""
    seconds = _timed(task, device)[0]
    if seconds < 1:  # the first call was slower than those to come
        seconds = _timed(task, device)[0]
    return seconds


def _timed(task: Callable[[], Any], device: torch.device, calls: int = 1) -> tuple[float, Any]:
    """Seconds of one call, the mean of several, and what the last one returned."""
    _wait_for(device)
    begun = time.perf_counter()
    for _ in range(calls):
        result = task()
    _wait_for(device)
    return (time.perf_counter() - begun) / calls, result


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Spread(NamedTuple):
    """The middle of several measurements, and between what the middle half of them lies."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles; of a single value, itself."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def peak_memory(task: Callable[[], Any], device: torch.device) -> int:
    """The most bytes that a task holds at a time in tensors and in the scratch space of kernels, beyond its inputs.

    On a CPU this is the running total of PyTorch's allocator, from the profiler's trace. Python's tracemalloc does not
    see that memory. The sum that the profiler prints for each operator is no peak.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        task()
        _wait_for(device)
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        task()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    return max((event["args"]["Total Allocated"] for event in events if event["name"] == "[memory]"), default=0)


class Peak(NamedTuple):
    """What a processor can reach.

    Attributes:
        operations: per second.
        source: "published", or "measured" in a product of two large matrices.
    """

    operations: float
    source: str


def processor_peak(device: torch.device, dtype: torch.dtype, clock: Clock) -> Peak:
    """The published peak of a known GPU; else what a product of two large matrices reaches here.

    Args:
        device: the processor.
        dtype: of the matrices.
        clock: measures them.
    """
    width = 1024
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for known, operations in PUBLISHED_PEAKS.items():
            if known in name:
                return Peak(operations, "published")
        width = 8192  # less does not fill a GPU
    left, right = torch.randn(2, width, width, device=device).to(dtype)
    [samples] = clock.compare({"product": lambda: left @ right}, device).values()
    return Peak(2 * width**3 / min(samples.seconds), "measured")

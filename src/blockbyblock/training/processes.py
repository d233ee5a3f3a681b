"""One process or several: who takes part in a training run, and how they add up what they have.

Start several with `torchrun --nproc-per-node N ...`; torchrun tells each process its place through the environment.
"""

import gc
import importlib
import os
import platform
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from jaxtyping import UInt8
from torch import Tensor


def default_device(index: int = 0) -> torch.device:
    """An NVIDIA GPU where there is one, else the CPU."""
    return torch.device("cuda", index) if torch.cuda.is_available() else torch.device("cpu")


def processor_name(device: torch.device) -> str:
    """The name of the GPU, or else of the CPU: what a measurement is worth nothing without."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    information = Path("/proc/cpuinfo")
    if information.is_file():  # Linux: Python's own answer is empty there
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@dataclass(frozen=True)
class Processes:
    """The processes that train one model together; by default this one alone.

    Attributes:
        rank: number of this process, from 0; process 0 writes files and shows progress.
        count: number of processes.
        device: where this process computes.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=default_device)

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def sum(self, *numbers: float | int) -> list[float]:
        """Each number, added up over all processes; all must call this together."""
        if self.count == 1:
            return [float(number) for number in numbers]
        total = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(total)
        return total.tolist()

    def gather(self, state: UInt8[Tensor, "bytes"]) -> list[UInt8[Tensor, "bytes"]]:
        """This tensor of each process, by rank; all must call this together, with the same length."""
        if self.count == 1:
            return [state]
        states = [torch.empty_like(state) for _ in range(self.count)]
        dist.all_gather(states, state)
        return states


@contextmanager
def join_processes(timeout: timedelta = timedelta(minutes=10)) -> Iterator[Processes]:
    """Take the place that torchrun gives to this process; without torchrun, it trains alone.

    Numbers travel by gloo, and gradients on NVIDIA GPUs by nccl. Keep no `Updater` or `Trainer` for afterwards: what
    exchanges its gradients must go before the group does.

    Args:
        timeout: how long to wait for the others before giving up.

    Yields:
        This process's place among all.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    # The default arguments of this module keep the group that is there when it is imported, and
    # DistributedDataParallel imports it. So the group would outlive its end below, and one of its threads could meet a
    # Python that is shutting down.
    importlib.import_module("torch.distributed.nn")
    device = default_device(int(os.environ.get("LOCAL_RANK", "0")))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=timeout)
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), device)
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)  # they hold the model
        raise
    finally:
        # A DistributedDataParallel that outlives the group ends it with Python's lock held. Where a thread of the group
        # waits for that lock, to free a tensor, both wait for ever.
        gc.collect()
        dist.destroy_process_group()

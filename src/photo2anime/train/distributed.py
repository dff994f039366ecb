"""Several training processes as one, by PyTorch's own DistributedDataParallel under `torchrun`; alone otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from photo2anime.inference.runtime import cpu_features


@contextmanager
def joined_processes() -> Iterator[torch.device]:
    """The device this process trains on, with the others of a `torchrun` joined for the time of the block."""
    cuda = torch.cuda.is_available()
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if several:
        dist.init_process_group("nccl" if cuda else "gloo")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    try:
        yield device
    finally:
        if several:
            dist.destroy_process_group()


def has_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 are faster there: on a GPU, and on a CPU with instructions for them."""
    return device.type == "cuda" or not cpu_features().isdisjoint({"avx512_bf16", "amx_bf16"})


def rank() -> int:
    """Which of the processes this is; 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def shared(network: nn.Module) -> nn.Module:
    """The network, its gradients averaged over the processes at each backward pass."""
    if count() == 1:
        return network
    return DistributedDataParallel(network, broadcast_buffers=False)


def mean(values: list[float]) -> list[float]:
    """Each value's mean over the processes, the same list on each."""
    if count() == 1:
        return values
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(tensor)
    return [float(value) for value in (tensor / count()).cpu()]


def wait_for_all() -> None:
    """A barrier: returns when every process has reached it."""
    if count() > 1:
        dist.barrier()

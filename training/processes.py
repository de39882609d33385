"""One process or many, as `torchrun` starts them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def share(length: int) -> slice:
    """This process's part of so many things."""
    return slice(rank() * length // count(), (rank() + 1) * length // count())


def check_shares(length: int) -> None:
    """Raise ValueError unless a batch of so many images has one for each process."""
    if length < count():
        raise ValueError(
            f"a batch has {length} images, fewer than the {count()} processes; take "
            "larger batches"
        )


def total(values: Tensor) -> Tensor:
    """The sum over all processes, in place."""
    if count() > 1:
        dist.all_reduce(values)
    return values


def all_max(value: int, device: torch.device) -> int:
    """The largest value of all processes."""
    if count() == 1:
        return value
    values = torch.tensor(value, device=device)
    dist.all_reduce(values, dist.ReduceOp.MAX)
    return int(values.item())


def barrier() -> None:
    """Wait until all processes have come here.

    A training ends with it. Threads of Gloo let go of the tensors that they summed a
    moment after the sum is there, and need the interpreter for that: where it was on
    its way out by then, the process aborted. (`DistributedDataParallel` keeps these
    threads alive, beyond the end of the group.)
    """
    if count() > 1:
        dist.barrier()


def leave() -> None:
    """End this process, one of several, at once: all is done and written.

    A thread of Gloo that needs the interpreter while that is on its way out aborts the
    process: the barrier at the end makes it rare, this makes it impossible.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def parallel(model: nn.Module, device: torch.device) -> nn.Module:
    """The network, with gradients averaged over all processes."""
    if count() == 1:
        return model
    devices = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=devices)


@contextmanager
def started(device: str | None = None) -> Iterator[torch.device]:
    """Join the other processes, if `torchrun` started this one.

    Args:
        device: ``"cpu"``, ``"cuda"``, ...; CUDA where there is any unless given.

    Yields:
        Where this process computes.

    Raises:
        ValueError: If CUDA is wanted and there is none.
    """
    own = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if own.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {own}, but torch finds no CUDA; take device cpu")
    if "LOCAL_RANK" not in os.environ:
        yield own
        return
    if own.type == "cuda":
        own = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield own
    finally:
        dist.destroy_process_group()


@contextmanager
def first_alone() -> Iterator[None]:
    """Let the first process do something before the others do it."""
    if rank() > 0:
        barrier()
    try:
        yield
    finally:
        if rank() == 0:
            barrier()

"""A network's training step: CC-Net over its baseline, for each multiply-add."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.measure import alternate
from benchmarks.runner import Result, Settings
from contconv import ContinuousConv2d
from contconv.models import BaselineNet, CCNet

CHANNELS, BATCH = 64, 128


@dataclass(frozen=True)
class Step:
    """One way to train both networks."""

    dtype: str
    threads: int

    @property
    def name(self) -> str:
        """What it is called in the record."""
        threads = "one thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{CHANNELS} channels, batch {BATCH}, {self.dtype}, {threads}"


STEPS = [Step(dtype, n) for dtype in ("float32", "bfloat16") for n in (1, 2)]


def measure(steps: list[Step], settings: Settings) -> Result:
    """Milliseconds of a step, and picoseconds of each of its multiply-adds."""
    found: Result = {}
    for step in steps:
        torch.set_num_threads(step.threads)
        networks = dict(_networks())
        calls = {name: partial(_train, net, step) for name, net in networks.items()}
        found[step.name] = alternate(calls, settings.rounds, settings.least, 60)
        for name, times in found[step.name].items():
            times["ps"] = (
                1e9 * times["ms"] / (3 * BATCH * multiply_adds(networks[name]))
            )
    return found


def _networks() -> Iterator[tuple[str, nn.Module]]:
    torch.manual_seed(0)
    for name, kind in (("baseline", BaselineNet), ("CC-Net", CCNet)):
        yield name, kind(CHANNELS).to(memory_format=torch.channels_last)  # type: ignore


def _train(network: nn.Module, step: Step) -> None:
    """Forward, backward and an update, as the training loop has them."""
    images = torch.randn(BATCH, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.zeros(BATCH, dtype=torch.int64)
    with torch.autocast("cpu", torch.bfloat16, enabled=step.dtype == "bfloat16"):
        loss = F.cross_entropy(network(images).float(), labels)
    loss.backward()
    with torch.no_grad():
        for parameter in network.parameters():
            assert parameter.grad is not None
            parameter.sub_(parameter.grad, alpha=1e-4)
            parameter.grad = None


@torch.no_grad()
def multiply_adds(network: nn.Module) -> int:
    """Of one image: of a continuous layer as many as of a convolution of its rank."""
    counts: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, ContinuousConv2d):
            counts.append(layer.kernel.head.numel() * prod(output.shape[2:]))
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            counts.append(layer.weight.numel() * prod(output.shape[2:]))

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    network(torch.zeros(1, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    return sum(counts)

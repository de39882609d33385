"""What a classifier of 32x32 pixels costs: multiply-adds and time."""

import statistics
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from contconv import ContinuousConv2d


@torch.no_grad()
def multiply_adds(model: nn.Module) -> int:
    """Of one image, of all layers; of continuous ones, by the engine that runs."""
    counts: list[float] = []

    def count(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, nn.Linear):
            counts.append(layer.weight.numel())
        elif isinstance(layer, nn.Conv2d):
            counts.append(layer.weight.numel() * output[0, 0].numel())
        elif isinstance(layer, ContinuousConv2d):
            told = layer.explain(inputs[0])
            cost = told.engines[told.engine].cost
            assert cost is not None
            counts.append(cost.multiply_adds)

    hooks = [module.register_forward_hook(count) for module in model.modules()]
    model(torch.zeros(1, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    return round(sum(counts))


@torch.no_grad()
def time_per_image(
    models: Mapping[str, nn.Module], images: int, rounds: int
) -> dict[str, float]:
    """Milliseconds an image, in a batch; the networks take turns, medians."""
    batch = torch.randn(images, 3, 32, 32)
    batch = batch.contiguous(memory_format=torch.channels_last)
    taken: dict[str, list[float]] = {name: [] for name in models}
    for i in range(rounds + 2):
        for name, model in models.items():
            start = time.perf_counter()
            model(batch)
            if i >= 2:
                taken[name].append(1000 * (time.perf_counter() - start) / images)
    return {name: statistics.median(times) for name, times in taken.items()}

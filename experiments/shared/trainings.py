"""Trainings that an experiment compares: their course, and what a step costs."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import alternate
from experiments.shared import networks as _networks
from experiments.shared.costs import multiply_adds
from training.images import ImageSets
from training.loop import Recipe, fit
from training.trainer import Trainer

# What the fast trainings of today do.
FAST = Recipe(
    optimizer="muon",
    lr=0.12,
    others_lr=0.02,
    momentum=0.6,
    unit_filters=True,
    weight_decay=0.0,
    shift=2,
    flips="alternating",
    whiten=True,
    test_mirrored=True,
)

Factory = Callable[[], torch.nn.Module]
Case = tuple[Factory, Recipe]


def run(
    names: Iterable[str],
    case: Callable[..., Case],
    config: Any,
    once: Collection[str] = (),
) -> dict[str, Any]:
    """Each network with every seed, from where it was left; and the time of steps.

    Args:
        names: Of the networks.
        case: A network and its recipe, of a name, the setting and a seed.
        config: The setting: a dataclass.
        once: Those that are trained with the first seed alone.
    """
    sets = _networks.parts("cifar10", config.train_images, config.test_images)
    setting = deciding(config)
    rows = [
        trained(name, case(name, config, seed), seed, sets, folder(name, seed, setting))
        for seed in range(config.seeds)
        for name in names
        if seed == 0 or name not in once
    ]
    cases = {name: case(name, config, 0) for name in names}
    times = costs(cases, sets, config.threads, config.rounds)
    return {"networks": rows, "costs": times, "setting": asdict(config)}


def trained(
    name: str, case: Case, seed: int, sets: ImageSets, kept: Path
) -> dict[str, Any]:
    """The course of a training by epochs; it goes on from where it was left."""
    _, history = network(case, seed, sets, kept)
    return {
        "network": name,
        "seed": seed,
        "loss": [epoch["loss"] for epoch in history],
        "accuracy": [100 * epoch["test_accuracy"] for epoch in history],
    }


def network(
    case: Case, seed: int, sets: ImageSets, kept: Path
) -> tuple[torch.nn.Module, list[dict[str, Any]]]:
    """A trained network, and what `fit` says of each epoch."""
    factory, recipe = case
    torch.manual_seed(seed)
    model = factory().to(memory_format=torch.channels_last)  # type: ignore
    history = fit(model, sets, recipe, folder=kept, resume=True, progress=False)
    return model.eval(), history


def deciding(config: Any) -> Any:
    """A setting without what decides nothing of a single training."""
    return replace(config, seeds=1, rounds=1, threads=1)


def folder(name: str, seed: int, setting: Any) -> Path:
    """Where a training is kept, by the setting that decides it."""
    path = _networks.place(f"{name}-{seed}", setting, committed=False)
    return path.with_suffix("")


def costs(
    cases: Mapping[str, Case], sets: ImageSets, threads: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Parameters, multiply-adds of an image, steps an epoch, and the time of a step.

    The networks are timed in turns.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    trainers = {
        name: Trainer(factory(), sets, recipe, torch.device("cpu"))
        for name, (factory, recipe) in cases.items()
    }
    steps = {name: _step(trainer) for name, trainer in trainers.items()}
    times = alternate(steps, rounds, least=0.0, most=120.0)
    torch.set_num_threads(before)
    return {
        name: {
            "parameters": sum(p.numel() for p in trainer.model.parameters()),
            "multiply_adds": multiply_adds(trainer.model.eval()),
            "steps": trainer.steps,  # an epoch
            "ms": times[name]["ms"],
        }
        for name, trainer in trainers.items()
    }


def _step(trainer: Trainer) -> Callable[[], object]:
    return lambda: trainer.step(0, 0)


def minutes(result: dict[str, Any], name: str, epochs: int) -> float:
    """The time of so many epochs' steps."""
    cost = result["costs"][name]
    return epochs * cost["steps"] * cost["ms"] / 60e3


def slower(result: dict[str, Any], name: str, other: str) -> str:
    """The time of a step over that of another network's."""
    costs = result["costs"]
    return f"{costs[name]['ms'] / costs[other]['ms']:.2f}"


def seconds(result: dict[str, Any]) -> float:
    """The time of all trainings' steps."""
    return 60 * sum(
        minutes(result, row["network"], len(row["loss"])) for row in result["networks"]
    )

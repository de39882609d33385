"""What a training is of: its network, recipe and data; and where two of them differ."""

import re
from dataclasses import asdict
from typing import Any, Protocol

from torch import nn

from training.recipe import Optimization

SHOWN = 3


class Data(Protocol):
    """What a network learns from."""

    def digest(self) -> str:
        """A digest of all that it holds."""
        ...


def bare(model: nn.Module) -> nn.Module:
    """The network that `torch.compile` was given."""
    return getattr(model, "_orig_mod", model)


def identity(model: nn.Module, recipe: Optimization, data: Data) -> dict[str, Any]:
    """A description that JSON can hold."""
    return {
        "recipe": as_lists(asdict(recipe)),
        "defaults": as_lists(asdict(type(recipe)())),
        "data": data.digest(),
        **network(model),
    }


def network(model: nn.Module) -> dict[str, Any]:
    """Parameters and buffers with their types and shapes, and what `print` shows."""
    model = bare(model)
    parameters = {
        name: f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
        for name, tensor in model.state_dict().items()
    }
    # Functions are shown with where they lie in memory.
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(model))
    return {"parameters": parameters, "modules": text.splitlines()}


def network_differences(saved: dict[str, Any], own: dict[str, Any]) -> str:
    """How a saved network differs from one that is here; empty if it does not."""
    differences = _differences(saved["parameters"], own["parameters"])
    if not differences and saved["modules"] != own["modules"]:
        lines = (dict(enumerate(which["modules"], 1)) for which in (saved, own))
        differences = _differences(*lines, name="line {} of print(model)")
    return _listed(differences)


def recipe_differences(saved: dict[str, Any], own: dict[str, Any]) -> str:
    """How a saved recipe differs from one that is here; empty if it does not.

    A setting that was not there yet had its default: what trainings did until then.
    """
    return _listed(_differences(own["defaults"] | saved["recipe"], own["recipe"]))


def as_lists(fields: dict[str, Any]) -> dict[str, Any]:
    """As they come back from JSON."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}


def _differences(saved: dict, own: dict, *, name: str = "{}") -> list[str]:
    keys = [*own, *(key for key in saved if key not in own)]
    return [
        f"{name.format(key)} is {_shown(saved, key)} there, {_shown(own, key)} here"
        for key in keys
        if saved.get(key) != own.get(key)
    ]


def _shown(values: dict, key: Any) -> str:
    return str(values[key]).strip() if key in values else "absent"


def _listed(differences: list[str]) -> str:
    more = len(differences) - SHOWN
    rest = [f"and {more} more"] if more > 0 else []
    return "; ".join([*differences[:SHOWN], *rest])

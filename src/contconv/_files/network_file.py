"""Networks in files: their tensors, and what to build."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from contconv._files import hashed_safetensors

FORMAT = 1


class WeightsError(Exception):
    """A file of weights is missing, damaged, or of something else."""


def write(path: Path, tensors: Mapping[str, Tensor], config: dict[str, Any]) -> None:
    """Write a network, whole or not at all.

    Args:
        path: A safetensors file.
        tensors: Its parameters and buffers.
        config: The network's name and arguments.

    Raises:
        ModuleNotFoundError: If safetensors is not installed.
    """
    try:
        hashed_safetensors.write(path, tensors, {"format": FORMAT, "config": config})
    except ModuleNotFoundError as error:
        raise _missing(error) from None


def halves(model: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers in half precision."""
    return {name: value.half() for name, value in model.state_dict().items()}


def open_any(
    path: Path, wanted: str = "network"
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config of a network, and its tensors as they are stored.

    Args:
        path: A safetensors file.
        wanted: What errors call that which should be there.

    Raises:
        ModuleNotFoundError: If safetensors is not installed.
        WeightsError: If the file is missing or damaged, or of something else.
    """
    try:
        tensors, notes = hashed_safetensors.read(path)
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    except FileNotFoundError:
        raise WeightsError(f"there are no weights at {path}") from None
    except (OSError, hashed_safetensors.DamagedError) as error:
        raise WeightsError(str(error)) from None
    config = notes.get("config", {})
    if notes.get("format") != FORMAT or "name" not in config:
        raise WeightsError(f"{path} holds no {wanted} that this version can read")
    return config, tensors


def read(path: Path, name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The arguments of a network of this name, and its parameters in float32.

    Raises:
        ModuleNotFoundError, WeightsError: As `open_any` does.
        WeightsError: If the network has another name.
    """
    wanted = f"weights of {name}"
    config, tensors = open_any(path, wanted)
    if config["name"] != name:
        raise WeightsError(f"{path} holds no {wanted} that this version can read")
    floats = {key: value.to(torch.float32) for key, value in tensors.items()}
    return config["arguments"], floats


def _missing(error: ModuleNotFoundError) -> ModuleNotFoundError:
    return ModuleNotFoundError(
        f"{error.name} is not installed, which reads and writes weights; install it "
        "with 'pip install safetensors'",
        name=error.name,
    )

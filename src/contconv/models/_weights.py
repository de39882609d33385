"""Trained networks in files: weights in half precision, and what to build."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from contconv import _sealed

FORMAT = 1


class WeightsError(Exception):
    """A file of weights is missing, damaged, or of something else."""


def write(path: Path, model: nn.Module, config: dict[str, Any]) -> None:
    """Write a network, whole or not at all.

    Args:
        path: A safetensors file.
        model: Its parameters and buffers are written.
        config: The network's name and arguments.
    """
    halves = {name: value.half() for name, value in model.state_dict().items()}
    _sealed.write(path, halves, {"format": FORMAT, "config": config})


def read(path: Path, name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The arguments of a network of this name, and its parameters in float32.

    Raises:
        ModuleNotFoundError: If safetensors is not installed.
        WeightsError: If the file is missing or damaged, or holds something else.
    """
    try:
        tensors, notes = _sealed.read(path)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error.name} is not installed, which reads weights; install it with "
            "'pip install safetensors'"
        ) from None
    except FileNotFoundError:
        raise WeightsError(f"there are no weights at {path}") from None
    except (OSError, _sealed.DamagedError) as error:
        raise WeightsError(str(error)) from None
    config = notes.get("config", {})
    if notes.get("format") != FORMAT or config.get("name") != name:
        raise WeightsError(
            f"{path} holds no weights of {name} that this version can read"
        )
    floats = {key: value.to(torch.float32) for key, value in tensors.items()}
    return config["arguments"], floats

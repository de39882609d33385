"""save and load: layers and networks in files that are whole, or refused."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from contconv._files import network_file
from contconv._files.network_file import WeightsError
from contconv._runtime.shapes import no_type_check
from contconv.export.config import Config, build, to_config

# What a config or tensors of another version, or made by hand, may lead to.
_UNFIT = (ArithmeticError, AttributeError, LookupError)
_UNFIT += (RuntimeError, TypeError, ValueError)


@no_type_check
def save(model: nn.Module, path: str | Path) -> None:
    """Write a layer or a network, with all that it takes to build it again.

    A safetensors file, without pickle; the classes and arguments are JSON in its
    header, and a SHA-256 covers every byte. It needs ``pip install safetensors``.

    Args:
        model: A `ContinuousConv1d`, `ContinuousConv2d` or `ContinuousConv3d` with any
            kernel of ``contconv.kernels``, or a network of ``contconv.models``.
        path: The file; it is written whole or not at all.

    Raises:
        ModuleNotFoundError: If safetensors is not installed.
        ValueError: If the model or a kernel is of another class, or the network has
            been changed since it was made; the message has the way out.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> layer = ContinuousConv2d(3, 8, 3, scale=0.7)
        >>> with TemporaryDirectory() as folder:
        ...     save(layer, f"{folder}/layer.safetensors")
        ...     same = load(f"{folder}/layer.safetensors")
        >>> image = torch.rand(1, 3, 9, 9)
        >>> torch.equal(same(image), layer(image))
        True
    """
    config, tensors = to_config(model), model.state_dict()
    rebuilt = _fresh(config).state_dict()
    if {key: one.shape for key, one in tensors.items()} != {
        key: one.shape for key, one in rebuilt.items()
    }:
        raise ValueError(
            f"{type(model).__name__} has other parameters than a new one, so that load "
            "could not build it; save its state_dict() with safetensors"
        )
    network_file.write(Path(path), tensors, {**config, "training": model.training})


@no_type_check
def load(path: str | Path, *, device: torch.device | str = "cpu") -> nn.Module:
    """What `save` wrote: the same layer or network, with the same numbers.

    Scale, size, kernel, engine, dtypes, and whether it is in training mode, are as they
    were; all parameters require gradients. Of what ``SuperResolutionNet.save`` wrote,
    the network is in float32 and in evaluation mode.

    Args:
        path: The file.
        device: Where the model goes.

    Raises:
        ModuleNotFoundError: If safetensors is not installed.
        WeightsError: If the file is missing or damaged, in one bit, or of something
            else. It cannot run code.
    """
    config, tensors = network_file.open_any(Path(path))
    if "training" not in config:
        tensors = {name: value.float() for name, value in tensors.items()}
    try:
        model = _filled(config, tensors)
    except _UNFIT as error:
        raise WeightsError(
            f"{path} holds no network that this version can build: {error}"
        ) from None
    return model.train(config.get("training", False)).to(device)


def _filled(config: Config, tensors: dict[str, Tensor]) -> nn.Module:
    model = _fresh(config)
    # Assigned, so that each keeps its dtype.
    model.load_state_dict(tensors, assign=True)
    return model


def _fresh(config: dict[str, Any]) -> nn.Module:
    """A new model; the random numbers that it draws are given back."""
    with torch.random.fork_rng(devices=[]):
        return build(config)

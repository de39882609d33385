"""save and load: layers and networks in files that are whole, or refused."""

from pathlib import Path

import torch
from torch import nn

from contconv._files import network_file
from contconv._files.network_file import WeightsError
from contconv._runtime.shapes import no_type_check
from contconv.export.config import build, to_config


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
        OSError: If the file cannot be written; an old one stays as it is.

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
    try:
        with torch.device("meta"):
            network_file.check_same(build(config).state_dict(), tensors)
    except ValueError as error:
        raise ValueError(
            f"{type(model).__name__} has other parameters than a new one, so that load "
            f"could not build it ({error}); save its state_dict() with safetensors"
        ) from None
    frozen = [name for name, one in model.named_parameters() if not one.requires_grad]
    state = {"training": model.training, "frozen": frozen}
    network_file.write(Path(path), tensors, {**config, **state})


@no_type_check
def load(path: str | Path, *, device: torch.device | str = "cpu") -> nn.Module:
    """What `save` wrote: the same layer or network, with the same numbers.

    Scale, size, kernel, engine, dtypes, the order of the parameters and which of them
    learn, and whether it is in training mode, are as they were. Of what
    ``SuperResolutionNet.save`` wrote, the network is in float32 and in evaluation mode.

    Memory is taken for a network whose tensors are those of the file, and not before.

    Args:
        path: The file.
        device: Where the model goes.

    Raises:
        ModuleNotFoundError: If safetensors is not installed.
        WeightsError: If the file is missing or damaged, in one bit, or of something
            else. It cannot run code, nor ask for more than its size.
    """
    config, tensors = network_file.open_any(Path(path))
    if "training" not in config:
        tensors = {name: value.float() for name, value in tensors.items()}
    try:
        model = network_file.filled(lambda: build(config), tensors)
        for name in config.get("frozen", []):
            model.get_parameter(name).requires_grad_(False)
        model.train(config.get("training", False))
    except Exception as error:  # of a config by hand, whatever it is
        raise WeightsError(
            f"{path} holds no network that this version can build: {error}"
        ) from None
    return model.to(device)

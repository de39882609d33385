"""Networks in files: their tensors, and what to build."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from contconv._files import hashed_safetensors

Network = TypeVar("Network", bound=nn.Module)

FORMAT = 1

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


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
    except (OSError, ValueError, hashed_safetensors.DamagedError) as error:
        raise WeightsError(str(error)) from None  # ValueError: of a name with a zero
    config = notes.get("config")
    if notes.get("format") != FORMAT or not isinstance(config, dict):
        config = {}
    if not {"name", "arguments"} <= config.keys():
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


def filled(build: Callable[[], Network], tensors: Mapping[str, Tensor]) -> Network:
    """A network with these parameters and buffers, on the CPU; each keeps its dtype.

    It is built without memory, and filled once names and shapes are seen to fit: a
    small file cannot ask for a large network.

    Args:
        build: Makes the network.
        tensors: What to fill it with; they are taken over.

    Raises:
        ValueError: If the network is not that of the tensors; and whatever ``build``
            raises.
    """
    with torch.device("meta"), _Bounded(64 + 4 * len(tensors)):
        network = build()
    check_same(network.state_dict(), tensors)
    network.load_state_dict(dict(tensors), assign=True)
    # What no file holds has no numbers: it says where the network is.
    return network._apply(
        lambda one: torch.empty_like(one, device="cpu") if one.is_meta else one
    )


def check_same(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raise ValueError unless both have the same names and shapes, of real numbers."""
    for what, names in (
        ("missing", wanted.keys() - found.keys()),
        ("unexpected", found.keys() - wanted.keys()),
    ):
        if names:
            raise ValueError(f"{len(names)} tensors are {what}, such as {min(names)!r}")
    for name, tensor in wanted.items():
        other = found[name]
        if other.shape != tensor.shape:
            raise ValueError(
                f"{name!r} must be {tuple(tensor.shape)}, got {tuple(other.shape)}"
            )
        if other.dtype not in _FLOATS:
            raise ValueError(f"{name!r} must be of real numbers, got {other.dtype}")


class _Bounded(TorchFunctionMode):
    """A limit on how many parameters a network is made with, while it is made."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = most

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        # Of `torch.empty` alone: it would be wrong to stop what sets a mode back.
        self.left -= func is torch.empty
        if func is torch.empty and self.left < 0:
            raise ValueError("the network would have more parameters than there are")
        return func(*args, **(kwargs or {}))


def _missing(error: ModuleNotFoundError) -> ModuleNotFoundError:
    return ModuleNotFoundError(
        f"{error.name} is not installed, which reads and writes weights; install it "
        "with 'pip install safetensors'",
        name=error.name,
    )

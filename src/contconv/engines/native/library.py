"""The library of contconv-native: found and loaded at first use, or why not."""

import ctypes
import warnings
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from contconv._runtime.autograd import constant_in_graphs, is_transformed
from contconv._runtime.memory_format import empty_output
from contconv.engines.native.gradients import register_autograd
from contconv.engines.native.pixelwise import register_pixelwise

# What the library and this package have to agree on.
INTERFACE = 5

# Float16 is converted first.
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


@constant_in_graphs
def missing() -> str | None:
    """Why the library cannot be used; None if it can, from now on."""
    return _missing()


@cache
def _missing() -> str | None:
    """Warn if it is there but does not run, or if the environment asks for too much."""
    try:
        import contconv_native
    except ModuleNotFoundError:
        return "contconv-native is not installed"
    if contconv_native.INTERFACE != INTERFACE:
        return (
            f"contconv-native {contconv_native.__version__} is of another version than "
            "contconv; install them together"
        )
    try:
        contconv_native.load()
    except (OSError, ValueError) as error:
        reason = f"contconv-native does not run here: {error}"
        warnings.warn(f"{reason}; PyTorch's operators are used", stacklevel=2)
        return reason
    _register_fakes()
    register_autograd()
    register_pixelwise()
    return None


def takes(image: Tensor, dtypes: Sequence[torch.dtype] = DTYPES) -> bool:
    """Whether the library is there, and computes with a tensor as it is."""
    return (
        image.dtype in dtypes
        and type(image) in (Tensor, torch.nn.Parameter)
        and image.device.type == "cpu"
        and not is_transformed()
        and missing() is None
    )


def _register_fakes() -> None:
    """What compilers are told of the operators."""

    @torch.library.register_fake("contconv_native::axis_taps")
    def _(
        in_size: int,
        out_size: int,
        up: int,
        down: int,
        reach: int,
        start: int,
        stretched: bool,
        padding: int,
        taps: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        source = torch.empty(out_size, taps, dtype=torch.int32, device="cpu")
        both = (torch.empty_like(source, dtype=torch.float32) for _ in range(2))
        return source, *both  # type: ignore

    @torch.library.register_fake("contconv_native::separable")
    def _(image: Tensor, head: Tensor, *rest: Any) -> Tensor:
        outs = [table.shape[0] for table in rest[:6:2]]
        shape = (image.shape[0], head.shape[0], *outs[5 - image.ndim :])
        return empty_output(image, shape)


def found() -> str:
    """The version of the library and its instruction set, or why it is not used."""
    if (reason := missing()) is not None:
        return f"not used: {reason}"
    import contconv_native

    version = contconv_native.__version__
    return f"contconv-native {version}, {contconv_native.instruction_set()}"


class Plan(NamedTuple):
    """What the library would do."""

    order: int
    multiply_adds: int
    steps: float  # vectors of 16 numbers that are loaded, stored or multiplied


@lru_cache(1024)
def plan(sizes: tuple[int, ...], order: int = -1) -> Plan:
    """The order that it takes, or what the one that is asked for costs.

    ``sizes`` are the batch, the groups, the channels in and out of a group; then pixels
    in, pixels out, taps and rank of z, y and x.
    """
    import contconv_native

    out = (ctypes.c_double * 2)()
    function = ctypes.CDLL(str(contconv_native.path())).contconv_native_plan
    numbers = (ctypes.c_int64 * len(sizes))(*sizes)
    taken = function(numbers, ctypes.c_int64(order), out)
    return Plan(taken, int(out[0]), out[1])

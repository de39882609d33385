"""Tile sizes of the Triton kernels, and their choice by timing."""

from collections.abc import Callable
from typing import Any

import torch
import triton
from torch import Tensor

from contconv.engines.fused.tap_tables import CSRRows

# CSRRows, channels in, channels out, sums at once; warps, stages. None was timed on a
# device: they are those that compile for sm_80 and sm_90 without spilled registers. The
# first that fits the channels is taken where results may not vary from run to run.
Tile = tuple[int, int, int, int, int, int]

# What runs without a device, in Triton's interpreter: several tiles of small images.
INTERPRETED: Tile = (32, 16, 16, 4, 4, 1)


def configs(tiles: list[Tile]) -> list[triton.Config]:
    """The tile sizes as Triton's configurations."""
    found = []
    for p, i, o, sums, warps, stages in tiles:
        sizes = {"BLOCK_P": p, "BLOCK_I": i, "BLOCK_O": o, "TILES": sums}
        found.append(triton.Config(sizes, num_warps=warps, num_stages=stages))
    return found


def fitting(
    found: list[triton.Config], sizes: dict[str, Any], **more: Any
) -> list[triton.Config]:
    """Configurations whose tiles are at least half full, or else the last one."""
    given = {**sizes, **more}
    able = [
        config
        for config in found
        if config.kwargs["BLOCK_I"] < 2 * max(16, given["IN"])
        and config.kwargs["BLOCK_O"] < 2 * max(16, given["OUT"])
    ]
    return able or found[-1:]


def tuned(kernel: Any, tiles: list[Tile]) -> Any:
    """The kernel, which times all tiles at the first call of each kind."""
    key = ["IN", "OUT", "GROUPS", "KA", "KB", "RA", "RB", "PRECISION", "MANY"]
    prune: Any = {"early_config_prune": fitting}
    return triton.autotune(configs(tiles), key, prune_configs_by=prune)(kernel)


def run(
    kernel: Any,
    tuned: Any,
    grid: Callable[[dict[str, int]], tuple[int, ...]],
    arguments: dict[str, Any],
) -> None:
    """Launch the kernel with the best tiles; or, if torch asks, with fixed ones."""
    arguments["enable_fp_fusion"] = True  # one rounding less for each tap
    device = arguments["pixels_ptr"].device
    if device.type == "cpu":
        (config,) = configs([INTERPRETED])
    elif torch.are_deterministic_algorithms_enabled():
        config = fitting(tuned.configs, arguments)[0]
    else:
        with torch.cuda.device(device):
            tuned[grid](**arguments)
        return
    with torch.cuda.device(device if device.type == "cuda" else -1):
        kernel[grid](
            **arguments,
            **config.kwargs,
            num_warps=config.num_warps,
            num_stages=config.num_stages,
        )


def pointers(a: CSRRows, b: CSRRows) -> dict[str, Tensor]:
    """The two factors of a table, as arguments of a kernel."""
    return {
        "source_a_ptr": a.source,
        "basis_a_ptr": a.basis,
        "begin_a_ptr": a.begin,
        "source_b_ptr": b.source,
        "basis_b_ptr": b.basis,
        "begin_b_ptr": b.begin,
    }


def ranks(a: CSRRows, b: CSRRows) -> dict[str, int]:
    """How many entries and functions they have, as constants of a kernel."""
    return {
        "KA": a.taps,
        "KB": b.taps,
        "RA": a.basis.shape[1],
        "RB": b.basis.shape[1],
    }

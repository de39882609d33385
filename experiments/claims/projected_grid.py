"""Fig. 4: the projected grid is exact, centred, and keeps both boundaries of the image.

4x4 pixels become 3x6. Positions, neighbors and distances are compared with Eq. 2 in
fractions, worked out here: the whole numbers inside the library, and what it really
does, seen with a kernel whose values are the distances. By size (3/4 and 3/2) the cells
of the output cover the input exactly. By scale (0.6 and 1.4) the size is rounded up, so
that the output reaches over both boundaries, alike.
"""

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from contconv import continuous_conv
from contconv.functional.call import as_call
from contconv.kernels import ContinuousKernel
from contconv.plots import plot_grid


@dataclass(frozen=True)
class Config:
    """The sizes; and the kernels and the output pixels that are drawn."""

    in_size: tuple[int, int] = (4, 4)
    out_size: tuple[int, int] = (3, 6)
    scale: tuple[str, str] = ("3/5", "7/5")
    kernel_sizes: tuple[int, int] = (4, 3)
    pixels: tuple[tuple[int, int], tuple[int, int]] = ((1, 3), (1, 2))


QUICK = Config()


class Distances(ContinuousKernel):
    """Three output channels: the distances along y and x, and one."""

    def __init__(self, width: int) -> None:
        super().__init__((width, width))
        self.register_buffer("head", torch.eye(3)[:, None])

    def basis(self, distances: Tensor) -> Tensor:
        """The distances, and one."""
        return torch.cat([distances, torch.ones_like(distances[..., :1])], -1)


def run(config: Config) -> dict[str, Any]:
    """The grid by size and by scale, for both kernels."""
    by_size = [
        Fraction(out, in_)
        for out, in_ in zip(config.out_size, config.in_size, strict=True)
    ]
    by_scale = [Fraction(scale) for scale in config.scale]
    return {
        "size": _case(config, by_size, {"size": config.out_size}, 0),
        "scale": _case(config, by_scale, {"scale": by_scale}, 1),
    }


def _case(
    config: Config, scales: list[Fraction], options: dict[str, Any], which: int
) -> dict[str, Any]:
    """The grid as the library has it, and as Eq. 2 has it, axis by axis."""
    width, (row, column) = config.kernel_sizes[which], config.pixels[which]
    kernel, image = Distances(width), torch.empty(1, 1, *config.in_size)
    grid: Any = as_call(image, kernel, **options).grid
    grids = [
        [position(n, in_, out, scale) for n in range(out)]
        for in_, out, scale in zip(config.in_size, config.out_size, scales, strict=True)
    ]
    axes = [
        {
            "scale": str(scale),
            "library": [
                str(Fraction(axis.position(n), axis.unit)) for n in range(axis.out_size)
            ],
            "eq_2": [str(g) for g in exact],
            "overhang": [str(part) for part in overhang(exact, axis.in_size, scale)],
        }
        for axis, exact, scale in zip(grid.axes, grids, scales, strict=True)
    ]
    return {
        "axes": axes,
        "neighbors": len(neighbors(grids[0][row], width))
        * len(neighbors(grids[1][column], width)),
        "worst_distance": worst_distance(config.in_size, grids, width, options),
    }


def position(n: int, in_size: int, out_size: int, scale: Fraction) -> Fraction:
    """Eq. 2, as the paper writes it."""
    return n / scale + Fraction(in_size - 1, 2) - Fraction(out_size - 1, 2) / scale


def neighbors(g: Fraction, width: int) -> dict[int, Fraction]:
    """The pixels within half a width, and what they count: on the edge a half."""
    low, high = g - Fraction(width, 2), g + Fraction(width, 2)
    pixels = range(math.ceil(low), math.floor(high) + 1)
    return {m: Fraction(1, 2 if m in (low, high) else 1) for m in pixels}


def overhang(
    grid: list[Fraction], in_size: int, scale: Fraction
) -> tuple[Fraction, Fraction]:
    """How far the cells of the output reach over the input, before and behind it."""
    half, cell = Fraction(1, 2), 1 / scale
    first, last = grid[0] - cell / 2, grid[-1] + cell / 2
    return -half - first, last - (in_size - half)


def worst_distance(
    in_size: tuple[int, int],
    grids: list[list[Fraction]],
    width: int,
    options: dict[str, Any],
) -> float:
    """How far any distance that `continuous_conv` uses is from Eq. 2, in pixels.

    Each input pixel alone is one, so that each output pixel holds the distance to it,
    times what it counts.
    """
    count = math.prod(in_size)
    impulses = torch.eye(count, dtype=torch.float64).view(count, 1, *in_size)
    found = continuous_conv(impulses, Distances(width), **options)
    expected = torch.zeros_like(found)
    for n_y, n_x in itertools.product(*(range(len(grid)) for grid in grids)):
        g_y, g_x = grids[0][n_y], grids[1][n_x]
        near = itertools.product(
            neighbors(g_y, width).items(), neighbors(g_x, width).items()
        )
        for (m_y, w_y), (m_x, w_x) in near:
            if m_y in range(in_size[0]) and m_x in range(in_size[1]):
                exact = [w_y * w_x * part for part in (g_y - m_y, g_x - m_x, 1)]
                pixel = found.new_tensor([float(value) for value in exact])
                expected[m_y * in_size[1] + m_x, :, n_y, n_x] = pixel
    return (found - expected).abs().max().item()


def check(result: dict[str, Any]) -> None:
    """Exact; by size, boundary to boundary; by scale, as far over both."""
    for case, kept in (("size", True), ("scale", False)):
        assert result[case]["worst_distance"] < 1e-15, result[case]
        for axis in result[case]["axes"]:
            assert axis["library"] == axis["eq_2"], axis
            before, behind = map(Fraction, axis["overhang"])
            assert before == behind >= 0, axis
            assert (before == 0) == kept, axis


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The row of the table."""
    worst = max(case["worst_distance"] for case in result.values())
    ours = (
        "both kept exactly; all positions equal Eq. 2 in fractions, all distances to "
        f"{worst:.1g} pixel"
    )
    return [("projected grid, 4x4 to 3x6 (Fig. 4)", "both boundaries kept", ours)]


def plot(record: dict[str, Any], figure: Path) -> None:
    """Both grids, side by side."""
    import matplotlib.pyplot as plt

    config, result = Config(**record["config"]), record["result"]
    drawing = plt.figure(figsize=(11, 6.2), layout="constrained")
    panels: Any = drawing.subfigures(1, 2)
    scales = [axis["scale"] for axis in result["scale"]["axes"]]
    cases: list[tuple[str, dict[str, Any]]] = [
        ("by size: both boundaries kept", {}),
        (
            f"by scale, {scales[0]} and {scales[1]}: size rounded up, centred",
            {"scale": [Fraction(scale) for scale in scales]},
        ),
    ]
    for i, (panel, (title, options)) in enumerate(zip(panels, cases, strict=True)):
        plot_grid(
            config.in_size,
            config.out_size,
            kernel_size=config.kernel_sizes[i],
            pixel=config.pixels[i],
            figure=panel,
            **options,
        )
        panel.suptitle(title, size=11)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)

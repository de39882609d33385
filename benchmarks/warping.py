"""`warp` against `F.grid_sample`, and layers with a table for each pixel: the cases.

Both sample at the same places. Those of `F.grid_sample` are made before it is timed,
while `warp` is given the map alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.contender import Contender
from benchmarks.runner import Makers
from contconv import continuous_conv, rotation, warp
from contconv.kernels import ContinuousKernel, CosineKernel, MLPKernel

# Ours and theirs.
MODES = {"cubic": "bicubic", "linear": "bilinear"}


@dataclass(frozen=True)
class View:
    """Images that are turned by 13 degrees."""

    batch: int
    channels: int
    size: int
    kernel: str = "cubic"

    @property
    def name(self) -> str:
        """What the case is called in records and tables."""
        return f"warp, {self.batch} x {self.channels}, {self.size} px, {self.kernel}"


VIEWS = [
    View(1, 3, 512),
    View(1, 1, 1024),
    View(16, 3, 128),
    View(1, 64, 64),
    View(1, 3, 512, "linear"),
]


@dataclass(frozen=True)
class Table:
    """A layer whose basis is no product over the axes, or that is given points."""

    kernel: str  # "mlp", or "points" of the default kernel
    batch: int
    channels: int
    size: int
    out_size: int
    backward: bool = False

    @property
    def name(self) -> str:
        """What the case is called in records and tables."""
        passes = "forward + backward" if self.backward else "forward"
        size = f"{self.size} to {self.out_size} px"
        return f"{self.kernel}, {self.batch} x {self.channels}, {size}, {passes}"


TABLES = [
    Table("mlp", 1, 64, 64, 48),
    Table("mlp", 1, 64, 64, 47),
    Table("mlp", 16, 64, 32, 24),
    Table("mlp", 1, 64, 64, 128),
    Table("points", 1, 64, 64, 48),
    Table("mlp", 16, 64, 32, 24, backward=True),
    Table("points", 1, 64, 64, 48, backward=True),
]


def named() -> list[tuple[str, Makers]]:
    """All cases, with what makes their contenders; "unit" is theirs."""
    views = [(one.name, _both(partial(_view, one))) for one in VIEWS]
    return views + [(one.name, _both(partial(_table, one))) for one in TABLES]


def _both(make: Callable[[str], Contender]) -> Makers:
    return {who: partial(make, who) for who in ("unit", "contconv")}


def _view(view: View, who: str) -> Contender:
    torch.manual_seed(0)
    image = torch.rand(view.batch, view.channels, view.size, view.size)
    matrix = rotation(13, view.size).float()
    if who == "contconv":
        return Contender(lambda x: warp(x, view.kernel, matrix), image)
    lines = [torch.arange(float(view.size))] * 2
    grid = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1)
    places = grid @ matrix[:, :2].T + matrix[:, 2]
    grid = (2 * places / (view.size - 1) - 1).flip(-1).expand(view.batch, -1, -1, -1)
    mode = MODES[view.kernel]
    return Contender(lambda x: F.grid_sample(x, grid, mode, align_corners=True), image)


def _table(table: Table, who: str) -> Contender:
    torch.manual_seed(0)
    n, c, out = table.batch, table.channels, table.out_size
    if who == "unit":
        weight = torch.randn(c, c, 3, 3, requires_grad=table.backward)
        image = torch.randn(n, c, out, out)
        apply = partial(F.conv2d, weight=weight, padding=1)
        return Contender(apply, image, (weight,), table.backward)
    kernel: ContinuousKernel = CosineKernel(c, c, (3, 3))
    given: dict = {"points": (table.size - 1) * torch.rand(out, out, 2)}
    if table.kernel == "mlp":
        kernel, given = MLPKernel(c, c, (3, 3)), {"size": out}

    def apply_ours(x: Tensor) -> Tensor:
        return continuous_conv(x, kernel, **given)

    image = torch.randn(n, c, table.size, table.size)
    return Contender(apply_ours, image, tuple(kernel.parameters()), table.backward)

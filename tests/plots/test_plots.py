"""Plots: what is drawn, read back from the figure."""

import subprocess
import sys
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from contconv import ContinuousConv1d, ContinuousConv2d, ContinuousConv3d
from contconv.kernels import CosineKernel, CubicKernel, GaussianKernel, MLPKernel
from contconv.plots import plot_grid, plot_kernel, plot_shapes
from tests.oracle import neighbors, position


def spread(width: int, samples: int) -> torch.Tensor:
    """The centres of equal parts of the support."""
    edges = torch.linspace(-width / 2, width / 2, samples + 1)
    return (edges[1:] + edges[:-1]) / 2


def drawn_in(figure: Figure) -> list[Any]:
    return list(figure.axes)


def points(ax: Any, start: str) -> list[tuple[float, float]]:
    """Those of the lines whose label starts like this."""
    found = [line for line in ax.lines if str(line.get_label()).startswith(start)]
    return [(x, y) for line in found for x, y in line.get_xydata().tolist()]


def close(drawn: Any, expected: Any) -> None:
    """To what float32 gives for weights around 1."""
    np.testing.assert_allclose(drawn, expected, rtol=0, atol=1e-6)


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts if text.get_text()]


@pytest.mark.parametrize("kernel", ["cosine", "mlp"])
def test_maps_show_the_weights(kernel):
    layer = ContinuousConv2d(3, 5, (3, 4), kernel=kernel)
    pairs = [(4, 0), (1, 2), (0, 1)]
    figure = plot_kernel(layer, channels=pairs, samples=30)
    distances = torch.cartesian_prod(spread(3, 30), spread(4, 30)).view(30, 30, 2)
    with torch.no_grad():
        weights = layer.kernel(distances)
    *panels, _ = drawn_in(figure)
    assert len(panels) == len(pairs)
    for ax, (output, channel) in zip(panels, pairs, strict=True):
        (image,) = ax.images
        close(image.get_array(), weights[..., output, channel])
        assert image.get_extent() == [-2, 2, 1.5, -1.5]
        assert ax.get_title() == f"output {output}, input {channel}"
        largest = max(float(weights[..., o, c].abs().max()) for o, c in pairs)
        assert image.get_clim() == pytest.approx((-largest, largest))


def test_maps_show_the_pixels_of_a_window():
    ax, *_ = drawn_in(plot_kernel(ContinuousConv2d(1, 1, (3, 2)), samples=9))
    columns, rows = [np.array(lines.get_segments()) for lines in ax.collections]
    assert columns[:, 0, 0].tolist() == [-1, 0, 1]
    assert rows[:, 0, 1].tolist() == [-1.5, -0.5, 0.5, 1.5]
    (dots,) = ax.lines
    centres = {(float(x), float(y)) for x, y in dots.get_xydata()}
    assert centres == {(x, y) for x in (-0.5, 0.5) for y in (-1, 0, 1)}


def test_density_of_a_gaussian():
    """Against the formula, at an angle: neither flipped nor transposed."""
    covariance = np.array([[1.0, 0.6], [0.6, 0.5]])
    kernel = GaussianKernel(torch.tensor(covariance), (6, 4))
    ax, _ = drawn_in(plot_kernel(kernel, samples=50))
    y, x = np.meshgrid(spread(6, 50), spread(4, 50), indexing="ij")
    d = np.stack([y, x], -1)
    square = np.einsum("...i,ij,...j", d, np.linalg.inv(covariance), d)
    expected = np.exp(-square / 2) / (2 * np.pi * np.linalg.det(covariance) ** 0.5)
    close(ax.images[0].get_array(), expected)
    assert ax.get_title() == "GaussianKernel"


def test_curves_show_the_weights():
    layer = ContinuousConv1d(2, 3, 5)
    (ax,) = drawn_in(plot_kernel(layer, channels=[(2, 1), (0, 0)], samples=70))
    _, *lines = ax.lines
    with torch.no_grad():
        weights = layer.kernel(spread(5, 70)[:, None])
        taps = layer.kernel(torch.arange(-2.0, 3.0)[:, None])
    for i, (output, channel) in enumerate([(2, 1), (0, 0)]):
        curve, dots = lines[2 * i : 2 * i + 2]
        close(curve.get_ydata(), weights[:, output, channel])
        close(dots.get_ydata(), taps[:, output, channel])
        assert dots.get_xdata().tolist() == [-2, -1, 0, 1, 2]


def test_volumes_show_the_plane_at_depth_0():
    layer = ContinuousConv3d(1, 1, (2, 3, 4))
    ax, _ = drawn_in(plot_kernel(layer, samples=20))
    plane = torch.cartesian_prod(torch.zeros(1), spread(3, 20), spread(4, 20))
    with torch.no_grad():
        expected = layer.kernel(plane).view(20, 20)
    close(ax.images[0].get_array(), expected)


def test_most_channels_stay_away():
    assert len(plot_kernel(ContinuousConv2d(2, 9, 3), samples=5).axes) == 4 * 2 + 1
    # All weights of this one would take 160 GB.
    plot_kernel(CosineKernel(1000, 1000, (1, 1)), channels=[(7, 9)])


def limits(figure: Figure) -> tuple[float, float]:
    return drawn_in(figure)[0].images[0].get_clim()


def test_kernels_of_zeros_and_of_few_bits():
    layer = ContinuousConv2d(1, 1, 3, dtype=torch.bfloat16)
    plot_kernel(layer, samples=5)
    nn.init.zeros_(layer.kernel.head)
    assert limits(plot_kernel(layer, samples=5)) == (-1, 1)
    assert limits(plot_kernel(layer, limit=3)) == (-3, 3)


CONV: Any = nn.Conv2d(1, 1, 3)
NAME: Any = "cubic"
NUMBER: Any = 3
LAYER = ContinuousConv2d(3, 8, 3)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: plot_kernel(CONV), TypeError, "kernel must be a .* got Conv2d"),
        (lambda: plot_kernel(NAME), TypeError, "kernel must be a .* got str"),
        (
            lambda: plot_kernel(LAYER, channels=[(0, 3)]),
            ValueError,
            r"channels must be pairs of an output \(0 to 7\) and an input \(0 to 2\), "
            r"got \(0, 3\)",
        ),
        (
            lambda: plot_kernel(LAYER, channels=NUMBER),
            TypeError,
            r"channels must be pairs .* got 3",
        ),
        (lambda: plot_kernel(LAYER, channels=[]), ValueError, "at least one pair"),
        (lambda: plot_kernel(LAYER, samples=0), ValueError, "samples must be at least"),
        (
            lambda: plot_kernel(LAYER, limit=0.0),
            ValueError,
            "limit must be positive and finite, got 0.0",
        ),
        (
            lambda: plot_kernel(LAYER, figure=NUMBER),
            TypeError,
            "figure must be a matplotlib figure or subfigure, or None .* got int",
        ),
        (lambda: plot_grid(4), ValueError, "plot_grid needs a size or a scale"),
        (lambda: plot_grid(0, 3), ValueError, "in_size must be at least 1, got 0"),
        (lambda: plot_grid(4, scale=-1), ValueError, "scale must be positive"),
        (
            lambda: plot_grid(4, (3, 6), pixel=(3, 0)),
            ValueError,
            r"pixel must be \(row, column\), up to \(2, 5\) in this output, "
            r"got \(3, 0\)",
        ),
        (
            lambda: plot_grid(4, (3, 6), pixel=NUMBER),
            ValueError,
            r"pixel must be \(row, column\), .* got 3",
        ),
        (
            lambda: plot_shapes(CONV, torch.rand(1, 1, 4, 4)),
            ValueError,
            "model must run a continuous layer, but it has run none",
        ),
        (
            lambda: plot_shapes(NAME, torch.rand(1, 1, 4, 4)),
            TypeError,
            "model must be a torch.nn.Module, got str",
        ),
        (
            lambda: plot_shapes(LAYER, torch.rand(1, 3, 4, 4), sequences=[]),
            ValueError,
            "sequences must hold at least one",
        ),
        (
            lambda: plot_shapes(LAYER, torch.rand(1, 3, 4, 4), sequences=[[1, 2]]),
            ValueError,
            "one scale for each of the 1",
        ),
    ],
)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    "in_size, size, scale, width, pixel",
    [
        ((4, 4), (3, 6), ("3/4", "3/2"), (4, 4), (1, 3)),
        ((4, 4), (3, 6), ("3/5", "7/5"), (3, 3), (1, 2)),
        ((7, 5), (3, 9), ("2/7", "3/2"), (3, 4), (0, 8)),
        ((5, 6), (5, 6), ("1", "1"), (4, 3), (2, 3)),
    ],
    ids=str,
)
def test_grid_is_exact(in_size, size, scale, width, pixel):
    """Positions, neighbors and distances, against fractions of its own."""
    scales = tuple(Fraction(s) for s in scale)
    figure = plot_grid(in_size, size, scale=scales, kernel_size=width, pixel=pixel)
    (ax,) = drawn_in(figure)
    y, x = [
        [position(n, in_, out, s) for n in range(out)]
        for in_, out, s in zip(in_size, size, scales, strict=True)
    ]
    drawn = points(ax, f"output, {size[0]} x {size[1]}")
    expected = [(float(g_x), float(g_y)) for g_y in y for g_x in x]
    np.testing.assert_allclose(drawn, expected, rtol=0, atol=1e-15)
    g_y, g_x = y[pixel[0]], x[pixel[1]]
    near_y, near_x = (
        neighbors(g_y, Fraction(width[0])),
        neighbors(g_x, Fraction(width[1])),
    )
    whole, edge = set(), set()
    for m_y, w_y in near_y.items():
        for m_x, w_x in near_x.items():
            (whole if w_y * w_x == 1 else edge).add((m_x, m_y))
    assert set(points(ax, "its neighbors")) == whole
    assert set(points(ax, "on the edge")) == edge
    top, right = ax.child_axes
    assert ticks(top.xaxis) == {m: str(g_x - m) for m in near_x}
    assert ticks(right.yaxis) == {m: str(g_y - m) for m in near_y}
    (box,) = ax.patches
    middle = (box.get_x() + box.get_width() / 2, box.get_y() + box.get_height() / 2)
    assert middle == pytest.approx((float(g_x), float(g_y)))
    assert (box.get_height(), box.get_width()) == pytest.approx(width)


def ticks(axis: Any) -> dict[float, str]:
    labels = [text.get_text() for text in axis.get_ticklabels()]
    return dict(zip(axis.get_ticklocs().tolist(), labels, strict=True))


def test_grid_keeps_both_boundaries():
    """The cells of the output cover the input, no more and no less."""
    ax, *_ = drawn_in(plot_grid((4, 5), (3, 7)))
    _, _, columns, rows, _ = ax.collections
    assert np.array(columns.get_segments())[[0, -1], 0, 0].tolist() == [-0.5, 4.5]
    assert np.array(rows.get_segments())[[0, -1], 0, 1].tolist() == [-0.5, 3.5]


def test_grid_with_antialias_stretches_the_support():
    ax, *_ = drawn_in(plot_grid(8, scale=(Fraction(1, 2), 2), antialias=True))
    (box,) = ax.patches
    assert (box.get_height(), box.get_width()) == (6, 3)


def test_grid_writes_long_fractions_as_decimals():
    (ax,) = drawn_in(plot_grid(9, scale=0.73219, pixel=(2, 2)))
    g = position(2, 9, 7, Fraction(73219, 100000))
    assert ticks(ax.child_axes[0].xaxis)[3] == f"{float(g - 3):.3f}"


def network() -> nn.Sequential:
    return nn.Sequential(
        ContinuousConv2d(3, 4, 3, scale=0.7),
        nn.BatchNorm2d(4),
        nn.MaxPool2d(2),
        ContinuousConv2d(4, 2, 3, scale=(1.5, 0.5)),
        ContinuousConv2d(2, 2, 3, size=5),
    )


def boxes(ax: Any) -> list[tuple[float, float]]:
    return [(box.get_height(), box.get_width()) for box in ax.patches]


def test_shapes_are_those_of_the_feature_maps():
    image = torch.rand(2, 3, 20, 30)
    sequences = [None, [0.3, 1, 2], [Fraction(1, 2), (2, 3), 0.9]]
    figure = plot_shapes(network(), image, sequences=sequences)
    sizes = [
        [(20, 30), (14, 21), (7, 10), (11, 5), (5, 5)],
        [(20, 30), (6, 9), (3, 4), (3, 4), (5, 5)],
        [(20, 30), (10, 15), (5, 7), (10, 21), (5, 5)],
    ]
    scales = [["0.7", "y 1.5\nx 0.5"], ["0.3", "1", "2"], ["0.5", "y 2\nx 3", "0.9"]]
    assert len(figure.axes) == 3
    for ax, expected, written in zip(figure.axes, sizes, scales, strict=True):
        assert boxes(ax) == pytest.approx(np.array(expected) / 30)
        shown = texts(ax)
        for size in expected:
            assert f"{size[0]} x {size[1]}" in shown
        names = ["input", "0", "other layers", "3", "4"]
        assert [text for text in shown if text in names] == names
        assert [text for text in shown if text in written] == written


def test_shapes_leave_the_network_as_it_was():
    model = network()
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    plot_shapes(model, torch.rand(2, 3, 20, 30), sequences=[[1, 1, 1]])
    assert [m.training for m in model] == [True, False, True, True, True]
    assert model[0].scale == (Fraction(7, 10),) * 2
    assert not any(m._forward_hooks for m in model.modules())
    for name, value in model.state_dict().items():
        assert value.equal(before[name])
    with pytest.raises(ValueError, match="input must have 3 channels"):
        plot_shapes(model, torch.rand(2, 5, 20, 30))
    assert model.training and not any(m._forward_hooks for m in model.modules())


class Calls(nn.Module):
    """One layer, called in every way that there is."""

    def __init__(self):
        super().__init__()
        self.layer = ContinuousConv1d(1, 1, 3, scale=2)

    def forward(self, image):
        image = self.layer(input=image)
        image = self.layer(image, scale=0.3)
        image = self.layer(image, size=9)
        return self.layer(image, points=torch.rand(4, 1))


@pytest.mark.parametrize("batch", [(1,), ()], ids=str)
def test_shapes_follow_every_call(batch):
    (ax,) = drawn_in(plot_shapes(Calls(), torch.rand(*batch, 1, 20)))
    sizes = [20, 40, ceil(40 * 0.3), 9, 4]
    assert [width for _, width in boxes(ax)] == pytest.approx(np.array(sizes) / 40)
    shown = texts(ax)
    assert [text for text in shown if text in ("2", "0.3", "points")] == [
        "2",
        "0.3",
        "points",
    ]


def test_draws_where_it_is_told():
    figure = Figure(layout="constrained")
    panels: Any = figure.subfigures(1, 3)
    left, middle, right = panels
    assert plot_kernel(CubicKernel(), figure=left) is figure
    assert plot_grid(4, 3, figure=middle) is figure
    assert plot_shapes(network(), torch.rand(1, 3, 20, 30), figure=right) is figure
    assert [len(part.axes) for part in (left, middle, right)] == [2, 1, 1]
    figure.canvas.draw()


def test_all_of_it_can_be_written(tmp_path):
    """Warnings of the layout are errors here."""
    for i, figure in enumerate(
        [
            plot_kernel(MLPKernel(1, 1, (3, 3))),
            plot_kernel(ContinuousConv1d(2, 2, 3)),
            plot_grid(4, (3, 6)),
            plot_shapes(network(), torch.rand(1, 3, 20, 30)),
        ]
    ):
        figure.savefig(tmp_path / f"{i}.png", dpi=20)


# Without the shape checks around the library, which compiled graphs cannot trace.
FRESH = """
import sys, torch
from contconv import ContinuousConv2d
from contconv.plots import plot_grid, plot_kernel, plot_shapes
assert "matplotlib" not in sys.modules
import matplotlib
before = matplotlib.rcParams.copy()
layer, image = ContinuousConv2d(1, 1, 3), torch.rand(1, 1, 4, 4)
plot_kernel(layer), plot_grid(4, 3), plot_shapes(layer, image)
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.rcParams.copy() == before

model = torch.compile(torch.nn.Sequential(layer, layer), backend="eager")
model(image)
(ax,) = plot_shapes(model, image).axes
assert len(ax.patches) == 3
"""


def test_changes_nothing_global_and_takes_compiled_networks():
    subprocess.run([sys.executable, "-W", "error", "-c", FRESH], check=True)


def test_says_what_to_install(monkeypatch):
    class Nothing:
        @staticmethod
        def find_spec(name, path, target=None):
            """Nothing is installed."""

    monkeypatch.delitem(sys.modules, "matplotlib.figure")
    monkeypatch.delitem(sys.modules, "matplotlib")
    monkeypatch.setattr(sys, "meta_path", [Nothing])
    with pytest.raises(ImportError, match=r"pip install 'contconv\[plots\]'"):
        plot_kernel(CubicKernel())


def test_a_broken_matplotlib_says_so_itself(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="halted"):
        plot_kernel(CubicKernel())

"""Positions in place of a grid."""

import pytest
import torch
import torch.nn.functional as F

from contconv import ContinuousConv2d, continuous_conv
from contconv._grid.grid import resized_axes
from contconv._grid.ratio import as_ratios
from contconv.kernels import CosineKernel, CubicKernel
from tests.cases import HERE, skip_refused
from tests.combinations import pairs


def grid_points(in_shape, scale, support):
    """Eq. 2 as float positions."""
    axes = resized_axes(in_shape, support, as_ratios(scale, 2), None)
    lines = [
        axis.position(torch.arange(axis.out_size)).double() / axis.unit for axis in axes
    ]
    return torch.stack(torch.meshgrid(*lines, indexing="ij"), -1)


@pairs(engine=HERE, scale=[1, 0.5, (0.7, 1.9)], support=[(4, 4), (3, 2)])
def test_points_of_a_grid_are_the_grid(engine, scale, support):
    """Ties too: at these scales they are exact in floating point."""
    image = torch.randn(2, 3, 8, 6, dtype=torch.float64)
    kernel = CosineKernel(3, 2, support, dtype=torch.float64)
    points = grid_points((8, 6), scale, support)
    skip_refused(engine, image, kernel, {"points": points})
    torch.testing.assert_close(
        continuous_conv(image, kernel, points=points, engine=engine),
        continuous_conv(image, kernel, scale=scale, engine=engine),
    )


@pytest.mark.parametrize("mode, name", [("zeros", "zeros"), ("replicate", "border")])
def test_cubic_at_points_is_grid_sample(mode, name):
    """``F.grid_sample`` counts (x, y) from -1 to 1, and has a cubic with a = -3/4."""
    image = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    points = torch.rand(2, 5, 4, 2, dtype=torch.float64) * 12 - 2
    unit = (2 * points + 1) / torch.tensor([9, 7]) - 1
    expected = F.grid_sample(
        image, unit.flip(-1), mode="bicubic", padding_mode=name, align_corners=False
    )
    out = continuous_conv(image, CubicKernel(-0.75), points=points, padding_mode=mode)
    torch.testing.assert_close(out, expected)


def test_one_grid_for_each_image():
    image = torch.randn(3, 2, 6, 6, dtype=torch.float64)
    layer = ContinuousConv2d(2, 4, 3, dtype=torch.float64)
    points = 6 * torch.rand(3, 4, 5, 2, dtype=torch.float64)
    each = [layer(image[i], points=points[i]) for i in range(3)]
    torch.testing.assert_close(layer(image, points=points), torch.stack(each))


def test_a_shift_can_be_learned():
    """Gradient descent on the positions finds by how much an image was moved."""
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    image = torch.sin(y / 3)[None, None] + torch.cos(x / 4)
    points = torch.stack([y, x], -1)
    moved = torch.tensor([0.8, -0.45])
    target = continuous_conv(image, "cubic", points=points[4:-4, 4:-4] + moved)
    shift = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.Adam([shift], lr=0.05)
    for _ in range(150):
        out = continuous_conv(image, "cubic", points=points[4:-4, 4:-4] + shift)
        loss = F.mse_loss(out, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(shift.detach(), moved, atol=1e-3, rtol=0)


def test_far_outside_lies_only_padding():
    image = torch.ones(1, 1, 4, 4)
    points = torch.tensor([[[1e9, 0.0], [-1e9, 1e9]]])
    assert not continuous_conv(image, "linear", points=points).any()
    out = continuous_conv(image, "linear", points=points, padding_mode="replicate")
    torch.testing.assert_close(out, torch.ones(1, 1, 1, 2))


@pytest.mark.parametrize("channels", [1, 3])
def test_no_points_give_no_pixels(channels):
    out = continuous_conv(
        torch.rand(2, channels, 4, 4), "cubic", points=torch.rand(0, 5, 2)
    )
    assert out.shape == (2, channels, 0, 5)


def test_no_position_gives_no_number():
    """NaN in, NaN out, and only there."""
    points = torch.tensor([[[1.0, 1.0], [float("nan"), 1.0]]])
    out = continuous_conv(torch.ones(1, 1, 4, 4), "cubic", points=points)
    assert out.isnan().flatten().tolist() == [False, True]

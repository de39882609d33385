"""Super-resolution: any size; tiles that are the whole bit for bit; weights."""

from fractions import Fraction
from itertools import product
from math import ceil
from pathlib import Path

import pytest
import torch

from contconv import continuous_conv, resize
from contconv._grid.ratio import Ratio
from contconv.engines.native.library import missing
from contconv.models import SuperResolutionNet
from contconv.models.superres.tile_grid import divided
from contconv.models.superres.trained import SHIPPED, WeightsError, load


@pytest.fixture
def net() -> SuperResolutionNet:
    """A network whose every part does something."""
    net = SuperResolutionNet(8, 2).eval()
    for parameter in net.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return net.requires_grad_(False)


def assert_same(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Bit for bit by the library in C++, by PyTorch's operators to rounding."""
    if missing() is None:
        assert torch.equal(actual, expected)
    else:
        torch.testing.assert_close(actual, expected)


def put_together(tiles, size) -> torch.Tensor:
    """The picture that tiles make; what none of them holds is NaN."""
    out = torch.full((3, *size), float("nan"))
    for rows, columns, values in tiles:
        assert out[:, rows, columns].isnan().all(), "two tiles hold the same pixels"
        out[:, rows, columns] = values
    return out


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({"scale": 2}, (20, 26)),
        ({"scale": (1.1, 3.7)}, (11, 49)),
        ({"size": (33, 14)}, (33, 14)),
        ({"scale": 1.5, "size": 16}, (16, 16)),
        ({"scale": 1}, (10, 13)),
    ],
)
def test_lands_on_any_size(net, given, size):
    assert net(torch.rand(2, 3, 10, 13), **given).shape == (2, 3, *size)


def test_several_sizes_of_one_encoding(net):
    images = torch.rand(2, 3, 10, 13)
    features = net.encode(images)
    for given in ({"scale": 2}, {"scale": (1.1, 3.7)}, {"size": (33, 14)}):
        made = net.decode(features, images, **given)
        assert torch.equal(made, net(images, **given))
    with pytest.raises(TypeError, match="images must be a floating-point tensor"):
        net.encode(images.to(torch.uint8))


def test_without_a_refinement_it_is_cubic_resizing(net):
    for parameter in net.refine[-1].parameters():
        parameter.zero_()
    images = torch.rand(2, 3, 17, 11)
    for scale in (2, 1.3, (2.71, 4)):
        made, classical = net(images, scale=scale), resize(images, scale=scale)
        torch.testing.assert_close(made, classical)


def test_is_what_its_parts_make(net):
    """Encoder, continuous convolution, refinement; the cubic picture added."""
    images, scale = torch.rand(1, 3, 12, 15), Fraction(27, 10)
    kernel, bias = net.kernel.at((Ratio(27, 10), Ratio(27, 10)))
    features = net.encoder(images)
    landed = continuous_conv(
        features, kernel, scale=scale, bias=bias, engine="reference"
    )
    expected = net.refine(landed) + resize(images, scale=scale)
    torch.testing.assert_close(net(images, scale=scale), expected)


def test_its_kernel_depends_on_the_scale(net):
    def at(scale):
        kernel, _ = network.kernel.at((Ratio(scale, 1), Ratio(scale, 1)))
        return kernel(torch.tensor([0.3, -0.8]))

    network = net
    assert not torch.allclose(at(2), at(3))
    network = SuperResolutionNet(8, 1, scale_aware=False).requires_grad_(False)
    for parameter in network.kernel.factors.parameters():
        parameter.data.normal_()
    assert torch.equal(at(2), at(3))


def test_every_parameter_learns():
    net = SuperResolutionNet(8, 2)
    net(torch.rand(1, 3, 8, 8), scale=1.7).square().sum().backward()
    gradients = [p.grad for p in net.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients)


@pytest.mark.parametrize(
    ("shape", "scale", "threads"),
    [
        ((170, 190), 2.7, 1),
        pytest.param((170, 190), 2.7, 2, marks=pytest.mark.slow),
        pytest.param((180, 170), 2, 1, marks=pytest.mark.slow),
        pytest.param((165, 170), (3.3, 1.37), 2, marks=pytest.mark.slow),
        ((40, 800), 1, 1),
        ((5, 1500), 1.5, 1),
        ((330, 20), (1.2, 8), 1),
        ((1, 1), 4, 1),
    ],
)
def test_tiles_are_the_whole_bit_for_bit(net, shape, scale, threads):
    image, before = torch.rand(3, *shape), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        whole = net(image[None], scale=scale)[0]
        for tile in (80, 768):
            tiles = net.tiles(image, scale=scale, tile=tile)
            assert_same(put_together(tiles, whole.shape[1:]), whole)
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(
    not torch.cpu.get_capabilities().get("amx_bf16") or missing() is not None,
    reason="this CPU has no AMX, or the library in C++ is missing",
)
@pytest.mark.parametrize("weights", sorted(SHIPPED))
def test_tiles_are_the_whole_in_bfloat16(weights):
    """Bit for bit, too, where AMX multiplies; and near what float32 gives."""
    net = load(weights).requires_grad_(False)
    for shape, scale in (((170, 190), 2.7), ((40, 500), (3.3, 1.37))):
        image = torch.rand(3, *shape)
        exact = net(image[None], scale=scale)[0]
        with torch.autocast("cpu", torch.bfloat16):
            whole = net(image[None], scale=scale)[0]
            assert whole.dtype == torch.float32
            for tile in (80, 100, 300):
                tiles = net.tiles(image, scale=scale, tile=tile)
                assert torch.equal(put_together(tiles, whole.shape[1:]), whole)
        assert 0 < (whole - exact).square().mean().sqrt() < 0.5 / 255


@pytest.mark.parametrize("tile", [64, 768, 1500])
@pytest.mark.parametrize("shape", [(1024, 1024), (3000, 4000), (165, 9000), (1, 70000)])
def test_parts_that_are_encoded_fit_a_tile(shape, tile):
    """So memory is bounded; and what is around a part is little of the whole."""
    rows, columns = divided(shape, [3 * pixels for pixels in shape], tile)
    encoded = 0
    for row, column in product(rows, columns):
        height, width = (
            min(pixels, ceil((group.stop - group.start) / 3) + 2 * 26)
            for pixels, group in zip(shape, (row, column), strict=True)
        )
        encoded += height * width
        assert height * width <= max(tile + 64, 162 + 52) ** 2
    if tile >= 768 and min(shape) > 1000:
        assert encoded < 1.15 * shape[0] * shape[1]


def test_small_pictures_do_not_depend_on_who_looks_on(net):
    """Out of training, forward gives the same bits with gradients and without."""
    image = torch.rand(3, 40, 50)
    net.requires_grad_(True)
    watched = net(image[None], scale=2.3)[0].detach()
    tiles = net.tiles(image, scale=2.3, tile=64)
    assert_same(put_together(tiles, watched.shape[1:]), watched)


@pytest.mark.parametrize("kernel", ["cosine", "spline"])
def test_what_learns_computes_the_same(kernel):
    """In float32, by the fastest engine, as in float64: output and gradients."""
    net = SuperResolutionNet(8, 1, kernel=kernel)
    for parameter in net.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    images, made = torch.rand(2, 3, 9, 13), []
    for dtype in (torch.float32, torch.float64):
        given = images.to(dtype).requires_grad_()
        out = net.to(dtype)(given, scale=1.5, size=(17, 16))
        found = torch.autograd.grad(out.square().sum(), (given, *net.parameters()))
        made.append([one.float() for one in (out, *found)])
    torch.testing.assert_close(*made, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("members", [2, 8])
def test_an_ensemble_is_the_mean_over_turns(net, members):
    """Four quarter turns, the half turn first; then those of the mirrored picture."""
    image, scale, size = torch.rand(3, 170, 180), (2.1, 1.3), (357, 234)
    made = []
    for mirrored in (False, True):
        for quarters in (0, 2, 1, 3):
            laid = torch.rot90(
                image.flip(-1) if mirrored else image, quarters, (-2, -1)
            )
            out = net(laid[None], scale=scale[::-1] if quarters % 2 else scale)[0]
            out = torch.rot90(out, -quarters, (-2, -1))
            made.append(out.flip(-1) if mirrored else out)
    expected = torch.stack(made[:members]).mean(0)
    for tile in (100, 400):
        tiles = net.tiles(image, scale=scale, tile=tile, members=members)
        torch.testing.assert_close(put_together(tiles, size), expected)


def test_tiles_of_an_ensemble_agree_bit_for_bit(net):
    image, size = torch.rand(3, 170, 180), (357, 234)
    each = [
        put_together(net.tiles(image, size=size, tile=tile, members=2), size)
        for tile in (80, 1000)
    ]
    assert_same(*each)


def test_save_and_load(net, tmp_path):
    net.save(tmp_path / "net.safetensors")
    loaded = load(tmp_path / "net.safetensors")
    assert not loaded.training
    assert loaded.arguments == net.arguments
    for name, value in net.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float()), name
    images = torch.rand(1, 3, 9, 8)
    torch.testing.assert_close(
        loaded(images, scale=2), net(images, scale=2), atol=1e-2, rtol=0
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_weights_load(name):
    most = {"small": 100_000}.get(name, 300_000)
    assert sum(p.numel() for p in load(name).parameters()) <= most


def test_a_path_is_no_name():
    """A file that is called as weights that ship are is meant where it is a path."""
    with pytest.raises(WeightsError, match="no weights at photo"):
        load(Path("photo"))


@pytest.mark.parametrize("flipped", [100, -100])
def test_damaged_weights_are_refused(net, tmp_path, flipped):
    path = tmp_path / "net.safetensors"
    net.save(path)
    content = bytearray(path.read_bytes())
    content[flipped] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"damaged"):
        load(path)
    path.write_bytes(content[:5000])
    with pytest.raises(WeightsError, match=r"damaged"):
        load(path)


def test_other_files_are_refused(tmp_path):
    from contconv._files import hashed_safetensors

    with pytest.raises(WeightsError, match="there are no weights at"):
        load(tmp_path / "none.safetensors")
    path = tmp_path / "other.safetensors"
    hashed_safetensors.write(path, {"weight": torch.ones(2)}, {})
    with pytest.raises(WeightsError, match="holds no weights of SuperResolutionNet"):
        load(path)
    config = {"name": "SuperResolutionNet", "arguments": {"channels": 8, "depth": 3}}
    hashed_safetensors.write(
        path, {"weight": torch.ones(2)}, {"format": 1, "config": config}
    )
    with pytest.raises(WeightsError, match="of another version"):
        load(path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give a scale or a size, such as"),
        ({"scale": 0.5}, r"scale must be at least 1 on both axes, got 0.5 and 0.5"),
        ({"size": (8, 20)}, r"at least 1 on both axes, got 0.8 and 2"),
        ({"scale": 2, "size": 5}, "at least 1"),
        ({"scale": float("nan")}, "scale must be positive"),
    ],
)
def test_refuses(net, given, message):
    with pytest.raises(ValueError, match=message):
        net(torch.rand(1, 3, 10, 10), **given)
    with pytest.raises(ValueError, match=message):
        next(net.tiles(torch.rand(3, 10, 10), **given))


def test_refuses_other_images(net):
    with pytest.raises(TypeError, match="divide by 255"):
        net(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), scale=2)
    with pytest.raises(ValueError, match=r"\[n, 3, height, width\]"):
        net(torch.zeros(1, 1, 8, 8), scale=2)
    with pytest.raises(ValueError, match="tile must be at least 64 pixels, got 10"):
        list(net.tiles(torch.zeros(3, 80, 80), scale=2, tile=10))
    with pytest.raises(ValueError, match="members must be at least 1"):
        next(net.tiles(torch.zeros(3, 8, 8), scale=2, members=0))
    with pytest.raises(ValueError, match="members must be at most 8, got 9"):
        next(net.tiles(torch.zeros(3, 8, 8), scale=2, members=9))
    with pytest.raises(ValueError, match="kernel must be one of"):
        SuperResolutionNet(8, 1, kernel="mlp")

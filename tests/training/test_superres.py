"""Training to enlarge: aligned patches, any photographs, resumed bit for bit."""

import zipfile
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from contconv import resize
from contconv.models import SuperResolutionNet
from contconv.models.superres.network import load
from tests.training import command
from training.errors import CheckpointError, DataError
from training.superres.__main__ import main
from training.superres.crops import Crops
from training.superres.drawings import SIDE, drawings
from training.superres.fit import fit
from training.superres.photographs import Photographs, load_photographs
from training.superres.recipe import Recipe
from training.superres.reference import CubicError
from training.superres.start import beginning

EVERY = slice(None)


def waves(height: int = 130, width: int = 140) -> torch.Tensor:
    """A picture so smooth that its values are known between the pixels."""
    y, x = torch.arange(height)[:, None], torch.arange(width)[None]
    channels = [
        (y / 23).sin() + (x / 31).cos(),
        (x / 19 + y / 37).sin(),
        (y / 41 - x / 29).cos(),
    ]
    return (128 + 55 * torch.stack(channels)).to(torch.uint8)


def photographs(count: int = 4) -> Photographs:
    windows = waves(130, 250).unfold(2, 140, 20).unbind(2)
    return Photographs(tuple(windows[i].contiguous() for i in range(count)))


def small(**options) -> Recipe:
    options = {"epochs": 2, "steps": 4, "batch_size": 3, "patch": 12, **options}
    return Recipe(held_out=1, **options)


def test_pairs_show_the_same():
    """Resizing the small patch gives the large one, away from its border."""
    crops = Crops(photographs(), small(scales=(1.0, 4.0), patch=16))
    seen = set()
    for step in range(40):
        low, high = crops.batch(0, step, EVERY)
        assert low.shape == (3, 3, 16, 16)
        seen.add(tuple(high.shape[2:]))
        back = resize(low.float(), size=high.shape[2:])
        edge = [pixels // 8 for pixels in high.shape[2:]]
        inside = (..., slice(edge[0], -edge[0]), slice(edge[1], -edge[1]))
        # Half a pixel beside, the waves would differ by 3 grey levels and more.
        assert (back - high)[inside].abs().max() < 2
    assert len(seen) > 30
    assert any(height != width for height, width in seen)
    assert any(height == width for height, width in seen)


def test_small_patches_are_the_photograph_made_small():
    """At a scale of 2, where the grids of patch and photograph coincide."""
    image = waves(144, 144)
    crops = Crops(Photographs((image,)), small(scales=(2, 2), whole=True, patch=64))
    low, high = crops.batch(0, 0, EVERY)
    assert high.shape[2:] == (128, 128)
    for patch in low:
        assert min(_distances(patch, image)) <= 1


def _distances(patch, image):
    """How far a patch is from the nearest window of the image, by turn and parity."""
    for turned in (image, image.transpose(1, 2)):
        for flips in ([], [1], [2], [1, 2]):
            for top, left in ((0, 0), (0, 1), (1, 0), (1, 1)):
                seen = turned.flip(flips)[None, :, top : 142 + top, left : 142 + left]
                windows = resize(seen, scale=0.5).int()
                windows = windows.unfold(2, 64, 1).unfold(3, 64, 1)
                apart = (windows - patch[None, :, None, None].int()).abs()
                yield apart.amax((0, 1, 4, 5)).min()


def test_scales_beyond_the_highest():
    """Up to twice as high, with smaller patches; the pairs still show the same."""
    recipe = small(scales=(1.0, 3.0), patch=24, beyond=0.5, largest=72)
    crops, highest = Crops(photographs(), recipe), 0
    for step in range(20):
        low, high = crops.batch(0, step, EVERY)
        assert max(high.shape) <= 72
        highest = max(highest, high.shape[2] / low.shape[2])
        back = resize(low.float(), size=high.shape[2:])
        assert (back - high).abs()[..., 10:-10, 10:-10].max() < 2
    assert 4 < highest <= 6


def test_text_and_line_art():
    """The same from the same seed; some of the patches, and never both at once."""
    pages = drawings(2, seed=3)
    assert all(page.shape == (3, SIDE, SIDE) for page in pages)
    assert drawings(2, seed=3).digest() == pages.digest()
    assert drawings(1, seed=4).digest() != drawings(1, seed=3).digest()
    assert drawings(1, seed=3, held_out=True).digest() != drawings(1, seed=3).digest()
    black = Photographs((torch.zeros(3, 140, 140, dtype=torch.uint8),))
    white = Photographs((torch.full((3, 140, 140), 255, dtype=torch.uint8),))
    crops = Crops(black, small(drawn=0.25, batch_size=400, scales=(2, 2)), white)
    values = crops.batch(0, 0, EVERY)[1].float().mean((1, 2, 3))
    assert set(values.tolist()) == {0, 255}
    assert 60 < (values == 255).sum() < 140


def test_balanced_losses():
    """Of cubic resizing the balanced loss is the same at scales of 1.5 and more."""
    cubic = CubicError(photographs())
    assert cubic.at(1.5) == cubic.at(1) == 0.5 / 255  # so smooth that nothing is lost
    rough = Photographs((torch.randint(256, (3, 150, 150), dtype=torch.uint8),))
    noise = CubicError(rough)
    known = [noise.at(scale) for scale in (1.5, 2, 2.2, 3, 5, 8)]
    assert known == sorted(known) and known[0] < known[-1]
    assert noise.at(2) < noise.at(2.2) < noise.at(2.5)
    large = rough[0][None]
    back = resize(resize(large, scale=0.25).float(), size=150)[..., 3:147, 3:147]
    error = (back - large[..., 3:147, 3:147]).abs().mean().item() / 255
    assert noise.at(4) == pytest.approx(error, rel=0.05)


def test_the_average_is_tested_and_kept():
    """By hand: after each step, the average moves towards the parameters."""
    seen, average = [], None

    class Light(nn.Module):
        def __init__(self):
            super().__init__()
            self.light = nn.Parameter(torch.tensor(0.5))

        def forward(self, images, *, size):
            seen.append((self.training, self.light.item()))
            return resize(images, size=size, antialias=False) + self.light

    model = Light()
    recipe = small(steps=6, lr=0.05, ema=0.6)
    fit(model, photographs(), recipe, progress=False)
    learned = [light for training, light in seen if training]
    tested = [light for training, light in seen if not training]
    for steps, light in enumerate(learned[1:], 1):
        decay = min(0.6, (1 + steps) / (10 + steps))
        average = light if average is None else average
        average = decay * average + (1 - decay) * light
        if steps == 3:
            assert tested[0] == pytest.approx(average)
    assert model.light.item() == tested[-1] != learned[-1]


def test_what_is_drawn_depends_on_the_step_alone():
    crops, again = (Crops(photographs(), small()) for _ in range(2))
    again.batch(0, 0, EVERY)
    for first, second in zip(
        crops.batch(1, 3, EVERY), again.batch(1, 3, EVERY), strict=True
    ):
        assert torch.equal(first, second)
    parts = [crops.batch(1, 3, part)[0] for part in (slice(0, 1), slice(1, 3))]
    assert torch.equal(torch.cat(parts), crops.batch(1, 3, EVERY)[0])
    assert not torch.equal(crops.batch(1, 2, EVERY)[0], crops.batch(1, 3, EVERY)[0])


def test_photographs_from_folders_and_archives(tmp_path):
    image = Image.fromarray(waves(20, 30).permute(1, 2, 0).numpy())
    (tmp_path / "set" / "deep").mkdir(parents=True)
    image.save(tmp_path / "set" / "b.png")
    image.convert("L").save(tmp_path / "set" / "deep" / "a.png")
    (tmp_path / "set" / "notes.txt").write_text("no picture")
    found = load_photographs(tmp_path / "set")
    assert [tuple(one.shape) for one in found] == [(3, 20, 30)] * 2
    assert torch.equal(found[0], waves(20, 30))
    assert np.ptp(found[1].numpy(), axis=0).max() == 0
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("b.png", "deep/a.png"):
            archive.write(tmp_path / "set" / name, name)
    assert load_photographs(tmp_path / "set.zip").digest() == found.digest()


def test_bad_photographs(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load_photographs(tmp_path / "none")
    with pytest.raises(DataError, match="holds no photographs"):
        load_photographs(tmp_path)
    buffer = BytesIO()
    Image.fromarray(waves().permute(1, 2, 0).numpy()).save(buffer, "png")
    (tmp_path / "cut.png").write_bytes(buffer.getvalue()[:500])
    with pytest.raises(DataError, match=r"cut\.png .* is corrupt"):
        load_photographs(tmp_path)
    with pytest.raises(DataError, match="no bsd400 in"):
        load_photographs("bsd400", root=tmp_path)
    with pytest.raises(DataError, match="no photograph has 70 pixels on both sides"):
        Crops(Photographs((waves(60, 200),)), small(patch=13, scales=(1, 4)))
    with pytest.raises(DataError, match="there are 2 photographs, and 2 of them"):
        photographs(2).split(2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 5}, "steps must be a multiple of epochs, 2, got 5"),
        ({"scales": (0.5, 2)}, "scales must be two of at least 1"),
        ({"scales": (1, 2.5), "whole": True}, "scales must be whole numbers"),
        ({"patch": 4}, "patch must be at least 8"),
        (
            {"largest": 30},
            "largest must be at least 32, 8 small pixels at",
        ),
        ({"beyond": 0.1, "largest": 60}, "largest must be at least 64"),
        ({"beyond": 0.1, "whole": True}, "beyond must be 0 where scales are whole"),
        ({"drawn": 1}, "drawn must be at least 0 and below 1"),
        ({"ema": 1}, "ema must be at least 0 and below 1"),
        ({"fourier": -1}, "fourier must be finite and not negative"),
    ],
)
def test_bad_recipes(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


def test_it_learns():
    class Sharpen(nn.Module):
        """Too dark by a number that can be learned."""

        def __init__(self):
            super().__init__()
            self.light = nn.Parameter(torch.tensor(-0.2))

        def forward(self, images, *, size):
            return resize(images, size=size, antialias=False) + self.light

    model = Sharpen()
    recipe = small(steps=60, lr=0.02)
    history = fit(model, photographs(), recipe, progress=False)
    assert abs(model.light) < 0.01
    assert [record["epoch"] for record in history] == [0, 1]
    assert history[1]["loss"] < history[0]["loss"] < 0.2
    assert history[1]["psnr"] > 35


def test_workers_make_the_same():
    histories = []
    for workers in (0, 2):
        torch.manual_seed(0)
        net = SuperResolutionNet(4, 1)
        history = fit(net, photographs(), small(), workers=workers, progress=False)
        histories.append([(one["loss"], one["psnr"]) for one in history])
    assert histories[0] == histories[1]


@pytest.mark.parametrize(
    "options",
    [{}, {"ema": 0.9, "balanced": True, "fourier": 0.1, "drawn": 0.3, "beyond": 0.2}],
)
def test_resumes_bit_for_bit(tmp_path, options):
    recipe = small(steps=6, scales=(1, 2), **options)

    def trained(folder, stop=None):
        torch.manual_seed(0)
        net, sources = SuperResolutionNet(4, 1), photographs()
        if stop is not None:
            hook = _stopping(net, stop)
            with pytest.raises(InterruptedError):
                fit(net, sources, recipe, folder=folder, progress=False, save_every=1)
            hook.remove()
            net = SuperResolutionNet(4, 1)
        return fit(net, sources, recipe, folder=folder, resume=True, progress=False)

    trained(tmp_path / "whole")
    trained(tmp_path / "stopped", stop=5)
    command.assert_same(tmp_path / "stopped", tmp_path / "whole")
    with pytest.raises(CheckpointError, match="steps is 6 there, 8 here"):
        fit(
            SuperResolutionNet(4, 1),
            photographs(),
            small(steps=8, scales=(1, 2), **options),
            folder=tmp_path / "whole",
            resume=True,
        )


def _stopping(net, step):
    """Let the network fail at a step."""
    calls = iter(range(1000))

    def hook(module, inputs, output):
        if module.training and next(calls) == step:
            raise InterruptedError

    return net.register_forward_hook(hook)


def write(folder):
    """The photographs as files."""
    folder.mkdir()
    for i, image in enumerate(photographs()):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i}.png")
    return folder


@pytest.mark.slow
def test_torchrun(tmp_path):
    """Two processes share every batch: the losses are those of one, to rounding."""
    source = write(tmp_path / "set")
    options = "--channels 4 --blocks 1 --epochs 1 --steps 3 --batch-size 3 --patch 12"
    arguments = [source, *options.split(), "--held-out", 1, "--device", "cpu"]
    said = command.torchrun(
        [*arguments, "--out", tmp_path / "two", "--log-every", 1], "training.superres"
    )
    assert "2 processes" in said
    with pytest.raises(SystemExit):
        main([*map(str, arguments), "--out", str(tmp_path / "one"), "--log-every", "1"])
    found, expected = (command.losses(tmp_path / name) for name in ("two", "one"))
    assert [loss[:2] for loss in found] == [loss[:2] for loss in expected]
    for one, other in zip(found, expected, strict=True):
        assert one[2] == pytest.approx(other[2], rel=1e-4)


def test_begins_with_a_trained_network(tmp_path):
    """Deeper, it is the same function; another width is refused."""
    path = tmp_path / "net.safetensors"
    net = SuperResolutionNet(4, 3, refine_channels=5)
    net.save(path)
    images, own = torch.rand(1, 3, 9, 8), load(path)
    expected = own(images, scale=2.3)
    for blocks in (None, 3, 4, 7):
        deeper = beginning(path, blocks=blocks)
        assert len(deeper.encoder.blocks) == (blocks or 3)
        assert deeper.training
        torch.testing.assert_close(deeper.eval()(images, scale=2.3), expected)
        deeper(images, scale=2.3).square().sum().backward()
        known = [p.grad.abs().sum() > 0 for p in deeper.encoder.blocks.parameters()]
        assert sum(known) >= 2 * (blocks or 3) + 4
    with pytest.raises(ValueError, match=r"channels must be those of .*, 4, got 8"):
        beginning(path, 8)
    with pytest.raises(ValueError, match=r"blocks must be at least those .* 3, got 2"):
        beginning(path, blocks=2)
    with pytest.raises(ValueError, match="channels must be at least 1, got 0"):
        beginning(None, 0)
    with pytest.raises(DataError, match="there are no weights at"):
        beginning(tmp_path / "none.safetensors")


def test_the_command(tmp_path, capsys):
    def call(arguments):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        return str(stop.value.code)

    source = write(tmp_path / "set")
    weights = tmp_path / "net.safetensors"
    options = "--channels 4 --blocks 1 --epochs 1 --steps 2 --batch-size 2 --patch 12"
    arguments = [str(source), "--out", str(tmp_path / "run")]
    arguments += [*options.split(), "--held-out", "1", "--weights", str(weights)]
    call(arguments)
    assert "dB" in capsys.readouterr().out
    net = load(weights)
    assert net.arguments["channels"] == 4
    weights.unlink()
    call([*arguments, "--resume"])
    assert torch.equal(load(weights).encoder.first.weight, net.encoder.first.weight)
    assert "holds a training already" in call(arguments)

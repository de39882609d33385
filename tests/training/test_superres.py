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
from contconv.models.superres.trained import load
from tests.training import command
from tests.training.photographs import EVERY, photographs, small, waves, write
from training.errors import DataError
from training.superres.__main__ import main
from training.superres.crops import Crops
from training.superres.fit import fit
from training.superres.photographs import Photographs, load_photographs


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
        ({"targets": 2, "whole": True}, "targets must be 1 where scales are whole"),
        ({"targets": 0}, "targets must be at least 1"),
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


# On a machine with one core.
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
def test_workers_make_the_same():
    histories = []
    for workers in (0, 2):
        torch.manual_seed(0)
        net = SuperResolutionNet(4, 1)
        history = fit(net, photographs(), small(), workers=workers, progress=False)
        histories.append([(one["loss"], one["psnr"]) for one in history])
    assert histories[0] == histories[1]


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

"""What training to enlarge can do beyond the plain: each option, and resumed."""

import itertools
import signal
import subprocess
import sys
import time

import pytest
import torch
from torch import nn

from benchmarks.records import REPOSITORY
from contconv import resize
from contconv.models import SuperResolutionNet
from contconv.models.superres.trained import load
from tests.training import command
from tests.training.photographs import EVERY, photographs, small, write
from training import log
from training.errors import CheckpointError, DataError
from training.superres.crops import Crops
from training.superres.drawings import SIDE, drawings
from training.superres.fit import fit
from training.superres.kept import kept
from training.superres.photographs import Photographs
from training.superres.reference import CubicError
from training.superres.start import beginning
from training.superres.trainer import Trainer


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


def test_several_targets_of_a_small_patch():
    """The first mostly at the highest scale, others near it; all show the same."""
    recipe = small(scales=(1.0, 3.0), patch=20, beyond=0.3, largest=72, targets=3)
    crops, seen, highest = Crops(photographs(), recipe), [], 0
    for step in range(20):
        low, first, *others = crops.batch(0, step, EVERY)
        assert len(others) == 2
        for high in (first, *others):
            back = resize(low.float(), size=high.shape[2:])
            edge = [pixels // 6 for pixels in high.shape[2:]]
            inside = (..., slice(edge[0], -edge[0]), slice(edge[1], -edge[1]))
            assert (back - high)[inside].abs().max() < 2.5
            scales = [a / b for a, b in zip(high.shape[2:], low.shape[2:], strict=True)]
            assert all(1 <= scale <= 6 for scale in scales)
        highest += min(first.shape[2:]) >= 3 * low.shape[2]
        for most, *sides in zip(*(a.shape[2:] for a in (first, *others)), strict=True):
            assert all(max(low.shape[2], most / 1.6 - 1) <= s <= most for s in sides)
        seen += [tuple(other.shape[2:]) for other in others]
    assert 10 < highest < 20
    assert len(set(seen)) > 25


def test_the_loss_of_several_targets_is_their_mean():
    """Encoded once or each by itself: the same loss, the same gradient."""
    torch.manual_seed(0)
    net, recipe = SuperResolutionNet(4, 1), small(targets=3, scales=(1.0, 2.0))
    trainer = Trainer(net, photographs(), recipe, torch.device("cpu"))
    low, *highs = (one.float() / 255 for one in trainer._pairs.crops.batch(0, 0, EVERY))
    each = [(net(low, size=tuple(h.shape[2:])) - h).abs().mean() for h in highs]
    expected = torch.stack(each).mean()
    wanted = torch.autograd.grad(expected, list(net.parameters()))
    assert trainer.step(0, 0).item() == pytest.approx(expected.item(), rel=1e-5)
    for parameter, gradient in zip(net.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-6, rtol=1e-4)


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


def test_the_average_of_what_learns_later():
    """A part that the first steps do not use, as a pixel shuffle for each scale."""
    steps = itertools.count()

    class Late(nn.Module):
        def __init__(self):
            super().__init__()
            self.early = nn.Parameter(torch.tensor(0.5))
            self.late = nn.Parameter(torch.tensor(0.5))

        def forward(self, images, *, size):
            light = self.late if next(steps) % 3 == 2 else self.early
            return resize(images, size=size, antialias=False) + light

    model = Late()
    fit(model, photographs(), small(steps=6, lr=0.05, ema=0.6), progress=False)
    assert 0 < model.early.item() < 0.5 and 0 < model.late.item() < 0.5


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ema": 0.9, "balanced": True, "fourier": 0.1, "drawn": 0.3, "beyond": 0.2},
        {"targets": 2, "degraded": 0.5},
    ],
)
def test_resumes_bit_for_bit(tmp_path, monkeypatch, options):
    monkeypatch.setattr("training.superres.trainer.PAGES", 2)
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
        fit(net, sources, recipe, folder=folder, resume=True, progress=False)
        return net

    own = trained(tmp_path / "whole")
    net, steps = kept(tmp_path / "whole")
    assert steps == 6 and net.arguments["blocks"] == 1
    for name, value in own.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name
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

    return net.encoder.register_forward_hook(hook)


@pytest.mark.slow
def test_goes_on_after_sigkill(tmp_path):
    """The command, killed between two lines of its log, with all that is averaged."""
    source = write(tmp_path / "set")
    options = (
        "--channels 4 --blocks 1 --epochs 2 --steps 12 --batch-size 3 --patch 12 "
        "--scales 1 2 --held-out 1 --ema 0.9 --balanced --fourier 0.1 --degraded 0.5 "
        "--beyond 0.2 --log-every 1 --save-every 2 --device cpu"
    )
    run = [sys.executable, "-m", "training.superres", str(source), *options.split()]
    for name, kills in (("whole", ()), ("killed", (3, 8))):
        out, kept = tmp_path / name, tmp_path / f"{name}.safetensors"
        arguments = [*run, "--out", str(out), "--resume", "--weights", str(kept)]
        for steps in kills:
            process = subprocess.Popen(arguments, cwd=REPOSITORY)
            while process.poll() is None and _steps(out) < steps:
                time.sleep(0.005)
            process.kill()
            assert process.wait() == -signal.SIGKILL
        subprocess.run(arguments, cwd=REPOSITORY, check=True)
    command.assert_same(tmp_path / "killed", tmp_path / "whole")
    nets = [load(tmp_path / f"{name}.safetensors") for name in ("whole", "killed")]
    own, others = (net.state_dict() for net in nets)
    assert all(torch.equal(own[name], others[name]) for name in others)


def _steps(folder):
    lines = log.read(folder / log.NAME)
    return lines[-1]["steps"] if lines else 0


def test_begins_with_a_trained_network(tmp_path):
    """Larger, it is the same function, and learns; another width is refused."""
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
        gradients = [p.grad for p in deeper.encoder.blocks.parameters()]
        known = [grad is not None and bool(grad.any()) for grad in gradients]
        assert sum(known) >= 2 * (blocks or 3) + 4
    wider = beginning(path, blocks=4, refine_channels=7)
    assert wider.arguments["refine_channels"] == 7
    torch.testing.assert_close(wider.eval()(images, scale=2.3), expected)
    wider(images, scale=2.3).square().sum().backward()
    gradient = dict(wider.named_parameters())["refine.1.weight"].grad
    assert gradient is not None and all(each.any() for each in gradient.unbind(1))
    with pytest.raises(ValueError, match=r"channels must be those of .*, 4, got 8"):
        beginning(path, 8)
    with pytest.raises(ValueError, match=r"blocks must be at least those .* 3, got 2"):
        beginning(path, blocks=2)
    with pytest.raises(ValueError, match=r"refine_channels must be at .* 5, got 4"):
        beginning(path, refine_channels=4)
    with pytest.raises(ValueError, match="channels must be at least 1, got 0"):
        beginning(None, 0)
    with pytest.raises(DataError, match="there are no weights at"):
        beginning(tmp_path / "none.safetensors")

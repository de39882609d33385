"""One step of training a network that enlarges, and one test."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from contconv import resize
from contconv.metrics import psnr
from contconv.models import SuperResolutionNet
from training import processes
from training.averaging import Average
from training.batches import number
from training.optimizers import learning_rate, new_optimizer, set_learning_rate
from training.superres.crops import Crops
from training.superres.drawings import drawings
from training.superres.photographs import Photographs
from training.superres.recipe import Recipe
from training.superres.reference import CubicError

TESTED = (2, 3, 4)
TEST_SIDE = 144
# Pages of text and line art.
PAGES = 64
# At this scale, balanced losses are as they are.
_MIDDLE = 2.5


class Trainer:
    """A network, its optimizer and its photographs.

    Of several processes each takes its part of a batch; the gradient is that of the
    whole.

    Args:
        model: The network; it is moved to the device. If it has a method ``loss`` of
            small and large images, it learns from that, in one process only.
        photographs: To learn from, and to hold out.
        recipe: The setting.
        device: Where to compute.
        workers: Processes that make patches; this one does unless there are some.

    Raises:
        DataError: If the photographs are too few or too small.
        ValueError: If there are fewer patches in a batch than processes.
    """

    numbers = 1  # the loss

    def __init__(
        self,
        model: nn.Module,
        photographs: Photographs,
        recipe: Recipe,
        device: torch.device,
        workers: int = 0,
    ) -> None:
        self.model, self.recipe, self.device = model.to(device), recipe, device
        learned, self.held_out = photographs.split(recipe.held_out)
        self.steps = recipe.steps // recipe.epochs
        self.optimizer = new_optimizer(recipe, model)
        processes.check_shares(recipe.batch_size)
        own = processes.share(recipe.batch_size)
        pages = drawings(PAGES, seed=recipe.seed) if recipe.drawn else None
        crops = Crops(learned, recipe, pages)
        self._pairs = _Pairs(crops, own, self.steps, workers)
        self._cubic = CubicError(self.held_out) if recipe.balanced else None
        self.average = Average(self.optimizer, recipe.ema)
        self._parallel = processes.parallel(_AtSizes(self.model), device)

    def step(self, epoch: int, step: int) -> Tensor:
        """Learn from one batch; returns its loss."""
        recipe = self.recipe
        patches = self._pairs(epoch, step)
        small, *larges = (_floats(one, self.device) for one in patches)
        set_learning_rate(self.optimizer, self.learning_rate(epoch, step))
        self.model.train()
        # For networks that draw random numbers themselves.
        torch.manual_seed(number(recipe.seed, epoch, step, 2 + processes.rank()))
        self.optimizer.zero_grad()
        loss = self._loss(small, larges)
        # The gradient is averaged over processes, whose parts may differ in size.
        share = len(small) / recipe.batch_size
        (loss * (share * processes.count())).backward()
        self.optimizer.step()
        self.average.update(epoch * self.steps + step + 1)
        return processes.total((loss.detach() * share)[None])

    def _loss(self, small: Tensor, larges: list[Tensor]) -> Tensor:
        """The mean over the large patches; or what a network says that has its own."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.amp):
            if hasattr(self.model, "loss"):
                each = [self.model.loss(small, large) for large in larges]  # type: ignore
                return torch.stack(each).mean()
            made = self._parallel(small, [tuple(large.shape[2:]) for large in larges])
        pairs = zip(made, larges, strict=True)
        return torch.stack([self._error(small, *pair) for pair in pairs]).mean()

    def _error(self, small: Tensor, made: Tensor, large: Tensor) -> Tensor:
        """The mean absolute error, and what the recipe makes of it."""
        made = made.float()
        loss = (made - large).abs().mean()
        if self.recipe.fourier:
            loss = loss + self.recipe.fourier * _spectral(made - large)
        if self._cubic:
            scale = math.sqrt(large[0, 0].numel() / small[0, 0].numel())
            loss = loss * (self._cubic.at(_MIDDLE) / self._cubic.at(scale))
        return loss

    def learning_rate(self, epoch: int, step: int) -> float:
        """The learning rate of a step."""
        return learning_rate(self.recipe, epoch * self.steps + step, self.recipe.steps)

    def summary(self, sums: Sequence[float], steps: int) -> dict[str, float]:
        """The mean loss of so many steps."""
        return {"loss": sums[0] / steps}

    @torch.no_grad()
    def test(self) -> dict[str, float]:
        """PSNR of the held-out photographs' middles, enlarged by 2, 3 and 4; of Y."""
        self.model.eval()
        own = processes.share(len(self.held_out))
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        with self.average.applied():
            for image in self.held_out[own]:
                for factor in TESTED:
                    total += self._psnr(image, factor).sum()
        count = len(self.held_out) * len(TESTED)
        return {"psnr": processes.total(total).item() / count}

    def _psnr(self, image: Tensor, factor: int) -> Tensor:
        sides = [min(TEST_SIDE, side) // factor * factor for side in image.shape[1:]]
        tops = [(a - b) // 2 for a, b in zip(image.shape[1:], sides, strict=True)]
        large = image[None, :, tops[0] :, tops[1] :][..., : sides[0], : sides[1]]
        small = resize(large, size=[side // factor for side in sides])
        made = self.model(_floats(small, self.device), size=tuple(sides))
        made = (made.clamp(0, 1) * 255).round() / 255
        return psnr(made, _floats(large, self.device), shave=factor, luma=True)


class _AtSizes(nn.Module):
    """A network at several sizes of the same images, encoded once where it can be."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor, sizes: list[tuple[int, int]]) -> list[Tensor]:
        if len(sizes) > 1 and isinstance(self.model, SuperResolutionNet):
            features = self.model.encode(images)
            return [self.model.decode(features, images, size=s) for s in sizes]
        return [self.model(images, size=size) for size in sizes]


class _Pairs:
    """The batches one after the other, made by other processes if there are any."""

    def __init__(self, crops: Crops, part: slice, steps: int, workers: int) -> None:
        self.crops, self.part, self.steps, self.workers = crops, part, steps, workers
        self._next, self._loaded = (-1, -1), iter(())

    def __call__(self, epoch: int, step: int) -> tuple[Tensor, ...]:
        if not self.workers:
            return self.crops.batch(epoch, step, self.part)
        if self._next != (epoch, step):
            self._loaded = self._loader(epoch, step)
        self._next = (epoch, step + 1)
        return next(self._loaded)

    def _loader(self, epoch: int, step: int) -> Iterator[Any]:
        batches = _Batches(self.crops, epoch, self.part)
        left = range(step, self.steps)
        workers = self.workers
        return iter(
            DataLoader(batches, batch_size=None, sampler=left, num_workers=workers)
        )


class _Batches(Dataset):
    """The batches of an epoch by their numbers."""

    def __init__(self, crops: Crops, epoch: int, part: slice) -> None:
        self.crops, self.epoch, self.part = crops, epoch, part

    def __getitem__(self, step: int) -> tuple[Tensor, ...]:
        return self.crops.batch(self.epoch, step, self.part)


def _spectral(errors: Tensor) -> Tensor:
    """The mean absolute value of the parts of the errors' spectra."""
    return torch.view_as_real(torch.fft.rfft2(errors, norm="ortho")).abs().mean()


def _floats(images: Tensor, device: torch.device) -> Tensor:
    """Values in 0..1, the channels of a pixel together in memory."""
    images = images.to(device, memory_format=torch.channels_last)
    return images.float().div_(255)

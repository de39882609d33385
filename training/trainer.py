"""One step of training, and one test."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from contconv.models.schedules import jittered
from contconv.nn.ensemble import scales_of, using_scales
from training import processes
from training.batches import Batches, Normalized, chance, number
from training.data import ImageSets
from training.optimizers import learning_rate, new_optimizer
from training.recipe import Recipe

TEST_BATCH = 256


class Trainer:
    """A network, its optimizer and its images.

    Of several processes each takes its part of a batch; the gradient is that of the
    whole.

    Args:
        model: The network; it is moved to the device.
        sets: Images to learn from and to test on.
        recipe: The setting.
        device: Where to compute.

    Raises:
        ValueError: If there are fewer images in a batch than processes, or scales
            should change where there are none.
    """

    def __init__(
        self, model: nn.Module, sets: ImageSets, recipe: Recipe, device: torch.device
    ) -> None:
        self.model, self.recipe, self.device = model.to(device), recipe, device
        train = Normalized(sets.train, sets.train, device)
        self.test_images = Normalized(sets.test, sets.train, device)
        self.batches = Batches(
            train, recipe.batch_size, seed=recipe.seed, augment=recipe.augment
        )
        self.steps, self.classes = len(self.batches), len(sets.classes)
        self.optimizer = new_optimizer(recipe, model)
        self._check()
        self._parallel = _parallel(self.model, device)

    def step(self, epoch: int, step: int) -> Tensor:
        """Learn from one batch.

        Returns:
            The loss of the batch, and how many of its images were classified right.
        """
        recipe, size = self.recipe, self.batches.size
        own = processes.share(size)
        images, labels = self.batches.batch(epoch, step, own)
        self._set_learning_rate(epoch, step)
        self.model.train()
        # For networks that draw random numbers themselves, as dropout does.
        torch.manual_seed(number(recipe.seed, epoch, step, 2 + processes.rank()))
        self.optimizer.zero_grad()
        with self._jitter(epoch, step):
            logits = self._logits(images)
            loss = cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
            # The gradient is averaged over processes, whose parts may differ in size.
            (loss * (len(labels) * processes.count() / size)).backward()
        self.optimizer.step()
        right = (logits.argmax(1) == labels).sum().float()
        loss = loss.detach() * (len(labels) / size)
        return processes.total(torch.stack([loss, right]))

    @torch.no_grad()
    def test(self) -> float:
        """The share of the test images that are classified right."""
        self.model.eval()
        own = processes.share(len(self.test_images))
        right = torch.zeros((), dtype=torch.int64, device=self.device)
        for images, labels in self.test_images.parts(TEST_BATCH, own.start, own.stop):
            right += (self.model(images).argmax(1) == labels).sum()
        return processes.total(right).item() / len(self.test_images)

    def _logits(self, images: Tensor) -> Tensor:
        kind = images.device.type
        with torch.autocast(kind, torch.bfloat16, enabled=self.recipe.amp):
            logits = self._parallel(images).float()
        if logits.shape[1:] != (self.classes,):
            raise ValueError(
                f"model must give one logit for each of the {self.classes} classes, "
                f"[n, {self.classes}], got {list(logits.shape)}"
            )
        return logits

    def learning_rate(self, epoch: int, step: int) -> float:
        """The learning rate of a step."""
        steps = self.steps * self.recipe.epochs
        return learning_rate(self.recipe, epoch * self.steps + step, steps)

    def _set_learning_rate(self, epoch: int, step: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(epoch, step)

    def _jitter(self, epoch: int, step: int) -> AbstractContextManager[Any]:
        """Other scales for the continuous layers of the network, for one step."""
        if self.recipe.jitter == 0:
            return nullcontext()
        draw = chance(self.recipe.seed, epoch, step, 1)
        sequence = jittered(scales_of(self.model), self.recipe.jitter, generator=draw)
        return using_scales(self.model, sequence)

    def _check(self) -> None:
        if self.batches.size < processes.count():
            raise ValueError(
                f"a batch has {self.batches.size} images, fewer than the "
                f"{processes.count()} processes; take larger batches"
            )
        if self.recipe.jitter and not scales_of(self.model):
            raise ValueError(
                "jitter changes the scales of continuous layers, and the network has "
                "none; set jitter to 0"
            )


def _parallel(model: nn.Module, device: torch.device) -> nn.Module:
    """The network, with gradients averaged over all processes."""
    if processes.count() == 1:
        return model
    devices = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=devices)

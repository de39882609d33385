"""One step of training, and one test."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from contconv.nn.scales import scales_of, using_scales
from contconv.nn.schedules import jittered
from training import processes
from training.batches import Batches, Normalized, chance, number
from training.data import ImageSets
from training.optimizers import learning_rate, new_optimizer, set_learning_rate
from training.recipe import Recipe
from training.whitening import whiten

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

    numbers = 2  # the loss, and how many images were classified right

    def __init__(
        self, model: nn.Module, sets: ImageSets, recipe: Recipe, device: torch.device
    ) -> None:
        # Channels last, which is the faster layout; PyTorch's types do not know it.
        self.model = model.to(device).to(memory_format=torch.channels_last)  # type: ignore
        self.recipe, self.device = recipe, device
        train = Normalized(sets.train, sets.train, device)
        self.test_images = Normalized(sets.test, sets.train, device)
        self.batches = Batches(
            train,
            recipe.batch_size,
            seed=recipe.seed,
            augment=recipe.augment,
            shift=recipe.shift,
            flips=recipe.flips,
        )
        if recipe.whiten:
            whiten(model, train)
        self.steps, self.classes = len(self.batches), len(sets.classes)
        self.optimizer = new_optimizer(recipe, model)
        self._check()
        self._parallel = processes.parallel(self.model, device)

    def step(self, epoch: int, step: int) -> Tensor:
        """Learn from one batch.

        Returns:
            The loss of the batch, and how many of its images were classified right.
        """
        recipe, size = self.recipe, self.batches.size
        own = processes.share(size)
        images, labels = self.batches.batch(epoch, step, own)
        set_learning_rate(self.optimizer, self.learning_rate(epoch, step))
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

    def summary(self, sums: Sequence[float], steps: int) -> dict[str, float]:
        """Loss and accuracy of so many steps, while learning."""
        loss, right = sums
        seen = steps * self.batches.size
        return {"loss": loss / steps, "train_accuracy": int(right) / seen}

    @torch.no_grad()
    def test(self) -> dict[str, float]:
        """The share of the test images that are classified right."""
        self.model.eval()
        own = processes.share(len(self.test_images))
        right = torch.zeros((), dtype=torch.int64, device=self.device)
        for images, labels in self.test_images.parts(TEST_BATCH, own.start, own.stop):
            right += (self._tested(images).argmax(1) == labels).sum()
        return {"test_accuracy": processes.total(right).item() / len(self.test_images)}

    def _tested(self, images: Tensor) -> Tensor:
        """What the network says of test images."""
        with self._autocast(images):
            logits = self.model(images)
            if self.recipe.test_mirrored:
                logits = logits + self.model(images.flip(3))
        return logits

    def _autocast(self, images: Tensor) -> torch.autocast:
        kind, amp = images.device.type, self.recipe.amp
        return torch.autocast(kind, torch.bfloat16, enabled=amp)

    def _logits(self, images: Tensor) -> Tensor:
        with self._autocast(images):
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

    def _jitter(self, epoch: int, step: int) -> AbstractContextManager[Any]:
        """Other scales for the continuous layers of the network, for one step."""
        if self.recipe.jitter == 0:
            return nullcontext()
        draw = chance(self.recipe.seed, epoch, step, 1)
        sequence = jittered(scales_of(self.model), self.recipe.jitter, generator=draw)
        return using_scales(self.model, sequence)

    def _check(self) -> None:
        processes.check_shares(self.batches.size)
        if self.recipe.jitter and not scales_of(self.model):
            raise ValueError(
                "jitter changes the scales of continuous layers, and the network has "
                "none; set jitter to 0"
            )

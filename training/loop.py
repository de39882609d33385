"""The training loop of a classifier."""

import math
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training import processes
from training.data import ImageSets
from training.keeper import Keeper
from training.position import Position
from training.recipe import Recipe as Recipe
from training.reports import Reports
from training.signals import Request, Stopped, listening
from training.trainer import Trainer


def fit(
    model: nn.Module,
    sets: ImageSets,
    recipe: Recipe,
    *,
    folder: Path | None = None,
    resume: bool = False,
    device: str | torch.device = "cpu",
    progress: bool = True,
    tensorboard: bool = False,
    save_every: int = 500,
    log_every: int = 50,
) -> list[dict[str, Any]]:
    """Train a classifier.

    Every random number comes from the recipe's seed, the epoch and the step. So torch's
    default generator is seeded anew at every step; the initial weights are the caller's
    affair. Under `torchrun`, call it in `training.processes.started`.

    Args:
        model: Maps images, ``[n, channels, height, width]``, to logits, ``[n,
            classes]``. It is trained in place, and moved to the device.
        sets: Images to learn from and to test on.
        recipe: The setting.
        folder: Where log and checkpoints go; nothing is written unless given. With it,
            SIGTERM and SIGINT (Ctrl-C) end the training after the step that it is in,
            and save it.
        resume: Whether to go on from the newest checkpoint in the folder; where there
            is none, the training begins anew.
        device: Where to compute.
        progress: Whether to show a bar.
        tensorboard: Whether to write for TensorBoard, too.
        save_every: Steps from one checkpoint to the next; one comes after each epoch.
        log_every: Steps from one line of the log to the next.

    Returns:
        For each epoch: ``epoch`` (from 0), ``loss`` and ``train_accuracy`` (of its
        steps, while learning), ``test_accuracy``, ``seconds``.

    Raises:
        CheckpointError: If the folder's checkpoint is damaged, or of another network,
            recipe or data set, or there is one and ``resume`` is not set.
        FloatingPointError: If the loss is no longer finite.
        ModuleNotFoundError: If TensorBoard is wanted and not installed.
        Stopped: After a signal; a `SystemExit`, with code 143 after SIGTERM.
        ValueError: If the network does not fit the recipe or the images.
    """
    trainer = Trainer(model, sets, recipe, torch.device(device))
    keeper = Keeper(folder, model, trainer.optimizer, recipe, sets, save_every)
    position = keeper.begin(trainer.steps, resume=resume)
    reports = Reports(
        folder, position, recipe.epochs, progress=progress, tensorboard=tensorboard
    )
    with reports, listening(folder is not None) as request:
        loop = _Loop(trainer, keeper, reports, request, position, log_every)
        loop.start()
        while position.epoch < recipe.epochs:
            loop.epoch()
    return position.history


class _Loop:
    """A training on its way."""

    def __init__(
        self,
        trainer: Trainer,
        keeper: Keeper,
        reports: Reports,
        request: Request,
        position: Position,
        log_every: int,
    ) -> None:
        self.trainer, self.keeper, self.reports = trainer, keeper, reports
        self.request, self.position, self.log_every = request, position, log_every
        self.begun = time.perf_counter() - position.seconds
        self.sums = torch.tensor(position.sums, device=trainer.device)

    def start(self) -> None:
        """Tell with what the training begins."""
        self.reports.write(
            "start",
            steps=self.position.done,
            recipe=asdict(self.trainer.recipe),
            device=str(self.trainer.device),
            processes=processes.count(),
            threads=torch.get_num_threads(),
            torch=torch.__version__,
        )

    def epoch(self) -> None:
        """Take the steps of an epoch that are left, test, and save."""
        position = self.position
        while position.step < position.steps:
            result = self.trainer.step(position.epoch, position.step)
            self.sums += result
            position.step += 1
            self.reports.advance()
            if position.step % self.log_every == 0:
                self._log(result)
            self._save_or_stop()
        self._test()
        self.keeper.save(position)

    def _log(self, result: Tensor) -> None:
        position = self.position
        self.reports.write(
            "step",
            epoch=position.epoch,
            steps=position.done,
            loss=self._finite(result[0].item()),
            lr=self.trainer.learning_rate(position.epoch, position.step - 1),
        )

    def _save_or_stop(self) -> None:
        stop = processes.most(self.request.signal or 0, self.trainer.device)
        if not (stop or self.keeper.due(self.position)):
            return
        self._note()
        self.keeper.save(self.position)
        if stop:
            self._stop(stop)

    def _stop(self, number: int) -> None:
        name, done = signal.Signals(number).name, self.position.done
        if processes.rank() == 0:
            print(
                f"stopped by {name} after step {done}; saved in {self.keeper.folder}: "
                "resume it from there",
                file=sys.stderr,
            )
        raise Stopped(number)

    def _test(self) -> None:
        """End an epoch."""
        position, trainer = self.position, self.trainer
        accuracy = trainer.test()
        self._note()
        loss, right = position.sums
        record = {
            "epoch": position.epoch,
            "loss": self._finite(loss / position.steps),
            "train_accuracy": int(right) / (position.steps * trainer.batches.size),
            "test_accuracy": accuracy,
            "seconds": position.seconds,
        }
        self.reports.write("epoch", steps=position.done, **record)
        position.end_epoch(record)
        self.sums.zero_()
        self.begun = time.perf_counter()

    def _note(self) -> None:
        """Note sums and time, which the device and the clock keep."""
        loss, right = self.sums.tolist()
        self.position.sums = (loss, right)
        self.position.seconds = time.perf_counter() - self.begun

    def _finite(self, loss: float) -> float:
        if math.isfinite(loss):
            return loss
        raise FloatingPointError(
            f"the loss is {loss} in epoch {self.position.epoch}; lower lr, "
            f"{self.trainer.recipe.lr}, or raise warmup, {self.trainer.recipe.warmup}"
        )

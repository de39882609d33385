"""The training loop, whatever is learned."""

import math
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training import processes
from training.checkpointer import Checkpointer
from training.identity import Data
from training.progress import Progress
from training.reports import Reports
from training.signals import Request, Stopped, listening
from training.task import Task


def run(
    task: Task,
    data: Data,
    *,
    folder: Path | None,
    resume: bool,
    progress: bool,
    tensorboard: bool,
    save_every: int,
    log_every: int,
) -> list[dict[str, Any]]:
    """Train, as the two `fit` say, and return their records of each epoch."""
    recipe = task.recipe
    keeper = Checkpointer(folder, task.model, task.optimizer, recipe, data, save_every)
    position = keeper.begin(task.steps, resume=resume)
    reports = Reports(
        folder, position, recipe.epochs, progress=progress, tensorboard=tensorboard
    )
    with reports, listening(folder is not None) as request:
        _Run(task, keeper, reports, request, position, log_every).finish()
    return position.history


class _Run:
    """A training on its way.

    Args:
        task: What is learned, step by step.
        keeper: Saves it.
        reports: Tell of it.
        request: Whether it should stop.
        position: Where it begins.
        log_every: Steps from one line of the log to the next.
    """

    def __init__(
        self,
        task: Task,
        keeper: Checkpointer,
        reports: Reports,
        request: Request,
        position: Progress,
        log_every: int,
    ) -> None:
        self.task, self.keeper, self.reports = task, keeper, reports
        self.request, self.position, self.log_every = request, position, log_every
        self.begun = time.perf_counter() - position.seconds
        sums = position.sums or (0.0,) * task.numbers
        self.sums = torch.tensor(sums, device=task.device)

    def finish(self) -> None:
        """Take all steps that are left."""
        self._start()
        while self.position.epoch < self.task.recipe.epochs:
            self._epoch()

    def _start(self) -> None:
        """Tell with what the training begins."""
        self.reports.write(
            "start",
            steps=self.position.done,
            recipe=asdict(self.task.recipe),
            device=str(self.task.device),
            processes=processes.count(),
            threads=torch.get_num_threads(),
            torch=torch.__version__,
        )

    def _epoch(self) -> None:
        """Take the steps of an epoch that are left, test, and save."""
        position = self.position
        while position.step < position.steps:
            result = self.task.step(position.epoch, position.step)
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
            lr=self.task.learning_rate(position.epoch, position.step - 1),
        )

    def _save_or_stop(self) -> None:
        stop = processes.all_max(self.request.signal or 0, self.task.device)
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
        position, task = self.position, self.task
        tested = task.test()
        self._note()
        learned = task.summary(position.sums, position.steps)
        self._finite(learned["loss"])
        seconds = {"seconds": position.seconds}
        record = {"epoch": position.epoch, **learned, **tested, **seconds}
        self.reports.write("epoch", steps=position.done, **record)
        position.end_epoch(record)
        self.sums.zero_()
        self.begun = time.perf_counter()

    def _note(self) -> None:
        """Note sums and time, which the device and the clock keep."""
        self.position.sums = tuple(self.sums.tolist())
        self.position.seconds = time.perf_counter() - self.begun

    def _finite(self, loss: float) -> float:
        if math.isfinite(loss):
            return loss
        raise FloatingPointError(
            f"the loss is {loss} in epoch {self.position.epoch}; lower lr, "
            f"{self.task.recipe.lr}, or raise warmup, {self.task.recipe.warmup}"
        )

"""Train a classifier."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.data import ImageSets
from training.recipe import Recipe as Recipe
from training.run import run
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
    return run(
        Trainer(model, sets, recipe, torch.device(device)),
        sets,
        folder=folder,
        resume=resume,
        progress=progress,
        tensorboard=tensorboard,
        save_every=save_every,
        log_every=log_every,
    )

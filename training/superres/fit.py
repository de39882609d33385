"""Train a network that enlarges."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.run import run
from training.superres.photographs import Photographs
from training.superres.recipe import Recipe
from training.superres.trainer import Trainer


def fit(
    model: nn.Module,
    photographs: Photographs,
    recipe: Recipe,
    *,
    folder: Path | None = None,
    resume: bool = False,
    device: str | torch.device = "cpu",
    workers: int = 0,
    progress: bool = True,
    tensorboard: bool = False,
    save_every: int = 500,
    log_every: int = 50,
) -> list[dict[str, Any]]:
    """Train a network that enlarges.

    Args:
        model: Maps images, ``[n, 3, h, w]`` with values in 0..1, and ``size=(height,
            width)`` to enlarged ones. It is trained in place, and moved to the device.
        photographs: To learn from; some are held out and tested on.
        recipe: The setting.
        folder: Where log and checkpoints go; nothing is written unless given. With it,
            SIGTERM and SIGINT (Ctrl-C) end the training after the step that it is in,
            and save it.
        resume: Whether to go on from the newest checkpoint in the folder; where there
            is none, the training begins anew.
        device: Where to compute.
        workers: Processes that make patches, beside this one.
        progress: Whether to show a bar.
        tensorboard: Whether to write for TensorBoard, too.
        save_every: Steps from one checkpoint to the next; one comes after each epoch.
        log_every: Steps from one line of the log to the next.

    Returns:
        For each epoch: ``epoch`` (from 0), ``loss`` (the mean absolute error of values
        in 0..1, or what the recipe makes of it), ``psnr`` (in dB: of the held-out
        photographs, at scales of 2, 3 and 4, luma, 8 bits), ``seconds``.

    Raises:
        CheckpointError, FloatingPointError, ModuleNotFoundError, Stopped, ValueError:
            As `training.loop.fit`.
        DataError: If the photographs are too few or too small.
    """
    trainer = Trainer(model, photographs, recipe, torch.device(device), workers)
    history = run(
        trainer,
        photographs,
        folder=folder,
        resume=resume,
        progress=progress,
        tensorboard=tensorboard,
        save_every=save_every,
        log_every=log_every,
    )
    trainer.average.apply()
    return history

"""Saves a training now and then, and finds what was saved."""

from pathlib import Path

from torch import nn
from torch.optim import Optimizer

from training import checkpoints, processes
from training.errors import CheckpointError
from training.identity import Data, identity
from training.progress import Progress
from training.recipe import Optimization


class Checkpointer:
    """Keeps a training in a folder; in none, it keeps nothing.

    Args:
        folder: Where checkpoints lie.
        model: The network.
        optimizer: Its optimizer.
        recipe: The setting.
        data: What it learns from.
        every: Steps from one checkpoint to the next.
    """

    def __init__(
        self,
        folder: Path | None,
        model: nn.Module,
        optimizer: Optimizer,
        recipe: Optimization,
        data: Data,
        every: int,
    ) -> None:
        self.folder, self.every = folder, every
        self.model, self.optimizer = model, optimizer
        if folder:
            self.identity = identity(model, recipe, data)
            self._tidy(folder)

    def begin(self, steps: int, *, resume: bool) -> Progress:
        """Where a training of so many steps an epoch begins: anew, or further on.

        Raises:
            CheckpointError: If the checkpoint cannot be used, or there is one and the
                training should begin anew.
        """
        found = checkpoints.newest(self.folder) if self.folder else None
        if not (found and self.folder):
            return Progress(steps)
        if not resume:
            raise CheckpointError(
                f"{self.folder} holds a training already; resume it, or choose another "
                "folder"
            )
        return checkpoints.restore(
            self.folder, self.model, self.optimizer, self.identity
        )

    def due(self, position: Progress) -> bool:
        """Whether it is time to save, in the middle of an epoch."""
        return self.folder is not None and position.step % self.every == 0

    def save(self, position: Progress) -> None:
        """Write a checkpoint, in the first process; all go on when it is there."""
        if self.folder and processes.rank() == 0:
            checkpoints.save(
                self.folder, self.model, self.optimizer, position, self.identity
            )
        processes.barrier()

    def _tidy(self, folder: Path) -> None:
        """Remove what a process that was killed while it wrote has left."""
        if processes.rank() == 0:
            for partial in folder.glob("*.partial"):
                partial.unlink()

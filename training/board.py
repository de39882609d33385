"""A training on TensorBoard, if it is installed."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

SHOWN = ("loss", "lr", "train_accuracy", "test_accuracy", "psnr")


class Board:
    """Writes events that ``tensorboard --logdir FOLDER`` shows.

    Args:
        folder: Where the events go.
        done: Steps that are complete; events of later ones are hidden.

    Raises:
        ModuleNotFoundError: If tensorboard is not installed.
    """

    def __init__(self, folder: Path, *, done: int) -> None:
        if find_spec("tensorboard") is None:
            raise ModuleNotFoundError(
                "tensorboard is not installed; install it with 'pip install "
                "tensorboard', or train without it: the log has the same numbers"
            )
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=done + 1)

    def write(self, kind: str, record: dict[str, Any]) -> None:
        """Draw the numbers of a step or of an epoch, over steps."""
        for name in SHOWN:
            if name in record:
                self._writer.add_scalar(f"{kind}/{name}", record[name], record["steps"])

    def close(self) -> None:
        """Write what is still to be written."""
        self._writer.close()

"""A training on the screen: a bar, and a line for each epoch."""

from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from training import progress

COLUMNS = (
    TextColumn("epoch {task.fields[epoch]}"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("steps, loss {task.fields[loss]}"),
    TimeElapsedColumn(),
    TextColumn("left"),
    TimeRemainingColumn(),
)

_FORMS = {
    "loss": "loss {:.4f}",
    "train_accuracy": "accuracy {:.2%} training",
    "test_accuracy": "{:.2%} test",
    "psnr": "{:.2f} dB",
    "seconds": "{:.1f} s",
}


class Screen:
    """A bar over all steps.

    Args:
        position: Where the training begins.
        epochs: Epochs in all.
    """

    def __init__(self, position: progress.Progress, epochs: int) -> None:
        self._epochs, self._progress = epochs, Progress(*COLUMNS)
        self._task = self._progress.add_task(
            "",
            total=position.steps * epochs,
            completed=position.done,
            epoch=position.epoch + 1,
            loss="",
        )
        self._progress.start()

    def advance(self) -> None:
        """One more step is complete."""
        self._progress.advance(self._task)

    def write(self, kind: str, record: dict[str, Any]) -> None:
        """Show a start, a step's loss, or what an epoch came to."""
        if kind == "step":
            self._progress.update(
                self._task, epoch=record["epoch"] + 1, loss=f"{record['loss']:.4g}"
            )
        else:
            text = _start(record) if kind == "start" else _epoch(record, self._epochs)
            self._progress.console.print(text, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._progress.stop()


def _start(record: dict[str, Any]) -> str:
    begun = f"going on after step {record['steps']}" if record["steps"] else "training"
    number = record["processes"]
    plural = "process" if number == 1 else "processes"
    return f"{begun} on {record['device']}, {number} {plural}"


def _epoch(record: dict[str, Any], epochs: int) -> str:
    said = [
        form.format(record[name]) for name, form in _FORMS.items() if name in record
    ]
    return f"epoch {record['epoch'] + 1} of {epochs}: " + ", ".join(said)

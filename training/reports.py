"""Tell how a training goes: on the screen, in the log, on TensorBoard."""

from pathlib import Path
from typing import Any, Protocol, Self

from training import processes
from training.board import Board
from training.log import NAME, JsonLines
from training.progress import Progress
from training.screen import Screen


class _Report(Protocol):
    """Somewhere to write."""

    def write(self, kind: str, record: dict[str, Any]) -> None: ...
    def close(self) -> None: ...


class Reports:
    """Every report of a training; of several processes, the first one reports.

    Args:
        folder: Where the log goes, and what TensorBoard shows; neither unless given.
        position: Where the training begins.
        epochs: Epochs in all.
        progress: Whether to show a bar.
        tensorboard: Whether to write for TensorBoard.
    """

    def __init__(
        self,
        folder: Path | None,
        position: Progress,
        epochs: int,
        *,
        progress: bool,
        tensorboard: bool,
    ) -> None:
        self._reports: list[_Report] = []
        self._screen = None
        if processes.rank() > 0:
            return
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            if tensorboard:
                self._reports.append(Board(folder, done=position.done))
            self._reports.append(JsonLines(folder / NAME, position))
        if progress:
            self._screen = Screen(position, epochs)
            self._reports.append(self._screen)

    def advance(self) -> None:
        """One more step is complete."""
        if self._screen:
            self._screen.advance()

    def write(self, kind: str, **record: Any) -> None:
        """Tell of a start, a step, or an epoch."""
        for report in self._reports:
            report.write(kind, record)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        for report in reversed(self._reports):
            report.close()

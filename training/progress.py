"""How far a training has come."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """Where in a training the next step is, and what has been seen so far.

    Attributes:
        steps: How many steps an epoch has.
        epoch: The epoch that the next step belongs to, from 0.
        step: Its number in the epoch, from 0.
        sums: What the steps of the epoch returned, summed; nothing yet if empty.
        seconds: Time that the epoch has taken.
        history: A record of each epoch that is complete.
    """

    steps: int
    epoch: int = 0
    step: int = 0
    sums: tuple[float, ...] = ()
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many steps are complete."""
        return self.epoch * self.steps + self.step

    def end_epoch(self, record: dict[str, Any]) -> None:
        """Go on to the next epoch."""
        self.history.append(record)
        self.epoch, self.step = self.epoch + 1, 0
        self.sums, self.seconds = (), 0.0

"""Stop in good order when the system asks for it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Request:
    """Whether the process has been asked to stop, and by which signal."""

    signal: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.signal = number


class Stopped(SystemExit):
    """A signal stopped the training, after the step that it was in; it is saved.

    Uncaught, it ends the process with the code that shells give to that signal.

    Args:
        signal: The number of the signal.
    """

    def __init__(self, signal: int) -> None:
        super().__init__(128 + signal)


@contextmanager
def listening(wanted: bool) -> Iterator[Request]:
    """Catch the signals for a while, in the main thread; elsewhere nothing can."""
    request = Request()
    if not (wanted and threading.current_thread() is threading.main_thread()):
        yield request
        return
    before = {number: signal.signal(number, request) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Processes of `torchrun` end together, or one that failed would end all."""

import os
import time
from contextlib import suppress

# Seconds between two looks at who has come.
_PAUSE = 0.2


def meet(count: int) -> None:
    """Wait until so many processes have come here, if `torchrun` started them.

    As soon as one ends with another exit code than 0, it stops the others, whatever
    they have still to do. A counter in its store is enough: no process group is made.
    """
    if count == 1 or "TORCHELASTIC_RUN_ID" not in os.environ:
        return
    from torch.distributed.rendezvous import rendezvous

    with suppress(RuntimeError):  # the store has gone, and with it whom to wait for
        store, _, _ = next(rendezvous("env://"))
        store.add("ended", 1)
        while store.add("ended", 0) < count:
            time.sleep(_PAUSE)

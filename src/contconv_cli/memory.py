"""Memory that the process keeps, where it would be asked for again at once."""

import ctypes
import platform

# Of glibc's mallopt.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_ALL = 2**30


def keep() -> None:
    """Let malloc keep what is freed.

    Else each large tensor is given back to the operating system, and the next one is
    asked for page by page, which takes as long as computing it does. Only glibc can be
    told so.
    """
    if platform.libc_ver()[0] == "glibc":
        own = ctypes.CDLL(None)
        for option in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            own.mallopt(option, _ALL)

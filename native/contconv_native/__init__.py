"""The library behind contconv's engine ``native``: where it is, and how it is loaded.

Importing this loads nothing; `load` does, once.
"""

import ctypes
import os
from pathlib import Path
from threading import Lock

__all__ = ["VARIABLE", "compiled_sets", "instruction_set", "load", "path"]

__version__ = "0.2.0.dev0"

# The arguments of the operators: contconv takes a library with the one that it knows.
INTERFACE = 3

# The environment variable that names the instruction set to use.
VARIABLE = "CONTCONV_NATIVE_ISA"

_lock = Lock()
_library: ctypes.CDLL | None = None


def path() -> Path:
    """Where the shared library is."""
    return Path(__file__).with_name("libcontconv_native.so")


def load() -> None:
    """Load the library: ``torch.ops.contconv_native`` is there from now on.

    Raises:
        OSError: If it is missing, or does not fit this machine or this torch.
        ValueError: If the environment asks for an instruction set that is not here.
    """
    global _library
    import torch

    with _lock:
        if _library is not None:
            return
        torch.ops.load_library(str(path()))
        library = ctypes.CDLL(str(path()))
        library.contconv_native_instruction_set.restype = ctypes.c_char_p
        library.contconv_native_compiled.restype = ctypes.c_char_p
        wanted = os.environ.get(VARIABLE, "")
        if wanted and (code := library.contconv_native_use(wanted.encode())):
            known = ", ".join(_compiled(library))
            why = "this CPU lacks it" if code == 1 else f"there are {known}"
            raise ValueError(f"{VARIABLE}={wanted!r}: {why}")
        _library = library


def instruction_set() -> str:
    """The instruction set in use, such as ``"avx512"``."""
    load()
    assert _library is not None
    return _library.contconv_native_instruction_set().decode()


def compiled_sets() -> list[str]:
    """The instruction sets that the library has code for, the best first."""
    load()
    assert _library is not None
    return _compiled(_library)


def _compiled(library: ctypes.CDLL) -> list[str]:
    names = []
    while name := library.contconv_native_compiled(len(names)):
        names.append(name.decode())
    return names

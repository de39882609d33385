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
INTERFACE = 5

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
        OSError: If it is missing or not whole, or does not fit this machine or this
            torch.
        ValueError: If the environment asks for an instruction set that is not here.
    """
    global _library
    import torch

    with _lock:
        if _library is not None:
            return
        _check_whole(path())
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


def _check_whole(file: Path) -> None:
    """Raise OSError if the end of the library is missing: loading it could crash.

    The table that an ELF file ends with is found by three numbers of its header.
    """
    with file.open("rb") as stream:
        header = stream.read(64)
    if header[:5] != b"\x7fELF\x02" or header[5:6] != b"\x01":
        raise OSError(f"{file} is no library for 64 bits; install contconv-native anew")
    begin = int.from_bytes(header[40:48], "little")
    size, count = (int.from_bytes(header[i : i + 2], "little") for i in (58, 60))
    expected, found = begin + size * count, file.stat().st_size
    if found < expected:
        raise OSError(
            f"{file} has {found} bytes of {expected}; install contconv-native anew"
        )


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

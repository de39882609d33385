"""Build the library: one object for each instruction set, and those that need torch."""

import os
import platform
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Distribution, Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
SOURCES = HERE / "src"
LIBRARY = "libcontconv_native.so"

X86 = {
    "amx_bf16": ["-march=x86-64-v4", "-mavx512bf16", "-mamx-tile", "-mamx-bf16"],
    "avx512_bf16": ["-march=x86-64-v4", "-mavx512bf16"],
    "avx512": ["-march=x86-64-v4"],
    "avx2": ["-march=x86-64-v3"],
    "generic": [],
}
SETS = {"x86_64": X86, "AMD64": X86, "aarch64": {"neon": []}, "arm64": {"neon": []}}

COMMON = ["-std=c++20", "-O3", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra"]
# A library that both sets of rules were compiled into would be neither: no exceptions,
# no run-time types, nothing that the linker merges.
UNIT = [
    "-ffp-contract=fast",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-math-errno",
    "-Wno-psabi",
]
# The first LibTorch whose stable ABI has all that is called.
TARGET = "-DTORCH_TARGET_VERSION=0x020a000000000000"


def compiler() -> list[str]:
    """The C++ compiler, as CXX says or the first that is there."""
    given = os.environ.get("CXX")
    if given:
        return shlex.split(given)
    for name in ("g++", "clang++", "c++"):
        if shutil.which(name):
            return [name]
    sys.exit(
        "contconv-native needs a C++20 compiler, and there is no g++, clang++ or c++ "
        "here: install one, or name it in CXX; contconv runs without, only slower."
    )


def torch_root() -> Path:
    """Where torch is, without importing it."""
    from importlib.util import find_spec

    found = find_spec("torch")
    if found is None or found.origin is None:
        sys.exit(
            "contconv-native is built against torch, which is not installed here: "
            "install it first, and build with --no-build-isolation."
        )
    return Path(found.origin).parent


def build(target: Path, objects: Path, extra: tuple[str, ...] = ()) -> None:
    """Compile everything, as many sources at a time as there are processors."""
    objects.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    cxx, root = compiler(), torch_root()
    flags = [*COMMON, *extra]
    sets = SETS.get(platform.machine(), {"generic": []})
    sets = {name: march for name, march in sets.items() if _knows(cxx, march)}
    torch_flags = [f"-isystem{root / 'include'}", TARGET]
    jobs = {name: (f"{name}.cpp", []) for name in ("instruction_sets", "plan")}
    jobs["instruction_sets"][1].extend(f"-DCONTCONV_HAS_{name}" for name in sets)
    jobs |= {
        path.stem: (path.name, torch_flags) for path in SOURCES.glob("operators*.cpp")
    }
    for name, march in sets.items():
        jobs[f"unit_{name}"] = ("unit.cpp", [*UNIT, *march, f"-DCONTCONV_ISA={name}"])

    def compile_one(name: str) -> str:
        source, own = jobs[name]
        out = str(objects / f"{name}.o")
        _run([*cxx, *flags, *own, "-c", str(SOURCES / source), "-o", out])
        return out

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = list(pool.map(compile_one, jobs))
    link = ["-shared", "-Wl,--no-as-needed", f"-L{root / 'lib'}", "-ltorch_cpu"]
    _run([*cxx, *flags, *made, *link, "-o", str(target)])


def _knows(cxx: list[str], march: list[str]) -> bool:
    """Whether the compiler has those instructions: AMX came with GCC 11."""
    if "-mamx-bf16" not in march:
        return True
    command = [*cxx, *march, "-fsyntax-only", "-x", "c++", os.devnull]
    return subprocess.run(command, capture_output=True).returncode == 0


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.stderr:
        print(done.stderr, file=sys.stderr)
    if done.returncode:
        sys.exit(f"contconv-native: {shlex.join(command)} failed")


class BuildLibrary(build_ext):
    """A plain shared library, of no Python version and no torch version."""

    def build_extension(self, ext: Extension) -> None:
        """Compile it."""
        build(Path(self.get_ext_fullpath(ext.name)), Path(self.build_temp))

    def get_ext_filename(self, fullname: str) -> str:
        """Without the tag of this Python."""
        return str(Path(*fullname.split(".")[:-1], LIBRARY))


class PlatformWheel(bdist_wheel):
    """A wheel for every Python on this platform."""

    def get_tag(self) -> tuple[str, str, str]:
        """py3, no ABI of Python, this platform."""
        return "py3", "none", super().get_tag()[2]


class WithLibrary(Distribution):
    """A distribution that is not pure Python."""

    def has_ext_modules(self) -> bool:
        """Whether it has a library: always."""
        return True


if __name__ == "__main__":
    if sys.argv[1:2] == ["in_place"]:  # for development, with more flags
        build(
            HERE / "contconv_native" / LIBRARY,
            HERE / "build" / "objects",
            (*sys.argv[2:],),
        )
    else:
        setup(
            distclass=WithLibrary,
            ext_modules=[Extension("contconv_native.libcontconv_native", sources=[])],
            cmdclass={"build_ext": BuildLibrary, "bdist_wheel": PlatformWheel},
        )

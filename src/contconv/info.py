"""The command `python -m contconv.info`: what a convolution would cost, and where."""

import argparse
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from math import prod
from typing import Any, NoReturn

import torch
from torch import Tensor

from contconv._grid.padding import PADDING_MODES
from contconv._runtime.arguments import as_sizes
from contconv._runtime.memory import total_memory
from contconv._runtime.text import readable, wrapped
from contconv.engines import ENGINES
from contconv.engines.native.library import found as native_library
from contconv.functional.explain import explain
from contconv.functional.explanation import Explanation
from contconv.kernels import ContinuousKernel
from contconv.kernels.names import CLASSICAL, LEARNED, learned_kernel


def installed() -> Iterator[str]:
    """What is installed, line by line."""
    try:
        own = version("contconv")
    except PackageNotFoundError:
        own = "(not installed)"
    python = platform.python_version()
    yield f"contconv {own}, PyTorch {torch.__version__}, Python {python}"
    yield ""
    yield from _devices()
    yield ""
    yield "engines:"
    width = max(map(len, ENGINES)) + 4
    for name, engine in ENGINES.items():
        summary = (engine.__doc__ or "").partition("\n")[0]
        yield wrapped(summary, f"  {name}".ljust(width))


def _devices() -> Iterator[str]:
    cpu = f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}"
    yield f"cpu       {cpu}{_memory(torch.device('cpu'))}"
    yield f"threads   {torch.get_num_threads()}"
    yield wrapped(native_library(), "native    ")
    for i in range(torch.cuda.device_count()):
        device = torch.device("cuda", i)
        yield f"{device!s:8}  {torch.cuda.get_device_name(i)}{_memory(device)}"


def _memory(device: torch.device) -> str:
    total = total_memory(device)
    return "" if total is None else f", {readable(total)} of memory"


COMMAND = "python -m contconv.info"

DTYPES = ("float32", "float64", "bfloat16", "float16")

# Torch counts the bytes of a tensor in 63 bits; a number takes up to 8.
_MOST_NUMBERS = 2**59
_MOST_KERNEL_PIXELS = 2**20

_DESCRIPTION = """\
With the shape of an input: what each engine would take for a continuous convolution of
it, and which would run; nothing is computed. Without: versions, devices, engines."""

_EXAMPLES = f"""\
One value is for all axes; values for each have an x between them. In brackets: what is
taken unless given.

examples:
  {COMMAND} 1x64x64x64 --scale 0.74
  {COMMAND} 8x32x100x80 --size 45x61 --out-channels 64 --kernel-size 5
  {COMMAND} 1x3x1080x1920 --scale 1/3x1/2 --kernel lanczos3 --antialias"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what is installed, or what a convolution would cost.

    Args:
        arguments: Those of the command line unless given.

    Raises:
        SystemExit: With status 2, and one line on stderr, if they do not fit.
    """
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    shape = options.pop("shape", None)
    if shape is None and options:
        option = "--" + next(iter(options)).replace("_", "-")
        parser.error(f"{option} needs the shape of an input, such as 1x64x64x64")
    if shape is None:
        print("\n".join(installed()))
        print(f"\nWhat would a convolution cost? {COMMAND} 1x64x64x64 --scale 0.74")
        print(f"All options: {COMMAND} --help")
        return
    try:
        print(_explained(shape, **options))
    except (TypeError, ValueError) as error:
        parser.error(str(error))


def _explained(
    shape: Sequence[int],
    *,
    kernel: str = "cosine",
    out_channels: int | None = None,
    kernel_size: int | Sequence[int] | None = None,
    points: Sequence[int] | None = None,
    dtype: str = "float32",
    no_grad: bool = False,
    **options: Any,
) -> Explanation:
    """`explain` for tensors of these shapes; ``options`` are its other arguments."""
    input = _meta("input", as_sizes(shape, len(shape), "input"), getattr(torch, dtype))
    if not 3 <= input.ndim <= 5:
        raise ValueError(
            "input must be batch x channels x 1 to 3 axes, such as 1x64x64x64, got "
            + "x".join(map(str, shape))
        )
    if kernel in LEARNED:
        groups = options.get("groups", 1)
        chosen = _learned(kernel, input, out_channels, kernel_size, groups)
    elif out_channels is None and kernel_size is None:
        chosen = kernel
    else:
        raise ValueError(
            f"kernel {kernel!r} has its own kernel_size, and the output its channels; "
            f"leave out kernel_size and out_channels, or take one of {tuple(LEARNED)}"
        )
    if points is not None:
        positions = (*as_sizes(points, len(points), "points"), input.ndim - 2)
        options["points"] = _meta("points", positions, torch.float32)
    with torch.set_grad_enabled(not no_grad):
        return explain(input, chosen, **options)


def _learned(
    name: str,
    input: Tensor,
    out_channels: int | None,
    kernel_size: int | Sequence[int] | None,
    groups: int,
) -> ContinuousKernel:
    """A learned kernel for the input, without memory."""
    channels = input.shape[1]
    out_channels = channels if out_channels is None else out_channels
    kernel_size = 3 if kernel_size is None else kernel_size
    sizes = as_sizes(kernel_size, input.ndim - 2, "kernel_size")
    _check_count("kernel_size", sizes, _MOST_KERNEL_PIXELS)
    _check_count("the kernel", (out_channels, channels, *sizes))
    return learned_kernel(
        name,
        channels,
        out_channels,
        sizes,
        groups=groups,
        device="meta",
        dtype=input.dtype,
    )


def _meta(name: str, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    _check_count(name, shape)
    return torch.empty(shape, dtype=dtype, device="meta")


def _check_count(name: str, shape: Sequence[int], most: int = _MOST_NUMBERS) -> None:
    if prod(shape) > most:
        given = "x".join(map(str, shape))
        raise ValueError(f"{name} must have at most {most} numbers in all, got {given}")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=COMMAND,
        usage="%(prog)s [shape [options]]",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    _add_options(parser.add_argument)
    return parser


def _add_options(add: Callable[..., Any]) -> None:
    classical, learned = ", ".join(CLASSICAL), " or ".join(LEARNED)
    kernel = {"choices": (*LEARNED, *CLASSICAL), "metavar": "NAME"}
    mode = {"choices": PADDING_MODES, "metavar": "NAME"}
    kind = {"choices": DTYPES, "metavar": "NAME"}
    shape = {"nargs": "?", "default": None, "type": _wholes}
    number = {"type": _whole, "metavar": "N"}
    add("shape", **shape, help="of the input: batch x channels x 1 to 3 axes")
    add("--scale", type=_ratios, help="output over input pixels: 0.74, 3/4, 0.5x2 (1)")
    add("--size", type=_sizes, help="output pixels: 48, 45x61")
    add("--points", type=_wholes, help="free positions in place of a grid: 45x61")
    add("--kernel", **kernel, help=f"learned: {learned}; fixed: {classical} (cosine)")
    add("--kernel-size", type=_sizes, metavar="SIZE", help="of a learned kernel (3)")
    add("--out-channels", **number, help="of a learned kernel (as many as come in)")
    add("--groups", **number, help="groups of channels that do not mix (1)")
    add("--padding-mode", **mode, help=", ".join(PADDING_MODES) + " (zeros)")
    add("--antialias", action="store_true", help="stretch the kernel where it shrinks")
    add("--dtype", **kind, help=", ".join(DTYPES) + " (float32)")
    add("--no-grad", action="store_true", help="as under torch.no_grad()")


def _whole(text: str) -> int:
    return _parsed(text, int, "a whole number, such as 4")


def _wholes(text: str) -> tuple[int, ...]:
    rule = "whole numbers with an x between them, such as 45x61"
    return _parsed(text, lambda text: tuple(map(int, text.split("x"))), rule)


def _sizes(text: str) -> int | tuple[int, ...]:
    values = _wholes(text)
    return values[0] if len(values) == 1 else values


def _ratios(text: str) -> float | Fraction | tuple[float | Fraction, ...]:
    rule = "numbers or ratios with an x between them, such as 0.74, 3/4 or 0.5x2"
    values = _parsed(text, lambda text: tuple(map(_ratio, text.split("x"))), rule)
    return values[0] if len(values) == 1 else values


def _ratio(text: str) -> float | Fraction:
    return Fraction(text) if "/" in text else float(text)


def _parsed(text: str, parse: Callable[[str], Any], rule: str) -> Any:
    try:
        return parse(text)
    except (ValueError, ZeroDivisionError):
        message = f"must be {rule}, got {text!r}"
        raise argparse.ArgumentTypeError(message) from None


if __name__ == "__main__":
    main()

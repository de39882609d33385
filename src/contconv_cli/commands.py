"""The command line: ``contconv upscale``, ``contconv resize``, ``contconv info``."""

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any, Literal, TextIO

from cyclopts import App, CycloptsError, Parameter

from contconv_cli.errors import PictureError, SetupError
from contconv_cli.jobs import Share, barrier
from contconv_cli.messages import in_one_line, tell_line
from contconv_cli.pictures.formats import named
from contconv_cli.plan import STANDARD, plan
from contconv_cli.sizes import as_wanted, joined

MOST_PIXELS = 2**28

Kernel = Literal[
    "cubic", "linear", "box", "lanczos2", "lanczos3", "sinc", "gaussian", "nearest"
]
Align = Literal["center", "edge", "first"]
Precision = Literal["auto", "float32", "bfloat16"]
Edges = Literal["replicate", "symmetric", "reflect", "circular", "zeros"]

app = App(
    name="contconv",
    help="Enlarge and resize pictures, by any factor, differently per axis.",
    version=lambda: version("contconv"),
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)

_Flag = Parameter(negative="", show_default=False)


def _whole(kind: Any, tokens: Sequence[Any]) -> int:
    """A whole number, such as 1920 or 1920px; others are not rounded to one."""
    text = tokens[0].value
    if not re.fullmatch(r"[+-]?\d{1,30}(px)?", text):
        raise ValueError(f"it must be a whole number, got {text!r}")
    return int(text.removesuffix("px"))


_Whole = Annotated[int, Parameter(converter=_whole)]
_Side = Annotated[int | None, Parameter(converter=_whole)]
_Hidden = Parameter(show=False)


@dataclass(frozen=True)
class Common:
    """What every command takes.

    Attributes:
        output: A file or a folder. Pictures that a folder holds already are skipped.
            Without it, one picture goes beside itself: photo_2x.jpg.
        scale: Output over input pixels: --scale 2.7, or 2x, 8/3, 50%; vertical and
            horizontal: --scale 2 3.5. Ratios are exact.
        width: Width of the output in pixels; the height follows.
        height: Height of the output in pixels; the width follows.
        longest: The longer side of the output in pixels; the other one follows.
        fit: The largest that fits in a box, and keeps its shape: --fit 1920x1080.
        size: Width and height of the output in pixels: --size 1920x1080.
        stretch: Let --size distort a picture.
        format: Of the output, where its name does not say it: png, jpg, webp, ...
        quality: Of JPEG, WebP, AVIF and HEIC, 1 to 100. A WebP file of 100 loses
            nothing.
        force: Make pictures anew that exist already.
        max_pixels: The most that a picture may have, before and after.
        source: The old way to name the input.
        target: The old way to name the output.
    """

    output: Annotated[str | None, Parameter(name=["--output", "-o"])] = None
    scale: str | None = None
    width: _Side = None
    height: _Side = None
    longest: _Side = None
    fit: str | None = None
    size: str | None = None
    stretch: Annotated[bool, _Flag] = False
    format: str | None = None
    quality: _Whole = 95
    force: Annotated[bool, _Flag] = False
    max_pixels: _Whole = MOST_PIXELS
    source: Annotated[str | None, _Hidden] = None
    target: Annotated[str | None, _Hidden] = None


_ALL = Annotated[Common, Parameter(name="*")]


@app.command
def upscale(
    *paths: str,
    common: _ALL = Common(),
    model: str = "auto",
    ensemble: _Whole = 1,
    tile: _Whole = 768,
    device: str | None = None,
    precision: Precision = "auto",
) -> int:
    """Enlarge pictures by a network, sharper than by classical resizing.

    Args:
        paths: Pictures (PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, HEIC) or folders of
            them; - is standard input. Without -o, the second of two is the output.
        common: Parameters of all commands.
        model: Weights: clean, for pictures that nothing was lost of; photo, for JPEGs
            and noise; small, as clean, but faster; auto, photo for JPEGs of a low
            quality and else clean; or a file, as training writes it.
        ensemble: In how many ways each picture is laid, turned and mirrored, 1 to 8;
            their mean is nearer to the truth, and takes so many times as long.
        tile: About the side of a tile, in output pixels; smaller ones take less memory.
        device: Where to compute: cpu, cuda, ...; CUDA where there is any unless given.
        precision: Of the encoder: bfloat16 is several times as fast where a CPU has
            matrix units for it (AMX), and moves some pixels by one level; auto takes it
            there, for pictures of 8 bits a colour.
    """

    def maker():
        from contconv_cli import memory
        from contconv_cli.enlarge import enlarger

        memory.keep()
        return enlarger(model, device, precision, tile, ensemble, Share.own())

    if not model.strip():
        raise ValueError(
            "--model must be auto, clean, photo, small or a file of weights, got "
            f"{model!r}"
        )
    if not 1 <= ensemble <= 8:
        raise ValueError(f"--ensemble must be 1 to 8, got {ensemble}")
    if tile < 64:
        raise ValueError(f"--tile must be at least 64 pixels, got {tile}")
    return _run(list(paths), common, maker, growing=True)


@app.command
def resize(
    *paths: str,
    common: _ALL = Common(),
    kernel: Kernel = "cubic",
    antialias: bool = True,
    align: Align | None = None,
    edges: Edges | None = None,
) -> int:
    """Resize pictures by a classical kernel, up or down.

    Args:
        paths: Pictures (PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, HEIC) or folders of
            them; - is standard input. Without -o, the second of two is the output.
        common: Parameters of all commands.
        kernel: How pixels are weighed; nearest takes them as they are, for labels.
        antialias: Stretch the kernel where a picture shrinks, so that all pixels count.
        align: What lies on what: the centers of both pictures (the default), their
            first edges (as in MATLAB), or their first pixels.
        edges: What is taken for the pixels outside the picture: those on its edge
            (replicate, the default but for thumbnails), mirrored ones, ...
    """

    def maker():
        from contconv_cli.resize import Resizer

        return Resizer(kernel, antialias, align, edges)

    return _run(list(paths), common, maker, growing=False)


@app.command
def info(
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)],
) -> int:
    """Say what is installed, or what a continuous convolution would cost.

    Args:
        arguments: Those of python -m contconv.info; -h lists them.
    """
    from contconv.info import main

    main(arguments)
    return 0


def _run(paths: list[str], common: Common, maker: Callable, *, growing: bool) -> int:
    wanted = as_wanted(
        scale=common.scale,
        size=common.size,
        width=common.width,
        height=common.height,
        longest=common.longest,
        fit=common.fit,
        stretch=common.stretch,
    )
    if not 1 <= common.quality <= 100:
        raise ValueError(f"--quality must be 1 to 100, got {common.quality}")
    if common.max_pixels < 1:
        raise ValueError(f"--max-pixels must be at least 1, got {common.max_pixels}")
    form = None if common.format is None else named(common.format)
    started, share = time.perf_counter(), Share.own()
    paths = ([common.source] if common.source is not None else []) + paths
    if common.output is not None and common.target is not None:
        raise ValueError("give --output or --target, not both")
    output = common.target if common.output is None else common.output
    found = plan(paths, output, wanted.label, form)
    if found.jobs and found.jobs[0].target is None:
        _check_standard_output()
    from contconv_cli.run import Order, run, tell

    order = Order(
        wanted, maker, growing, common.quality, common.max_pixels, common.force
    )
    tally = run(found, order, share)
    if tally.made or share.count > 1 or not (found.jobs and found.jobs[0].alone):
        tell(tally, found.place, share, time.perf_counter() - started)
    barrier(share.count)
    return 1 if tally.failed else 0


def _check_standard_output() -> None:
    if sys.stdout is None:
        raise ValueError("standard output is closed; name a file")
    if sys.stdout.isatty():
        raise ValueError("standard output is a terminal; send it to a file: > out.png")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what is wrong is one clear line on stderr."""
    given = sys.argv[1:] if arguments is None else arguments
    given = [STANDARD if argument == "-" else argument for argument in given]
    try:
        code = app(joined(given), exit_on_error=False, print_error=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        code = _unheard()
    except CycloptsError as error:
        code = _said(" ".join(str(error).split()), 2)
    except ValueError as error:
        code = _said(error, 2)
    except (PictureError, SetupError) as error:
        code = _said(error, 1)
    except OSError as error:  # what is told there, as help: to a disk that is full
        what = error.filename or "standard output"
        code = _said(f"{what} cannot be written: {error.strerror or error}", 1)
        _give_up(sys.stdout)
    except KeyboardInterrupt:
        code = _said("stopped; what was made is whole", 130)
    sys.exit(code)


def _said(what: object, code: int) -> int:
    tell_line(f"contconv: {in_one_line(what)}".replace(r"\x00", "-"))
    return code


def _unheard() -> int:
    """The exit code where a pipe was closed, as by ``| head``: that of SIGPIPE."""
    _give_up(sys.stdout)
    return 141


def _give_up(stream: TextIO | None) -> None:
    """Drop what is left in a buffer: it would fail again when Python ends."""
    with suppress(OSError):
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

"""The command line: ``contconv upscale``, ``contconv resize``, ``contconv info``."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from contconv_cli.errors import PictureError, SetupError
from contconv_cli.jobs import Share, barrier, jobs
from contconv_cli.sizes import as_wanted, joined

MOST_PIXELS = 2**28

Kernel = Literal["cubic", "linear", "box", "lanczos2", "lanczos3", "gaussian"]

app = App(
    name="contconv",
    help="Enlarge and resize pictures, by any factor, differently per axis.",
    version=lambda: version("contconv"),
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)


@dataclass(frozen=True)
class Common:
    """What every command takes.

    Attributes:
        scale: Output over input pixels: --scale 2.7, or vertical and horizontal:
            --scale 2 3.5. Ratios, such as 8/3, are exact.
        size: Width and height of the output in pixels: --size 1920 1080.
        quality: Of JPEG and WebP, 1 to 100. A WebP file of 100 loses nothing.
        force: Make pictures anew that exist already.
        max_pixels: The most that a picture may have, before and after.
    """

    scale: str | None = None
    size: str | None = None
    quality: int = 95
    force: Annotated[bool, Parameter(negative="")] = False
    max_pixels: int = MOST_PIXELS


_ALL = Annotated[Common, Parameter(name="*")]


@app.command
def upscale(
    source: Path,
    target: Path,
    *,
    common: _ALL = Common(),
    model: Path | None = None,
    ensemble: int = 1,
    tile: int = 768,
    device: str | None = None,
) -> int:
    """Enlarge pictures by a network, sharper than by classical resizing.

    Args:
        source: A picture (PNG, JPEG, WebP, TIFF; 8 or 16 bits), or a folder of them.
        target: Where it goes. In a folder, pictures that exist already are skipped.
        common: Parameters of all commands.
        model: Weights of one's own, as training writes them.
        ensemble: Members of a scale ensemble, whose median is taken: slower.
        tile: About the side of a tile, in output pixels; smaller ones take less memory.
        device: Where to compute: cpu, cuda, ...; CUDA where there is any unless given.
    """

    def maker():
        from contconv_cli.enlarge import enlarger

        return enlarger(model, device, tile, ensemble, Share.own())

    if ensemble < 1:
        raise ValueError(f"--ensemble must be at least 1, got {ensemble}")
    if tile < 64:
        raise ValueError(f"--tile must be at least 64 pixels, got {tile}")
    return _run(source, target, common, maker, growing=True)


@app.command
def resize(
    source: Path,
    target: Path,
    *,
    common: _ALL = Common(),
    kernel: Kernel = "cubic",
    antialias: bool = True,
) -> int:
    """Resize pictures by a classical kernel; in 8 bits, cubic is MATLAB's imresize.

    Args:
        source: A picture (PNG, JPEG, WebP, TIFF; 8 or 16 bits), or a folder of them.
        target: Where it goes. In a folder, pictures that exist already are skipped.
        common: Parameters of all commands.
        kernel: How pixels are weighed.
        antialias: Stretch the kernel where a picture shrinks, so that all pixels count.
    """

    def maker():
        from contconv_cli.resize import Resizer

        return Resizer(kernel, antialias)

    return _run(source, target, common, maker, growing=False)


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


def _run(
    source: Path,
    target: Path,
    common: Common,
    maker: Callable,
    *,
    growing: bool,
) -> int:
    wanted = as_wanted(common.scale, common.size)
    if not 1 <= common.quality <= 100:
        raise ValueError(f"--quality must be 1 to 100, got {common.quality}")
    if common.max_pixels < 1:
        raise ValueError(f"--max-pixels must be at least 1, got {common.max_pixels}")
    from contconv_cli.run import Order, run, tell

    started, share = time.perf_counter(), Share.own()
    order = Order(
        wanted, maker, growing, common.quality, common.max_pixels, common.force
    )
    found = jobs(source, target)
    tally = run(found, order, share)
    if not found[0].alone or tally.made:
        tell(tally, target, share, time.perf_counter() - started)
    barrier(share.count)
    return 1 if tally.failed else 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what is wrong is one clear line on stderr."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(joined(given), exit_on_error=False, print_error=False)
    except (CycloptsError, ValueError) as error:
        code = _said(error, 2)
    except (PictureError, SetupError) as error:
        code = _said(error, 1)
    except KeyboardInterrupt:
        code = _said("stopped; what was made is whole", 130)
    sys.exit(code)


def _said(what: object, code: int) -> int:
    print("contconv:", " ".join(str(what).split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    main()

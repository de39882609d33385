"""Formats of pictures: their suffixes, and what each of them can hold."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from contconv_cli.errors import PictureError


@dataclass(frozen=True)
class Format:
    """What files of a format can hold.

    Attributes:
        suffixes: Of their names; the first one is the usual one.
        alpha: Opacity: any, or all or nothing.
        cmyk: Whether four colours of ink.
        sixteen: Whether 16 bits.
        several: Frames of an animation, pages, or one picture alone.
        side: The most pixels a side.
        holds: What beside the pixels.
    """

    suffixes: tuple[str, ...]
    alpha: Literal["any", "all or nothing", "none"] = "none"
    cmyk: bool = False
    sixteen: bool = False
    several: Literal["frames", "pages", "no"] = "no"
    side: int | None = None
    holds: frozenset[str] = field(default_factory=frozenset)


_MOST = frozenset({"profile", "exif", "xmp"})

FORMATS = {
    "PNG": Format(
        (".png", ".apng"),
        "any",
        sixteen=True,
        several="frames",
        holds=_MOST | {"comments", "chunks", "density"},
    ),
    "JPEG": Format(
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        cmyk=True,
        side=65535,
        holds=_MOST | {"photoshop", "comments", "density", "more xmp"},
    ),
    "WEBP": Format((".webp",), "any", several="frames", side=16383, holds=_MOST),
    "TIFF": Format(
        (".tif", ".tiff"),
        "any",
        cmyk=True,
        sixteen=True,
        several="pages",
        holds=_MOST | {"photoshop", "density"},
    ),
    "BMP": Format((".bmp", ".dib"), holds=frozenset({"density"})),
    "GIF": Format(
        (".gif",),
        "all or nothing",
        several="frames",
        side=65535,
        holds=frozenset({"comments"}),
    ),
    "AVIF": Format((".avif",), "any", several="frames", side=65535, holds=_MOST),
    "HEIF": Format((".heic", ".heif", ".hif"), "any", side=16384, holds=_MOST),
}

SUFFIXES = {suffix: name for name, form in FORMATS.items() for suffix in form.suffixes}

# Of an animation in WebP and GIF files, which have 16 bits for it.
MOST_LOOPS = 65535

USUAL = "PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF or HEIC"


def form_of(path: Path) -> str:
    """The format that a file's name asks for.

    Raises:
        PictureError: If it is none that is written.
    """
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise PictureError(
            f"{path} has the suffix {path.suffix!r}; pictures are written as one of "
            + ", ".join(SUFFIXES)
        )
    return form


def named(text: str) -> str:
    """The format of a name such as jpg or JPEG.

    Raises:
        ValueError: If it is none.
    """
    form = SUFFIXES.get("." + text.lower().lstrip("."))
    if form is None:
        known = ", ".join(suffix[1:] for suffix in SUFFIXES)
        raise ValueError(f"--format must be one of {known}, got {text}")
    return form


def check_available(form: str, name: str) -> None:
    """Raise PictureError if what reads and writes the format is not installed."""
    if form == "HEIF":
        if find_spec("pillow_heif") is None:
            raise PictureError(
                f"{name} is a HEIC picture, for which pillow-heif is not installed; "
                "install it with: pip install 'contconv[heif]'"
            )
        from pillow_heif import register_heif_opener

        register_heif_opener()
    if form == "AVIF":
        from PIL import features

        if not features.check("avif"):
            raise PictureError(
                f"{name} is an AVIF picture, which this Pillow was built without; "
                "version 11.3 and later have it: pip install --upgrade pillow"
            )

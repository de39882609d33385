"""The content of a file for pictures."""

import warnings
from dataclasses import replace
from io import BytesIO
from typing import Any

import imagecodecs
from PIL import Image

from contconv_cli.errors import PictureError
from contconv_cli.pictures import gif, jpeg, png, tiff
from contconv_cli.pictures.arrays import interleaved
from contconv_cli.pictures.exif import without_orientation
from contconv_cli.pictures.formats import FORMATS, MOST_LOOPS, check_available
from contconv_cli.pictures.metadata import of_size, that_fits
from contconv_cli.pictures.picture import Frames, Metadata, Picture, Timing

_MODES = {"grey": "L", "rgb": "RGB", "cmyk": "CMYK"}

# Of PNG: less than half the time of the usual 6, for files that are 1 to 5 % larger.
_COMPRESSION = 4


def check_writable(frames: Frames, size: tuple[int, int], form: str, name: str) -> None:
    """Raise PictureError if the format cannot hold the pictures at this size."""
    picture, target = frames.first, FORMATS[form]
    check_available(form, name)
    clear = any(not picture.is_opaque for picture in frames.pictures)
    if clear and (target.alpha == "none" or picture.kind == "cmyk"):
        raise PictureError(
            f"{name} cannot hold transparency; write PNG or WebP, or TIFF of RGB"
        )
    if picture.kind == "cmyk" and not target.cmyk:
        raise PictureError(f"{name} cannot hold CMYK; write JPEG or TIFF")
    if target.side and max(size) > target.side:
        raise PictureError(
            f"{name} can have at most {target.side} pixels a side, not {max(size)}; "
            "write PNG or TIFF"
        )
    several = "frames" if frames.timing else "pages"
    if len(frames.pictures) > 1 and target.several != several:
        way = "PNG, WebP, GIF or AVIF" if frames.timing else "TIFF"
        raise PictureError(
            f"{name} cannot hold {len(frames.pictures)} {several}; write {way}"
        )


def losses(frames: Frames, form: str) -> list[str]:
    """What the format does not keep, in lines."""
    picture, target, lines = frames.first, FORMATS[form], []
    bits = 16 if picture.white > 255 and not target.sixteen else frames.bits
    if bits:
        lines.append(f"8 of the {bits} bits are kept")
    if form == "GIF" and (frames.form != "GIF" or _is_half_clear(frames)):
        clear = ", and opacity is all or nothing" if picture.alpha is not None else ""
        lines.append(f"256 colours are kept{clear}")
    lost = [words for p in frames.pictures for words in that_fits(p.metadata, form)[1]]
    if lost:
        lines.append("not kept: " + ", ".join(dict.fromkeys(lost)))
    return lines


def _is_half_clear(frames: Frames) -> bool:
    return any(
        ((picture.alpha > 0) & (picture.alpha < picture.white)).any()
        for picture in frames.pictures
        if picture.alpha is not None
    )


def encoded(frames: Frames, form: str, quality: int) -> bytes:
    """The content of a file for them.

    Args:
        frames: What it shows.
        form: Its format.
        quality: Of formats that lose something, 1 to 100; a WebP file of 100 loses
            nothing.
    """
    if not FORMATS[form].sixteen:
        frames = frames.map(Picture.in_8_bits)
    if FORMATS[form].alpha == "none" or frames.first.kind == "cmyk":
        frames = frames.map(lambda picture: replace(picture, alpha=None))
    frames = frames.map(
        lambda p: replace(p, metadata=that_fits(of_size(p.metadata, p.size), form)[0])
    )
    if frames.timing and frames.timing.still_first and form != "PNG":
        frames = frames.moving()
    if form == "TIFF":
        return tiff.encoded(frames.pictures)
    known = frames.first.metadata
    if form == "PNG" and len(frames.pictures) == 1:
        array = interleaved(frames.first)
        array = array[..., 0] if array.shape[2] == 1 else array
        content = bytes(imagecodecs.png_encode(array, level=_COMPRESSION))
    else:
        content = _saved(frames, form, quality)
    if form == "PNG":
        return png.with_metadata(content, known)
    return jpeg.with_metadata(content, known) if form == "JPEG" else content


def _saved(frames: Frames, form: str, quality: int) -> bytes:
    options = _options(frames, form, quality)
    if form == "GIF":
        images = [gif.with_palette(picture) for picture in frames.pictures]
        options |= gif.options(frames)
    else:
        images = [_image(picture) for picture in frames.pictures]
    if len(images) > 1:
        options |= {"save_all": True, "append_images": images[1:]}
    file = BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as of odd EXIF data
            images[0].save(file, form, **options)
    except RuntimeError as error:
        line = str(error).partition("\n")[0]
        raise PictureError(f"no {form} file can be made of it: {line}") from None
    return file.getvalue()


def _image(picture: Picture) -> Image.Image:
    array = interleaved(picture)
    mode = _MODES[picture.kind] + ("A" if picture.alpha is not None else "")
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array, mode)


def _options(frames: Frames, form: str, quality: int) -> dict[str, Any]:
    known = frames.first.metadata
    options: dict[str, Any] = {
        "PNG": {"compress_level": _COMPRESSION},
        "JPEG": {"quality": quality, "subsampling": 0},
        "WEBP": {"quality": quality, "lossless": quality == 100},
        "AVIF": {"quality": quality, "subsampling": _subsampling(frames)},
        "HEIF": {"quality": quality, "chroma": 444},
    }.get(form, {})
    if form in ("WEBP", "AVIF", "HEIF"):
        options |= _beside(known, form)
    if form == "JPEG" and known.icc:
        options["icc_profile"] = known.icc
    if known.dpi and form in ("JPEG", "BMP"):
        options["dpi"] = known.dpi
    if frames.timing and form != "GIF":
        options |= _timing(frames.timing, form)
    return options


def _timing(timing: Timing, form: str) -> dict[str, Any]:
    durations = list(timing.durations)
    if form == "AVIF":
        return {"duration": [round(duration) for duration in durations]}
    if form == "WEBP":
        return {"duration": durations, "loop": min(timing.plays, MOST_LOOPS)}
    first = int(timing.still_first)
    return {
        "duration": durations[first:],
        "loop": timing.plays,
        "default_image": timing.still_first,
        "disposal": 0,
        "blend": 0,
    }


def _subsampling(frames: Frames) -> str:
    return "4:0:0" if all(p.kind == "grey" for p in frames.pictures) else "4:4:4"


def _beside(known: Metadata, form: str) -> dict[str, Any]:
    """Metadata as Pillow writes it, which leaves the bytes as they are."""
    options: dict[str, Any] = {}
    if known.icc:
        options["icc_profile"] = known.icc
    if known.xmp:
        options["xmp"] = known.xmp
    if known.exif:
        # AVIF has the orientation elsewhere: for it, EXIF would be written anew.
        exif = without_orientation(known.exif) if form == "AVIF" else known.exif
        options["exif"] = exif
    return options

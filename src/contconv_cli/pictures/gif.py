"""GIF files: palettes of 256 colours, and how often an animation plays."""

from typing import Any

import numpy as np
from PIL import Image

from contconv_cli.pictures.arrays import interleaved
from contconv_cli.pictures.formats import MOST_LOOPS
from contconv_cli.pictures.picture import Frames, Picture

_CLEAR = 255


def with_palette(picture: Picture) -> Image.Image:
    """The picture in 256 colours, or 255 and one that is clear."""
    if picture.kind == "grey" and picture.alpha is None:
        return Image.fromarray(picture.planes[0], "L")
    colours = interleaved(picture)[..., : len(picture.planes)]
    image = Image.fromarray(np.broadcast_to(colours, (*picture.size, 3)).copy(), "RGB")
    if picture.alpha is None:
        return _quantized(image, 256)
    clear = picture.alpha < (picture.white + 1) // 2
    image = _quantized(image, 255)
    indices = np.where(clear, np.uint8(_CLEAR), np.asarray(image))
    palette = (image.getpalette() or [])[: 3 * 255]
    out = Image.fromarray(indices, "P")
    out.putpalette(palette + [0] * (3 * 256 - len(palette)))
    out.info["transparency"] = _CLEAR
    return out


def _quantized(image: Image.Image, colours: int) -> Image.Image:
    found = image.getcolors(colours)
    if found is None:
        return image.quantize(colours)
    exact = Image.new("P", (1, 1))
    exact.putpalette([value for _, colour in found for value in colour])  # type: ignore
    return image.quantize(palette=exact, dither=Image.Dither.NONE)


def plays(loop: int | None) -> int:
    """How often an animation plays, 0 for ever; a file says how often it repeats."""
    if loop is None:
        return 1
    return loop + 1 if loop else 0


def options(frames: Frames) -> dict[str, Any]:
    """For Pillow, which writes the file."""
    out: dict[str, Any] = {"optimize": False}
    comments = frames.first.metadata.comments
    if comments:
        out["comment"] = b"\n".join(comments)
    if frames.timing:
        out["duration"] = [round(duration) for duration in frames.timing.durations]
        if frames.timing.plays != 1:
            out["loop"] = min(max(frames.timing.plays - 1, 0), MOST_LOOPS)
        clear = frames.first.alpha is not None
        out["disposal"] = 2 if clear else 1
    return out

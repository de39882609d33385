"""Pictures of every kind, and the command as it is called."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from contconv.models import SuperResolutionNet
from contconv_cli.commands import main

SHAPE = (24, 18)


def planes(count: int, dtype: type = np.uint8) -> np.ndarray:
    """Smooth waves, ``[h, w, count]``; one plane has no third axis."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    waves = [0.5 + 0.4 * np.sin(y / (3 + i) + i) * np.cos(x / 4 - i) for i in range(4)]
    array = np.stack(waves[:count], 2) * np.iinfo(dtype).max
    return np.squeeze(array.round().astype(dtype))


def with_alpha(count: int, dtype: type = np.uint8) -> np.ndarray:
    """The same and opacity last, that falls from full to none."""
    colours = np.atleast_3d(planes(count, dtype))
    ramp = np.linspace(0, 1, SHAPE[0]).clip(0.2, 0.8) / 0.6 - 1 / 3
    alpha = np.broadcast_to((ramp * np.iinfo(dtype).max)[:, None, None], (*SHAPE, 1))
    return np.concatenate([colours, alpha.round().astype(dtype)], 2)


def _saved(array: np.ndarray, mode: str, form: str, **options) -> bytes:
    file = BytesIO()
    Image.fromarray(array, mode).save(file, form, **options)
    return file.getvalue()


def _palette(form: str, **options) -> bytes:
    file = BytesIO()
    Image.fromarray(planes(3)).quantize(16).save(file, form, **options)
    return file.getvalue()


def _tiff(array: np.ndarray, **options) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, array, metadata=None, **options)
    return file.getvalue()


# For each kind: the file's suffix, its content, and the shape and dtype of what it
# comes out as, ``[h, w, c]``.
KINDS: dict[str, tuple[str, bytes, int, type]] = {
    "grey png": (".png", _saved(planes(1), "L", "PNG"), 1, np.uint8),
    "grey alpha png": (".png", _saved(with_alpha(1), "LA", "PNG"), 2, np.uint8),
    "rgb png": (".png", _saved(planes(3), "RGB", "PNG"), 3, np.uint8),
    "rgba png": (".png", _saved(with_alpha(3), "RGBA", "PNG"), 4, np.uint8),
    "palette png": (".png", _palette("PNG"), 3, np.uint8),
    "transparent palette png": (".png", _palette("PNG", transparency=2), 4, np.uint8),
    "transparent colour png": (
        ".png",
        _saved(planes(3), "RGB", "PNG", transparency=(0, 0, 0)),
        4,
        np.uint8,
    ),
    "1-bit png": (".png", _saved(planes(1) > 99, "1", "PNG"), 1, np.uint8),  # type: ignore
    "16-bit grey png": (
        ".png",
        bytes(imagecodecs.png_encode(planes(1, np.uint16))),
        1,
        np.uint16,
    ),
    "16-bit grey alpha png": (
        ".png",
        bytes(imagecodecs.png_encode(with_alpha(1, np.uint16))),
        2,
        np.uint16,
    ),
    "16-bit rgb png": (
        ".png",
        bytes(imagecodecs.png_encode(planes(3, np.uint16))),
        3,
        np.uint16,
    ),
    "16-bit rgba png": (
        ".png",
        bytes(imagecodecs.png_encode(with_alpha(3, np.uint16))),
        4,
        np.uint16,
    ),
    "grey jpeg": (".jpg", _saved(planes(1), "L", "JPEG"), 1, np.uint8),
    "rgb jpeg": (".jpeg", _saved(planes(3), "RGB", "JPEG"), 3, np.uint8),
    "cmyk jpeg": (".jpg", _saved(planes(4), "CMYK", "JPEG"), 4, np.uint8),
    "rgb webp": (".webp", _saved(planes(3), "RGB", "WEBP"), 3, np.uint8),
    "rgba webp": (".webp", _saved(with_alpha(3), "RGBA", "WEBP"), 4, np.uint8),
    "grey tiff": (".tif", _saved(planes(1), "L", "TIFF"), 1, np.uint8),
    "rgba tiff": (".tiff", _saved(with_alpha(3), "RGBA", "TIFF"), 4, np.uint8),
    "cmyk tiff": (".tif", _saved(planes(4), "CMYK", "TIFF"), 4, np.uint8),
    "16-bit grey tiff": (".tif", _tiff(planes(1, np.uint16)), 1, np.uint16),
    "16-bit rgb tiff": (
        ".tif",
        _tiff(planes(3, np.uint16), photometric="rgb", compression="lzw"),
        3,
        np.uint16,
    ),
    "16-bit planar tiff": (
        ".tif",
        _tiff(
            planes(3, np.uint16).transpose(2, 0, 1),
            photometric="rgb",
            planarconfig="separate",
        ),
        3,
        np.uint16,
    ),
    "16-bit rgba tiff": (
        ".tif",
        _tiff(with_alpha(3, np.uint16), photometric="rgb", extrasamples=["unassalpha"]),
        4,
        np.uint16,
    ),
    "16-bit cmyk tiff": (
        ".tif",
        _tiff(planes(4, np.uint16), photometric="separated"),
        4,
        np.uint16,
    ),
}


def opened(path: Path) -> Image.Image:
    """A picture that Pillow has read, its file closed."""
    with Image.open(path) as image:
        image.load()
        image.getexif().get_ifd(0x8769)
    return image


def pixels(path: Path) -> np.ndarray:
    """A file's pixels, ``[h, w, c]``, by other means than those that are tested."""
    if path.suffix == ".png":
        array = imagecodecs.png_decode(path.read_bytes())
    elif path.suffix in (".tif", ".tiff"):
        array = tifffile.imread(path)
    else:
        array = np.asarray(opened(path))
    return np.asarray(array)[..., None] if array.ndim == 2 else np.asarray(array)


def chunks(path: Path) -> list[tuple[bytes, bytes]]:
    """Names and contents of the chunks of a PNG file."""
    content, place, found = path.read_bytes(), 8, []
    while place < len(content):
        length, name = struct.unpack_from(">I4s", content, place)
        found.append((name, content[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def with_chunks(content: bytes, chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG file with more chunks after its header."""
    more = b"".join(
        struct.pack(">I", len(data))
        + name
        + data
        + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return content[:33] + more + content[33:]


def call(*arguments: object) -> int:
    """The exit code of a call."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def cubic_net(path: Path) -> Path:
    """Weights of a network that is cubic resizing and nothing else."""
    net = SuperResolutionNet(4, 1)
    for parameter in net.refine[-1].parameters():
        parameter.data.zero_()
    net.save(path)
    return path

"""Pictures of 16 bits, of which Pillow keeps 8: PNG and TIFF."""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from contconv_cli.errors import PictureError
from contconv_cli.pictures.picture import Kind, Metadata, Picture

_BITS, _PNG_SIGNATURE = 258, b"\x89PNG\r\n\x1a\n"
_KINDS: dict[int, Kind] = {1: "grey", 3: "rgb", 4: "cmyk"}
_PHOTOMETRIC = {"grey": "minisblack", "rgb": "rgb", "cmyk": "separated"}
_ASCII = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)

Planes = tuple[np.ndarray, Kind, np.ndarray | None]


def is_sixteen_bits(image: Image.Image, content: bytes) -> bool:
    """Whether the pixels have 16 bits in the file, whatever Pillow makes of them."""
    if image.format == "PNG":
        return content[24] == 16
    if image.format == "TIFF":
        return 16 in np.atleast_1d(image.tag_v2.get(_BITS, 1))  # type: ignore
    return False


def read_planes(path: Path, form: str | None, content: bytes) -> Planes:
    """The planes of a picture of 16 bits, their kind, and alpha."""
    if form == "PNG":
        array = np.asarray(imagecodecs.png_decode(content))
        array = array[..., None] if array.ndim == 2 else array
        return _split(array.transpose(2, 0, 1), array.shape[2] in (2, 4))
    return _read_tiff(path, content)


def _read_tiff(path: Path, content: bytes) -> Planes:
    with tifffile.TiffFile(BytesIO(content)) as file:
        page: Any = file.pages[0]
        photometric, axes = page.photometric.name, page.axes
        array, alpha = page.asarray(), bool(page.extrasamples)
        premultiplied = alpha and page.extrasamples[0].name == "ASSOCALPHA"
    if array.dtype != np.uint16 or len(page.extrasamples) > 1:
        raise PictureError(
            f"{path} has {array.dtype} pixels in {axes}; save it with 8 or 16 bits as "
            "grey, RGB or CMYK"
        )
    if photometric not in ("MINISBLACK", "MINISWHITE", "RGB", "SEPARATED"):
        raise PictureError(
            f"{path} has colours of the kind {photometric}; save it as grey or RGB"
        )
    array = array[..., None] if array.ndim == 2 else array
    planes = array if axes == "SYX" else array.transpose(2, 0, 1)
    if photometric == "MINISWHITE":
        planes = np.concatenate([65535 - planes[:1], planes[1:]])
    if premultiplied:
        planes = np.concatenate([_divided(planes[:-1], planes[-1]), planes[-1:]])
    return _split(planes, alpha)


def _divided(planes: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours that were multiplied by opacity, as they were before."""
    opacity = np.maximum(alpha, 1).astype(np.uint64)
    whole = (planes.astype(np.uint64) * 65535 + opacity // 2) // opacity
    return np.minimum(whole, 65535).astype(np.uint16)


def _split(planes: np.ndarray, with_alpha: bool) -> Planes:
    planes = np.ascontiguousarray(planes)
    alpha = planes[-1] if with_alpha else None
    planes = planes[:-1] if with_alpha else planes
    return planes, _KINDS[len(planes)], alpha


def png(picture: Picture) -> bytes:
    """A PNG file of 16 bits."""
    array = _pixels(picture)
    content = imagecodecs.png_encode(array[..., 0] if array.shape[2] == 1 else array)
    return _with_chunks(bytes(content), _chunks(picture.metadata))


def tiff(picture: Picture) -> bytes:
    """A TIFF file of 16 bits."""
    array, file, metadata = _pixels(picture), BytesIO(), picture.metadata
    options: dict[str, Any] = {}
    if metadata.dpi:
        options |= {"resolution": metadata.dpi, "resolutionunit": "INCH"}
    if picture.alpha is not None:
        options["extrasamples"] = ["unassalpha"]
    tifffile.imwrite(
        file,
        array[..., 0] if array.shape[2] == 1 else array,
        photometric=_PHOTOMETRIC[picture.kind],  # type: ignore
        planarconfig="contig" if array.shape[2] > 1 else None,
        compression="zlib",
        iccprofile=metadata.icc,
        metadata=None,
        software=False,
        extratags=_text_tags(metadata.exif),
        **options,
    )
    return file.getvalue()


def _pixels(picture: Picture) -> np.ndarray:
    """``[h, w, c]``, alpha last."""
    planes = list(picture.planes)
    if picture.alpha is not None:
        planes.append(picture.alpha)
    return np.stack(planes, 2)


def _text_tags(exif: bytes | None) -> list[tuple[int, int, int, str, bool]]:
    """The texts of EXIF data as tags of a TIFF file."""
    if exif is None:
        return []
    found = Image.Exif()
    found.load(exif)
    texts = {tag: found[tag] for tag in _ASCII if isinstance(found.get(tag), str)}
    return [(tag, 2, 0, text, True) for tag, text in texts.items()]


def _chunks(metadata: Metadata) -> bytes:
    """Chunks of a PNG file for its metadata."""
    chunks = b""
    if metadata.icc:
        chunks += _chunk(b"iCCP", b"ICC\0\0" + zlib.compress(metadata.icc))
    if metadata.dpi:
        across, down = (round(dpi / 0.0254) for dpi in metadata.dpi)
        chunks += _chunk(b"pHYs", struct.pack(">IIB", across, down, 1))
    if metadata.exif:
        chunks += _chunk(b"eXIf", metadata.exif)
    return chunks


def _chunk(name: bytes, content: bytes) -> bytes:
    checked = name + content
    length, check = struct.pack(">I", len(content)), zlib.crc32(checked)
    return length + checked + struct.pack(">I", check)


def _with_chunks(content: bytes, chunks: bytes) -> bytes:
    """A PNG file with more chunks, after its header of 25 bytes."""
    end = len(_PNG_SIGNATURE) + 25
    return content[:end] + chunks + content[end:]

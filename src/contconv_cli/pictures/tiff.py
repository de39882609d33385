"""TIFF files: their pages, and what stands beside the pixels."""

import struct
from io import BytesIO
from typing import Any

import tifffile

from contconv_cli.pictures import exif
from contconv_cli.pictures.arrays import interleaved
from contconv_cli.pictures.ifd import (
    Entry,
    Layout,
    directories,
    number,
    only,
    with_entries,
)
from contconv_cli.pictures.photoshop import iptc, with_signature
from contconv_cli.pictures.picture import Metadata, Picture

_XMP, _IPTC, _PHOTOSHOP, _ICC = 0x02BC, 0x83BB, 0x8649, 0x8773
_UNDEFINED = 7
_KIND, _OLD_KIND = 0x00FE, 0x00FF

# How pixels are stored; all that the decoder is shown.
# fmt: off
_PIXELS = frozenset((
    254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320,
    322, 323, 324, 325, 332, 334, 338, 339, 347, 512, 513, 514, 515, 517, 518, 519,
    520, 521, 529, 530, 531, 532, 32997
))

# What belongs to the old pixels, or says nothing.
_STALE = frozenset((
    255, 263, 264, 265, 274, 280, 281, 282, 283, 286, 287, 288, 289, 290, 291, 296,
    321, 326, 327, 328, 330, 333, 336, 340, 341
))
# fmt: on
_KEPT = (_XMP, _IPTC, _PHOTOSHOP, _ICC)

# How files begin.
STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_BITS, _COMPRESSION, _COLOURS, _SAMPLES = 0x0102, 0x0103, 0x0106, 0x0115
_EXTRAS, _NUMBERS, _DEPTH = 0x0152, 0x0153, 0x80E5

# Numbers of a colour, by what the colours mean; of extra ones, those that are opacity.
_OWN = {0: 1, 1: 1, 2: 3, 3: 1, 4: 1, 5: 4, 6: 3, 8: 3}
_OPACITY = (1, 2)
_KINDS = {1: "whole numbers", 2: "signed numbers", 3: "floating-point numbers"}

_PHOTOMETRIC = {"grey": "minisblack", "rgb": "rgb", "cmyk": "separated"}


def split(content: bytes) -> tuple[bytes, list[tuple[int, Metadata]]]:
    """The file with no more than its pixels need; each page's place, and metadata.

    Thumbnails and masks are no pages, as long as there are others.
    """
    layout = Layout.of(content)
    found = [entries for _, entries, _ in directories(content)]
    places = [i for i, entries in enumerate(found) if not _is_beside(entries, layout)]
    pages = [(i, _metadata(found[i], layout)) for i in places or range(len(found))[:1]]
    return only(content, _PIXELS), pages


def _is_beside(entries: tuple[Entry, ...], layout: Layout) -> bool:
    kinds = {entry.tag: number(entry, layout) or 0 for entry in entries}
    return bool(kinds.get(_KIND, 0) & 0b101) or kinds.get(_OLD_KIND) == 2


def _metadata(entries: tuple[Entry, ...], layout: Layout) -> Metadata:
    tags = {entry.tag: entry.value for entry in entries}
    known = exif.from_tags(entries, layout)
    photoshop = tags.get(_PHOTOSHOP)
    if _IPTC in tags and iptc(photoshop) is None:
        photoshop = (photoshop or b"") + with_signature(tags[_IPTC])
    others = sorted(set(tags) - _PIXELS - _STALE - exif.DESCRIPTIVE - set(_KEPT))
    lost = ["tag " + ", ".join(map(str, others))] if others else []
    if more := _more_channels(entries, layout):
        lost.append("1 more channel" if more == 1 else f"{more} more channels")
    return Metadata(
        icc=tags.get(_ICC),
        exif=known,
        dpi=exif.density_of(entries, layout),
        xmp=tags.get(_XMP),
        photoshop=photoshop,
        turned_by=exif.orientation_of(entries, layout) or 1,
        lost=tuple(lost),
    )


def _more_channels(entries: tuple[Entry, ...], layout: Layout) -> int:
    """How many numbers of a pixel are neither colour nor opacity."""
    tags = {entry.tag: entry for entry in entries}
    found = {tag: number(entry, layout) for tag, entry in tags.items()}
    own = _OWN.get(found.get(_COLOURS) or 0, 0)
    more = (found.get(_SAMPLES) or 1) - own if own else 0
    return max(0, more - (found.get(_EXTRAS) in _OPACITY))


def storage(content: bytes) -> str:
    """How the first page's pixels are stored, in words."""
    layout = Layout.of(content)
    for _, entries, _ in directories(content):
        found = {entry.tag: number(entry, layout) for entry in entries}
        kind = _KINDS.get(found.get(_NUMBERS) or 1, "other numbers")
        count, bits = found.get(_SAMPLES) or 1, found.get(_BITS) or 1
        how = f"compression {found.get(_COMPRESSION) or 1}"
        return f"{count} {kind} of {bits} bits a pixel, {how}"
    return ""


def unsuitable(content: bytes, page: int) -> str | None:
    """Why a page's pixels would be taken for others."""
    layout = Layout.of(content)
    for i, (_, entries, _) in enumerate(directories(content)):
        found = {entry.tag: number(entry, layout) for entry in entries}
        if i == page and found.get(_NUMBERS) == 2 and found.get(_BITS) == 8:
            return "has signed numbers of 8 bits; save it with 8 bits from 0 on"
        if i == page and (found.get(_DEPTH) or 1) > 1:
            return f"is a volume, {found[_DEPTH]} pixels deep; save a page for each"
    return None


def encoded(pictures: tuple[Picture, ...]) -> bytes:
    """A TIFF file of 8 or 16 bits with a page for each picture."""
    file, tags = BytesIO(), [_tags(picture.metadata) for picture in pictures]
    order = next((order for order, entries in tags if entries), "<")
    with tifffile.TiffWriter(file, byteorder=order) as writer:  # type: ignore
        for picture in pictures:
            _write(writer, picture)
    same = [entries if of == order else () for of, entries in tags]
    extra = [
        (*entries, *_blocks(picture.metadata))
        for entries, picture in zip(same, pictures, strict=True)
    ]
    return with_entries(file.getvalue(), extra)


def _tags(metadata: Metadata) -> tuple[str, tuple[Entry, ...]]:
    return exif.as_tags(metadata.exif, _PIXELS | _STALE | set(_KEPT))


def _blocks(metadata: Metadata) -> list[Entry]:
    blocks = {
        _ICC: metadata.icc,
        _XMP: metadata.xmp,
        _PHOTOSHOP: metadata.photoshop,
        _IPTC: iptc(metadata.photoshop),
    }
    return [Entry(tag, _UNDEFINED, len(v), v) for tag, v in blocks.items() if v]


def _write(writer: tifffile.TiffWriter, picture: Picture) -> None:
    array, dpi = interleaved(picture), picture.metadata.dpi
    options: dict[str, Any] = {}
    if dpi:
        options |= {"resolution": dpi, "resolutionunit": "INCH"}
    if picture.alpha is not None:
        options["extrasamples"] = ["unassalpha"]
    writer.write(
        array[..., 0] if array.shape[2] == 1 else array,
        photometric=_PHOTOMETRIC[picture.kind],  # type: ignore
        planarconfig="contig" if array.shape[2] > 1 else None,
        compression="zlib",
        metadata=None,
        software=False,
        **options,
    )


def is_sixteen_bits(content: bytes, page: int) -> bool:
    """Whether the pixels of a page have 16 bits."""
    layout = Layout.of(content)
    for i, (_, entries, _) in enumerate(directories(content)):
        if i == page:
            bits = [entry for entry in entries if entry.tag == 0x0102]
            values = [
                struct.unpack_from(layout.order + "H", entry.value, place)[0]
                for entry in bits
                for place in range(0, len(entry.value) - 1, 2)
            ]
            return 16 in values
    return False

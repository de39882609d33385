"""EXIF data of a picture: kept byte for byte, but for what a new size changes."""

import re
import struct
from collections.abc import Iterable

from contconv_cli.pictures.ifd import (
    NESTED,
    Entry,
    Layout,
    directories,
    number,
    packed,
    ratio,
)

ORIENTATION, _DETAILS = 0x0112, 0x8769
_ACROSS, _DOWN, _UNIT = 0x011A, 0x011B, 0x0128
_WIDTHS, _HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)

# What TIFF files tell beside how their pixels are stored.
# fmt: off
DESCRIPTIVE = frozenset((
    269, 270, 271, 272, 285, 297, 301, 305, 306, 315, 316, 318, 319, 18246, 18249,
    33432, 40091, 40092, 40093, 40094, 40095,
    *NESTED,
))
# fmt: on


def orientation(exif: bytes | None, xmp: bytes | None) -> int:
    """How the picture has to be turned, 1 to 8; 1 if nothing says so."""
    try:
        layout = Layout.of(exif or b"")
        found = orientation_of(_first(exif or b""), layout)
    except ValueError:
        found = None
    if found:
        return found
    match = re.search(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])", xmp or b"")
    return int(match[1]) if match else 1


def orientation_of(entries: Iterable[Entry], layout: Layout) -> int | None:
    """What the tag says, if it makes sense."""
    found = [number(e, layout) for e in entries if e.tag == ORIENTATION]
    return found[0] if found and found[0] in range(1, 9) else None


def density(exif: bytes | None) -> tuple[float, float] | None:
    """Pixels per inch, across and down."""
    try:
        return density_of(_first(exif or b""), Layout.of(exif or b""))
    except ValueError:
        return None


def density_of(entries: Iterable[Entry], layout: Layout) -> tuple[float, float] | None:
    """Pixels per inch, across and down, if the tags make sense."""
    found = {entry.tag: entry for entry in entries}
    if _ACROSS not in found or _DOWN not in found:
        return None
    across, down = (ratio(found[tag], layout) for tag in (_ACROSS, _DOWN))
    unit = number(found[_UNIT], layout) if _UNIT in found else 2
    inch = {2: 1, 3: 2.54}.get(unit or 0)
    return (across * inch, down * inch) if across and down and inch else None


def updated(exif: bytes, size: tuple[int, int], turned_by: int) -> bytes:
    """The same, of a picture that stands upright and has another size.

    Args:
        exif: As it stands in files, without the signature of JPEG.
        size: Height and width.
        turned_by: The orientation that the pixels had.
    """
    try:
        layout, pages = Layout.of(exif), list(directories(exif))
    except ValueError:
        return exif
    data = bytearray(exif)
    for entry in _with_details(pages[0][1] if pages else ()):
        new = None
        if entry.tag == ORIENTATION and number(entry, layout) is not None:
            new = (3, 1)
        elif entry.tag in _WIDTHS + _HEIGHTS:
            new = (4, size[entry.tag in _WIDTHS])
        if new:
            form = "HHLHH" if new[0] == 3 else "HHLL"
            values = (entry.tag, new[0], 1, new[1], 0)[: len(form)]
            struct.pack_into(layout.order + form, data, entry.place, *values)
    if turned_by > 4:
        _swap(data, pages[0][1] if pages else (), _ACROSS, _DOWN)
    if turned_by > 1 and pages:
        end = pages[0][2]  # the thumbnail behind it has not been turned
        data[end : end + 4] = b"\0" * 4
    return bytes(data)


def without_orientation(exif: bytes) -> bytes:
    """The same with that tag taken out, for writers that would write all anew."""
    try:
        layout, pages = Layout.of(exif), list(directories(exif))
    except ValueError:
        return exif
    data = bytearray(exif)
    for entry in pages[0][1] if pages else ():
        if entry.tag == ORIENTATION:
            end = pages[0][2] + 4
            offset = layout.unpack("L", exif, 4)
            count = layout.unpack("H", exif, offset)
            struct.pack_into(layout.order + "H", data, offset, count - 1)
            moved = exif[entry.place + 12 : end]
            data[entry.place : end] = moved + b"\0" * 12
            break
    return bytes(data)


def from_tags(entries: Iterable[Entry], layout: Layout) -> bytes | None:
    """EXIF data of what a TIFF file tells beside its pixels."""
    # Types above 13 are those of files above 4 GiB.
    kept = tuple(e for e in entries if e.tag in DESCRIPTIVE and e.type <= 13)
    if not kept:
        return None
    start = (b"II" if layout.order == "<" else b"MM") + struct.pack(
        layout.order + "HL", 42, 8
    )
    return start + packed(kept, Layout(layout.order), 8, 0)


def as_tags(exif: bytes | None, taken: frozenset[int]) -> tuple[str, tuple[Entry, ...]]:
    """The order of its bytes, and its tags but for those that are taken otherwise."""
    try:
        layout = Layout.of(exif or b"")
    except ValueError:
        return "<", ()
    return layout.order, tuple(e for e in _first(exif or b"") if e.tag not in taken)


def _first(exif: bytes) -> tuple[Entry, ...]:
    return next((entries for _, entries, _ in directories(exif)), ())


def _with_details(entries: tuple[Entry, ...]) -> list[Entry]:
    inner = [entry for e in entries if e.tag == _DETAILS for entry in e.nested]
    return [*entries, *inner]


def _swap(data: bytearray, entries: tuple[Entry, ...], *tags: int) -> None:
    places = [entry.place + 2 for entry in entries if entry.tag in tags]
    if len(places) == 2:
        a, b = (slice(place, place + 10) for place in places)
        data[a], data[b] = data[b], data[a]


def updated_xmp(xmp: bytes, size: tuple[int, int], turned_by: int) -> bytes:
    """XMP data of a picture that stands upright and has another size."""
    values = {b"tiff:Orientation": b"1"} if turned_by > 1 else {}
    width, height = (str(side).encode() for side in reversed(size))
    values |= {b"exif:PixelXDimension": width, b"exif:PixelYDimension": height}
    values |= {b"tiff:ImageWidth": width, b"tiff:ImageLength": height}
    for name, value in values.items():
        pattern = rb"(" + name + rb"\s*(?:=\s*[\"']|>)\s*)\d+"
        xmp = re.sub(pattern, rb"\g<1>" + value, xmp)
    return xmp

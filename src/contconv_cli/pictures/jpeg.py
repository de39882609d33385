"""Segments of JPEG files: what belongs to the pixels, and what stands beside them."""

import struct
from dataclasses import replace

from contconv_cli.pictures import exif
from contconv_cli.pictures.ifd import Layout, directories
from contconv_cli.pictures.picture import Metadata

# The longest content of a segment.
_MOST = 65533

_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_ICC, _PHOTOSHOP, _IMAGES = b"ICC_PROFILE\0", b"Photoshop 3.0\0", b"MPF\0"

_APP0, _APP1, _APP2, _APP13, _APP14, _COMMENT = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE
_START_OF_SCAN, _END = 0xDA, b"\xff\xd9"

# The standard's example of a table for brightness (Annex K): that of libjpeg at 50.
_BRIGHTNESS = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)

# Previews of the same picture, in the index of a file of several.
_PREVIEWS = (0x010001, 0x010002)

Segment = tuple[int, bytes]


def split(content: bytes) -> tuple[bytes, list[Segment]]:
    """The file with no more than its pixels need, and the other segments."""
    pixels, others, place = [content[:2]], [], 2
    while content[place : place + 1] == b"\xff" and place + 4 <= len(content):
        marker = content[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == _START_OF_SCAN or end > len(content):
            break
        beside = marker == _COMMENT or (_APP1 <= marker <= 0xEF and marker != _APP14)
        if beside:
            others.append((marker, content[place + 4 : end]))
        else:
            pixels.append(content[place:end])
        place = end
    return b"".join([*pixels, content[place:]]), others


def bits(content: bytes) -> int:
    """How many bits a colour has, by the frame's header; 8 if there is none."""
    place = 2
    while content[place : place + 1] == b"\xff" and place + 5 <= len(content):
        marker = content[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return content[place + 4]
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return 8


def metadata(pixels: bytes, segments: list[Segment]) -> Metadata:
    """What the segments beside the pixels tell."""
    out, icc, lost, photoshop = Metadata(), [], [], b""
    for marker, data in segments:
        if marker == _COMMENT:
            out = replace(out, comments=(*out.comments, data))
        elif marker == _APP1 and data[:5] == _EXIF[:5] and out.exif is None:
            out = replace(out, exif=data[6:])
        elif marker == _APP1 and data.startswith(_XMP):
            out = replace(out, xmp=data.removeprefix(_XMP))
        elif marker == _APP1 and data.startswith(_MORE_XMP):
            out = replace(out, more_xmp=(*out.more_xmp, data))
        elif marker == _APP2 and data.startswith(_ICC):
            icc.append(data.removeprefix(_ICC))
        elif marker == _APP2 and data.startswith(_IMAGES):
            lost += _other_images(data.removeprefix(_IMAGES))
        elif marker == _APP13 and data.startswith(_PHOTOSHOP):
            photoshop += data.removeprefix(_PHOTOSHOP)
        elif data[:5] not in (b"Ducky", b"JFXX\0", _EXIF[:5]):
            lost.append(f"the segment APP{marker - _APP0}")
    profile = _joined(icc)
    lost += ["a damaged colour profile"] if icc and not profile else []
    dpi = _density(pixels) or exif.density(out.exif)
    return replace(
        out,
        icc=profile,
        dpi=dpi,
        photoshop=photoshop or None,
        lost=tuple(dict.fromkeys(lost)),
    )


def _joined(parts: list[bytes]) -> bytes | None:
    """A profile of numbered parts, each of which says how many there are."""
    parts = sorted(part for part in parts if len(part) >= 2)
    numbered = [(i + 1, len(parts)) for i in range(len(parts))]
    if not parts or [(part[0], part[1]) for part in parts] != numbered:
        return None
    return b"".join(part[2:] for part in parts)


def _density(pixels: bytes) -> tuple[float, float] | None:
    if pixels[2:4] != b"\xff\xe0" or pixels[6:11] != b"JFIF\0" or len(pixels) < 18:
        return None
    unit, across, down = struct.unpack(">BHH", pixels[13:18])
    inch = {1: 1, 2: 2.54}.get(unit)
    return (across * inch, down * inch) if inch and across and down else None


def _other_images(index: bytes) -> list[str]:
    """Images behind the first that are no previews of it, by the file's own index."""
    try:
        layout, tags = Layout.of(index), next(directories(index))[1]
    except (ValueError, StopIteration):
        return []
    entries = next((tag.value for tag in tags if tag.tag == 0xB002), b"")
    kinds = [
        layout.unpack("L", entries, place) & 0xFFFFFF
        for place in range(0, len(entries) - 15, 16)
    ]
    others = sum(kind not in _PREVIEWS for kind in kinds[1:])
    if not others:
        return []
    return ["1 more image in it" if others == 1 else f"{others} more images in it"]


# The most bytes of each that a segment holds.
MOST_EXIF, MOST_XMP = _MOST - len(_EXIF), _MOST - len(_XMP)


def with_metadata(content: bytes, known: Metadata) -> bytes:
    """The file with what is known beside its pixels, but for profile and density."""
    segments: list[Segment] = []
    if known.exif:
        segments.append((_APP1, _EXIF + known.exif))
    if known.xmp:
        segments.append((_APP1, _XMP + known.xmp))
    segments += [(_APP1, data) for data in known.more_xmp]
    step = _MOST - len(_PHOTOSHOP)
    data = known.photoshop or b""
    for place in range(0, len(data), step):
        segments.append((_APP13, _PHOTOSHOP + data[place : place + step]))
    for comment in known.comments:
        parts = range(0, len(comment), _MOST)
        segments += [(_COMMENT, comment[place : place + _MOST]) for place in parts]
    start = 2
    if content[2:4] == b"\xff\xe0":
        start = 4 + int.from_bytes(content[4:6], "big")
    return content[:start] + b"".join(map(_segment, segments)) + content[start:]


def _segment(segment: Segment) -> bytes:
    marker, data = segment
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def quality(tables: dict[int, list[int]] | None) -> int | None:
    """How coarse the steps of brightness are, as a quality of libjpeg: 1 to 100.

    That whose table has the nearest sum; for files that libjpeg wrote, it is theirs.

    Args:
        tables: Of quantization, by their numbers; brightness has the lowest.
    """
    if not tables:
        return None
    total = sum(tables[min(tables)])
    return min(range(1, 101), key=lambda one: abs(sum(_steps(one)) - total))


def _steps(quality: int) -> list[int]:
    """The table of brightness that libjpeg takes at a quality."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [min(max((step * percent + 50) // 100, 1), 255) for step in _BRIGHTNESS]

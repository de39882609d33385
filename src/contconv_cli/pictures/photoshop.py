"""Blocks of Photoshop, in which JPEG files carry IPTC, and TIFF files often do."""

import struct

_IPTC, _THUMBNAILS = 0x0404, (0x0409, 0x040C)
_MARK = b"8BIM"

Block = tuple[int, bytes]


def blocks(data: bytes) -> list[Block]:
    """Number and content of each block; the rest of what is damaged is left out."""
    found, place = [], 0
    while data[place : place + 4] == _MARK and place + 7 <= len(data):
        named = place + 6 + 1 + data[place + 6]
        named += (named - place) % 2
        if named + 4 > len(data):
            break
        length = int.from_bytes(data[named : named + 4], "big")
        content = data[named + 4 : named + 4 + length]
        if len(content) < length:
            break
        found.append((int.from_bytes(data[place + 4 : place + 6], "big"), content))
        place = named + 4 + length + length % 2
    return found


def joined(found: list[Block]) -> bytes:
    """The blocks as they stand in a file."""
    return b"".join(
        _MARK
        + struct.pack(">HHL", number, 0, len(content))
        + content
        + b"\0" * (len(content) % 2)
        for number, content in found
    )


def iptc(data: bytes | None) -> bytes | None:
    """What they hold of IPTC."""
    return next((content for n, content in blocks(data or b"") if n == _IPTC), None)


def with_signature(data: bytes) -> bytes:
    """Blocks, of blocks or of IPTC alone."""
    return data if data.startswith(_MARK) else joined([(_IPTC, data)])


def without_thumbnails(data: bytes) -> bytes:
    """The blocks but for small pictures, which do not turn with the large one."""
    return joined([block for block in blocks(data) if block[0] not in _THUMBNAILS])

"""JPEG files without their end marker, which other programs show, and rightly so."""

import random
from io import BytesIO

import numpy as np
from PIL import Image

_END = b"\xff\xd9"
_START_OF_SCAN, _PROGRESSIVE = 0xDA, 0xC2


def completed(content: bytes) -> bytes | None:
    """The file with its end marker, if that is all it lacks; otherwise None.

    Behind the last pixel a decoder reads nothing more. Where noise in the place of the
    marker changes the picture, there were pixels missing.
    """
    content = content.removesuffix(b"\xff")
    if not _has_all_scans(content):
        return None
    last = max(content.rfind(bytes([0xFF, 0xD0 + i])) for i in range(8))
    restart = (content[last + 1] - 0xD0 + 1) % 8 if last >= 0 else 0
    noise = random.Random(0).randbytes(4096).replace(b"\xff", b"\0")
    tail = noise + bytes([0xFF, 0xD0 + restart]) + noise
    whole = content + _END
    return (
        whole
        if np.array_equal(_pixels(whole), _pixels(content + tail + _END))
        else None
    )


def _pixels(content: bytes) -> np.ndarray:
    with Image.open(BytesIO(content), formats=("JPEG",)) as image:
        return np.array(image)


def _has_all_scans(content: bytes) -> bool:
    """Whether the scans of a progressive file, which come coarse first, are all there.

    Each of the 64 coefficients of each component has to come with its last bit.
    """
    wanted, found = set(), set()
    for marker, data in _segments(content):
        if marker == _PROGRESSIVE:
            wanted = {(data[6 + 3 * i], k) for i in range(data[5]) for k in range(64)}
        elif marker == _START_OF_SCAN and len(data) >= 4:
            count = data[0]
            first, last, bits = data[1 + 2 * count : 4 + 2 * count]
            if bits & 15 == 0:
                components = [data[1 + 2 * i] for i in range(count)]
                found |= {(c, k) for c in components for k in range(first, last + 1)}
    return wanted <= found


def _segments(content: bytes) -> list[tuple[int, bytes]]:
    found, place = [], 2
    while (place := content.find(b"\xff", place)) >= 0 and place + 4 <= len(content):
        marker = content[place + 1]
        # Stuffed bytes, restarts and padding lie between the segments.
        if marker == 0 or 0xD0 <= marker <= 0xD7 or marker == 0xFF:
            place += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        found.append((marker, content[place + 4 : place + 2 + length]))
        place += 2 + length
    return found

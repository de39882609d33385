"""EXIF data of a picture: kept, but for what an enlargement changes."""

from PIL import Image

_ORIENTATION, _DETAILS, _PLACE = 0x0112, 0x8769, 0x8825
_INNER = (_DETAILS, _PLACE)
_INTEROP = 0xA005
_WIDTH, _HEIGHT = 0xA002, 0xA003

# Of a TIFF file, whose tags say as well how its pixels are stored.
_TOLD = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, *_INNER)


def exif_and_orientation(image: Image.Image) -> tuple[bytes | None, int]:
    """EXIF data that say upright, and how the picture has to be turned for that."""
    found = image.getexif()
    orientation = found.get(_ORIENTATION, 1)
    kept = Image.Exif()
    for tag in _TOLD if image.format == "TIFF" else list(found):
        if tag in found:
            kept[tag] = dict(found.get_ifd(tag)) if tag in _INNER else found[tag]
    if not len(kept):
        return None, orientation
    if _ORIENTATION in kept:
        kept[_ORIENTATION] = 1
    details = kept.get(_DETAILS, {})
    # They say how large the picture was.
    for tag in (_WIDTH, _HEIGHT):
        details.pop(tag, None)
    # It lies in the details; alone, its tag would point to where it was in the file.
    if _INTEROP in details:
        details[_INTEROP] = dict(found.get_ifd(_INTEROP))
    return kept.tobytes().removeprefix(b"Exif\0\0"), orientation

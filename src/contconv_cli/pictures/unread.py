"""What a file is that no decoder takes, in words."""

from contconv_cli.pictures import jpeg, tiff
from contconv_cli.pictures.formats import USUAL


def unread(content: bytes) -> str:
    """What messages say behind the name of the file and ``is``."""
    if content.startswith(b"MM\0+"):
        return "a BigTIFF file of high bytes first; save it as a plain TIFF file"
    if content[:4] in tiff.STARTS and (words := tiff.storage(content)):
        return (
            f"a TIFF file of {words}; save it as grey, RGB or CMYK of 8 or 16 bits, "
            "with LZW or deflate"
        )
    bits = jpeg.bits(content) if content.startswith(b"\xff\xd8") else 8
    if bits != 8:
        return f"a JPEG file of {bits} bits; save it with 8"
    return f"no picture that can be read: {USUAL}"

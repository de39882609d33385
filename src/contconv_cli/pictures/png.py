"""Chunks of PNG files: what belongs to the pixels, and what stands beside them."""

import struct
import zlib
from dataclasses import replace

from PIL import Image

from contconv_cli.pictures.photoshop import with_signature
from contconv_cli.pictures.picture import Metadata

SIGNATURE = b"\x89PNG\r\n\x1a\n"

Chunk = tuple[bytes, bytes]

# All that the decoder is shown; a damaged text is no damaged picture.
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT")

# What the numbers of the pixels mean, which no resizing changes.
COLOURS = (b"cICP", b"mDCV", b"mDCv", b"cLLI", b"cLLi", b"sRGB", b"gAMA", b"cHRM")
TEXTS = (b"tEXt", b"zTXt", b"iTXt")

# Of pixels that are no more, or the time of the last change.
_STALE = (b"bKGD", b"hIST", b"sBIT", b"sPLT", b"tIME")

_XMP = b"XML:com.adobe.xmp"
_RAW = b"Raw profile type "

# A text of 1 kB can stand for gigabytes.
_LONGEST = 2**26


def split(content: bytes) -> tuple[bytes, list[Chunk]]:
    """The file with no more than its pixels need, and the other chunks."""
    pixels, others, place = [SIGNATURE], [], len(SIGNATURE)
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        end, name = place + 12 + length, content[place + 4 : place + 8]
        if end > len(content):
            break
        if name in _PIXELS:
            pixels.append(content[place:end])
        else:
            others.append((name, content[place + 8 : end - 4]))
        place = end
        if name == b"IEND":
            return b"".join(pixels), others
    return b"".join([*pixels, content[place:]]), others


def scale_transparency(image: Image.Image, content: bytes) -> None:
    """The grey that is clear in 8 bits, as pixels are: Pillow leaves it in 2 or 4."""
    clear = image.info.get("transparency")
    if image.format == "PNG" and image.mode == "L" and isinstance(clear, int):
        image.info["transparency"] = clear * 255 // (2 ** content[24] - 1)


def metadata(chunks: list[Chunk]) -> Metadata:
    """What the chunks beside the pixels tell."""
    out, kept, lost = Metadata(), [], []
    for name, content in chunks:
        if name == b"iCCP":
            profile = _inflated(content.partition(b"\0")[2][1:])
            out = replace(out, icc=profile)
            lost += [] if profile else ["a damaged colour profile"]
        elif name == b"eXIf":
            out = replace(out, exif=content.removeprefix(b"Exif\0\0"))
        elif name == b"pHYs":
            out = replace(out, dpi=_density(content))
        elif name in TEXTS:
            known = _of_text(name, content, out)
            out = known or out
            kept += [] if known else [(name, content)]
        elif name in COLOURS or name[3:4].islower():
            kept.append((name, content))  # the format says: safe to copy
        elif name not in _STALE:
            lost.append(f"the chunk {name.decode('latin-1')}")
    return replace(out, chunks=tuple(kept), lost=tuple(lost))


def _density(content: bytes) -> tuple[float, float] | None:
    if len(content) != 9 or content[8] != 1:
        return None
    across, down = struct.unpack(">II", content[:8])
    return (across * 0.0254, down * 0.0254) if across and down else None


def _of_text(name: bytes, content: bytes, known: Metadata) -> Metadata | None:
    """What is known, and what a text adds that is data: XMP, or a raw profile."""
    keyword, _, rest = content.partition(b"\0")
    if name == b"iTXt" and keyword == _XMP:
        text = rest[2:].split(b"\0", 2)[-1]
        text = _inflated(text) if rest[:1] == b"\1" else text
        return replace(known, xmp=text) if text else None
    if name == b"iTXt" or not keyword.startswith(_RAW):
        return None
    text = rest if name == b"tEXt" else _inflated(rest[1:])
    try:
        data = bytes.fromhex((text or b"").split(b"\n", 3)[3].decode("ascii"))
    except (IndexError, ValueError):
        return None
    match keyword.removeprefix(_RAW).lower():
        case b"exif" | b"app1" if data.startswith(b"Exif\0\0"):
            return replace(known, exif=known.exif or data[6:])
        case b"xmp":
            return replace(known, xmp=known.xmp or data)
        case b"iptc" | b"8bim":
            return replace(known, photoshop=with_signature(data))
        case b"icc" | b"icm":
            return replace(known, icc=known.icc or data)
    return None


def _inflated(data: bytes) -> bytes | None:
    inflater = zlib.decompressobj()
    try:
        out = inflater.decompress(data, _LONGEST)
    except zlib.error:
        return None
    return out if inflater.eof else None


def with_metadata(content: bytes, known: Metadata) -> bytes:
    """The file with what is known beside its pixels, after its header of 25 bytes."""
    end = len(SIGNATURE) + 25
    return content[:end] + b"".join(map(_chunk, _chunks(known))) + content[end:]


def _chunks(known: Metadata) -> list[Chunk]:
    chunks = [c for c in known.chunks if c[0] not in TEXTS]
    if known.icc:
        chunks.append((b"iCCP", b"ICC\0\0" + zlib.compress(known.icc)))
    if known.dpi:
        across, down = (round(dpi / 0.0254) for dpi in known.dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    if known.exif:
        chunks.append((b"eXIf", known.exif))
    if known.xmp:
        chunks.append((b"iTXt", _XMP + bytes(5) + known.xmp))
    chunks += [_comment(comment) for comment in known.comments]
    return chunks + [c for c in known.chunks if c[0] in TEXTS]


def _comment(comment: bytes) -> Chunk:
    comment = comment.replace(b"\0", b"")
    try:
        comment.decode()
    except UnicodeDecodeError:
        return b"tEXt", b"Comment\0" + comment
    return b"iTXt", b"Comment" + bytes(5) + comment


def _chunk(chunk: Chunk) -> bytes:
    name, content = chunk
    checked = name + content
    length, check = struct.pack(">I", len(content)), zlib.crc32(checked)
    return length + checked + struct.pack(">I", check)

"""What is kept beside the pixels: brought to a new size, and to another format."""

from dataclasses import replace

from contconv_cli.pictures import jpeg, png
from contconv_cli.pictures.exif import updated, updated_xmp
from contconv_cli.pictures.formats import FORMATS
from contconv_cli.pictures.photoshop import without_thumbnails
from contconv_cli.pictures.picture import Metadata


def of_size(known: Metadata, size: tuple[int, int]) -> Metadata:
    """The same, of an upright picture of another size; height and width."""
    turned_by = known.turned_by
    photoshop = known.photoshop
    if photoshop and turned_by > 1:
        photoshop = without_thumbnails(photoshop)
    return replace(
        known,
        exif=known.exif and updated(known.exif, size, turned_by),
        xmp=known.xmp and updated_xmp(known.xmp, size, turned_by),
        photoshop=photoshop,
        turned_by=1,
    )


def that_fits(known: Metadata, form: str) -> tuple[Metadata, list[str]]:
    """What files of a format hold of it, and what they do not, in words."""
    holds, lost = FORMATS[form].holds, list(known.lost)
    parts = {
        "profile": ("icc", "the colour profile"),
        "exif": ("exif", "EXIF data"),
        "xmp": ("xmp", "XMP"),
        "more xmp": ("more_xmp", "a part of the XMP"),
        "photoshop": ("photoshop", "IPTC and other blocks of Photoshop"),
        "comments": ("comments", "a comment"),
        "density": ("dpi", ""),  # of no weight where nothing is printed
    }
    for part, (name, words) in parts.items():
        value = getattr(known, name)
        if value and part not in holds:
            known = replace(known, **{name: () if isinstance(value, tuple) else None})
            lost += [words] if words else []
    if known.chunks and "chunks" not in holds:
        lost += _of_chunks([name for name, _ in known.chunks], known)
        known = replace(known, chunks=())
    if form == "WEBP" and known.icc and known.icc[16:20] == b"GRAY":
        known = replace(known, icc=None)  # its colours are always three
        lost.append("the colour profile, which is one of grey")
    if form == "JPEG":
        known, more = _in_segments(known)
        lost += more
    return replace(known, lost=()), lost


def _in_segments(known: Metadata) -> tuple[Metadata, list[str]]:
    """Without what is too long for a segment of JPEG."""
    lost = []
    for name, most in (("exif", jpeg.MOST_EXIF), ("xmp", jpeg.MOST_XMP)):
        data = getattr(known, name)
        if data and len(data) > most:
            known = replace(known, **{name: None})
            lost.append(
                f"{name.upper()} of {len(data)} bytes, of which JPEG holds {most}"
            )
    return known, lost


def _of_chunks(names: list[bytes], known: Metadata) -> list[str]:
    colours = [name.decode() for name in png.COLOURS if name in names]
    if known.icc:
        colours = [name for name in colours if name.startswith(("cICP", "m", "cLL"))]
    if "sRGB" in colours:  # what is meant where nothing is said, as the two others say
        colours = [n for n in colours if n not in ("sRGB", "gAMA", "cHRM")]
    lost = [f"what colours mean ({', '.join(colours)})"] if colours else []
    texts = {
        content.partition(b"\0")[0].decode("latin-1")
        for name, content in known.chunks
        if name in png.TEXTS
    }
    return lost + ([f"texts ({', '.join(sorted(texts))})"] if texts else [])

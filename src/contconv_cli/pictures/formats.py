"""Formats of pictures, by the suffixes of their names."""

from pathlib import Path

from contconv_cli.errors import PictureError

SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}


def form_of(path: Path) -> str:
    """The format that a file's name asks for.

    Raises:
        PictureError: If it is none that is written.
    """
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise PictureError(
            f"{path} has the suffix {path.suffix!r}; pictures are written as one of "
            + ", ".join(SUFFIXES)
        )
    return form

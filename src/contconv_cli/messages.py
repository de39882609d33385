"""Messages: the text of users, such as names of files, is never markup or control."""

import sys
from contextlib import suppress


def in_one_line(text: object) -> str:
    """The text in one line, in which what does not print is written out."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def tell_line(line: str) -> None:
    """Print a line on stderr; where that is closed or full, work goes on without."""
    if sys.stderr is None:
        return  # print would take stdout, where a picture may be
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)

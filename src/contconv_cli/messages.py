"""Messages: the text of users, such as names of files, is never markup or control."""


def in_one_line(text: object) -> str:
    """The text in one line, in which what does not print is written out."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))

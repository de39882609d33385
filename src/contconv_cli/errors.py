"""What can be wrong: with one picture, or with all that was asked for."""


class PictureError(Exception):
    """A picture cannot be read, made, or written; the message is one line."""


class SetupError(Exception):
    """No picture can be made: of a network or a device there is none."""

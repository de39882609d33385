"""One axis at a time."""

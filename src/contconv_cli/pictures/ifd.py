"""Directories of tags, as TIFF files and EXIF data hold them, byte for byte.

Values are never interpreted but where their meaning is needed: what a camera wrote,
odd as it may be, stays what it was.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

# Bytes of a value of each type, from BYTE to IFD8.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}
_LONG = 4

# Tags that point to a directory: details, place, interoperability.
NESTED = (0x8769, 0x8825, 0xA005)

# Nested directories could point to each other.
_DEEPEST = 3


@dataclass(frozen=True)
class Entry:
    """A tag.

    Attributes:
        tag: Its number.
        type: That of its values; 2 is text.
        count: How many values there are.
        value: Their bytes, in the order of the file.
        place: Where the entry lies in the file.
        nested: The directory that it points to.
    """

    tag: int
    type: int
    count: int
    value: bytes
    place: int = 0
    nested: tuple["Entry", ...] = ()


@dataclass(frozen=True)
class Layout:
    """How a file writes numbers: ``"<"`` or ``">"``, and whether it is a BigTIFF."""

    order: str
    big: bool = False

    @classmethod
    def of(cls, data: bytes) -> "Layout":
        """As the first bytes say.

        Raises:
            ValueError: If they are not those of a TIFF file.
        """
        order = {b"II": "<", b"MM": ">"}.get(data[:2])
        if order is None or len(data) < 8:
            raise ValueError("not a TIFF structure")
        kind = struct.unpack(order + "H", data[2:4])[0]
        if kind not in (42, 43):
            raise ValueError("not a TIFF structure")
        return cls(order, kind == 43)

    @property
    def pointer(self) -> str:
        """The format of an offset."""
        return self.order + ("Q" if self.big else "L")

    def unpack(self, form: str, data: bytes, place: int) -> int:
        """A number of the file."""
        return struct.unpack_from(self.order + form, data, place)[0]


def first_pointer(layout: Layout) -> int:
    """Where the offset of the first directory lies."""
    return 8 if layout.big else 4


def directories(data: bytes) -> Iterator[tuple[int, tuple[Entry, ...], int]]:
    """Each directory of the chain: where the offset to it lies, its tags, its end.

    At its end lies the offset of the next one. What is damaged is left out.
    """
    layout = Layout.of(data)
    pointer, seen = first_pointer(layout), set()
    while True:
        try:
            offset = struct.unpack_from(layout.pointer, data, pointer)[0]
            if offset == 0 or offset in seen:
                return
            seen.add(offset)
            entries, end = _directory(data, offset, layout)
        except struct.error:
            return
        yield pointer, entries, end
        pointer = end


def _directory(
    data: bytes, offset: int, layout: Layout, depth: int = 0
) -> tuple[tuple[Entry, ...], int]:
    head, step = (8, 20) if layout.big else (2, 12)
    count = layout.unpack("Q" if layout.big else "H", data, offset)
    if offset + head + count * step > len(data):
        raise struct.error("a directory beyond the end of the file")
    start = offset + head
    places = range(start, start + count * step, step)
    entries = (_entry(data, place, layout, depth) for place in places)
    return tuple(entry for entry in entries if entry), start + count * step


def _entry(data: bytes, place: int, layout: Layout, depth: int) -> Entry | None:
    tag, type_ = (layout.unpack("H", data, place + i) for i in (0, 2))
    count = layout.unpack("Q" if layout.big else "L", data, place + 4)
    inline, width = (place + 12, 8) if layout.big else (place + 8, 4)
    length = _SIZES.get(type_, 0) * count
    if length == 0:
        return None
    start = inline
    if length > width:
        start = struct.unpack_from(layout.pointer, data, inline)[0]
    value = data[start : start + length]
    if len(value) < length:
        return None
    nested: tuple[Entry, ...] = ()
    entry = Entry(tag, type_, count, value, place)
    if tag in NESTED and depth < _DEEPEST:
        try:
            nested, _ = _directory(data, number(entry, layout) or 0, layout, depth + 1)
        except struct.error:
            return None  # it points to nothing
        entry = Entry(tag, type_, count, value, place, nested)
    return entry


def number(entry: Entry, layout: Layout) -> int | None:
    """The first value, if it is a whole number."""
    form = _INTEGERS.get(entry.type)
    return None if form is None else layout.unpack(form, entry.value, 0)


def ratio(entry: Entry, layout: Layout) -> float | None:
    """The first value, if it is a fraction."""
    if entry.type != 5:
        return None
    above, below = (layout.unpack("L", entry.value, i) for i in (0, 4))
    return above / below if below else None


def packed(entries: tuple[Entry, ...], layout: Layout, base: int, after: int) -> bytes:
    """A directory and the values of its tags, for the place ``base`` of a file.

    Args:
        entries: Its tags.
        layout: Of the file; never a BigTIFF.
        base: Where it will lie; even.
        after: The offset of the next directory, 0 if there is none.
    """
    entries = tuple(sorted(entries, key=lambda entry: entry.tag))
    order, head = layout.order, 2 + 12 * len(entries) + 4
    table, values = struct.pack(order + "H", len(entries)), b""
    for entry in entries:
        place = base + head + len(values)
        value, type_, count = entry.value, entry.type, entry.count
        if entry.nested:
            values += packed(entry.nested, layout, place, 0)
            value, type_, count = struct.pack(order + "L", place), _LONG, 1
        elif len(value) > 4:
            values += value + b"\0" * (len(value) % 2)
            value = struct.pack(order + "L", place)
        table += struct.pack(order + "HHL", entry.tag, type_, count)
        table += value.ljust(4, b"\0")
    return table + struct.pack(order + "L", after) + values


def with_entries(content: bytes, extra: list[tuple[Entry, ...]]) -> bytes:
    """A TIFF file, not a big one, with more tags in each of its directories.

    The directories are written anew at its end.
    """
    layout, data = Layout.of(content), bytearray(content)
    pages = list(directories(content))
    pointer = first_pointer(layout)
    for (_, entries, end), more in zip(pages, extra, strict=True):
        data += b"\0" * (len(data) % 2)
        base, known = len(data), {entry.tag for entry in more}
        data[pointer : pointer + 4] = struct.pack(layout.pointer, base)
        old = tuple(entry for entry in entries if entry.tag not in known)
        after = struct.unpack_from(layout.pointer, content, end)[0]
        data += packed((*old, *more), layout, base, after)
        pointer = base + 2 + 12 * (len(old) + len(more))
    return bytes(data)


def only(content: bytes, tags: frozenset[int]) -> bytes:
    """The file with no other tags than these in its directories."""
    layout, data = Layout.of(content), bytearray(content)
    step, form = (20, "Q") if layout.big else (12, "H")
    width = struct.calcsize(layout.pointer)
    for pointer, entries, end in directories(content):
        offset = struct.unpack_from(layout.pointer, content, pointer)[0]
        kept = [
            content[entry.place : entry.place + step]
            for entry in entries
            if entry.tag in tags
        ]
        block = struct.pack(layout.order + form, len(kept)) + b"".join(kept)
        block += content[end : end + width]
        data[offset : offset + len(block)] = block
    return bytes(data)

"""Reads protobuf messages without their classes: fields by number, nothing copied, nothing believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_VARINT, _EIGHT, _BLOCK, _FOUR = 0, 1, 2, 5
_FIXED_BYTES = {_EIGHT: 8, _FOUR: 4}
_MOST_BITS = 64
# No network for a camera has more; a damaged file may, and would keep the reader busy.
_MOST_FIELDS = 1_000_000

Field = tuple[int, int | memoryview]
"""Its number, and an integer or a block's bytes."""


def fields_of(data: memoryview) -> Iterator[Field]:
    """Each field of a message, nothing copied; raises ValueError or IndexError: it is damaged."""
    at = count = 0
    while at < len(data):
        count += 1
        if count > _MOST_FIELDS:
            raise ValueError(f"a message has more than {_MOST_FIELDS} fields")
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BLOCK:
            size, at = _varint(data, at)
        elif kind in _FIXED_BYTES:
            size = _FIXED_BYTES[kind]
        else:
            raise ValueError(f"a field has the wire type {kind}")
        # A negative size would send the reader back, for ever.
        if size < 0 or at + size > len(data):
            raise ValueError(f"it refers to byte {at + size} of {len(data)}")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, _MOST_BITS + 6, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 - the bit that says: more to come
            return value - (1 << _MOST_BITS) if value >> (_MOST_BITS - 1) else value, at
    raise ValueError("a number has no end")


def numbers(value: int | memoryview) -> Iterator[int]:
    """A repeated integer's one value, or those of a packed block."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = _varint(value, at)
        yield number


def block(value: int | memoryview) -> memoryview:
    """A block's bytes; raises ValueError: it is a number."""
    if isinstance(value, int):
        raise ValueError("a number stands where a message should")  # noqa: TRY004 - of the file, not of a caller
    return value


def text(value: int | memoryview) -> str:
    """A block as text; what is no UTF-8 is replaced."""
    return bytes(block(value)).decode("utf-8", errors="replace")


def messages(fields: Sequence[Field], *wanted: int) -> Iterator[list[Field]]:
    """The fields of each message that has one of these numbers."""
    return (list(fields_of(block(value))) for number, value in fields if number in wanted)

"""Reading a flatbuffer that may be damaged: every read is bounded, and so is the work in all.

The generated accessors of the usual packages trust the file: a flipped bit in a vector's length makes
them read for hours. A flatbuffer needs few kinds of read, so they are done here, checked.
Format: flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from typing import Any

from edgecam.errors import ModelError

_OFFSET_BYTES = 4
# All vectors of a sound file fit into it; four times its size leaves room for vectors that are shared.
_WORK_PER_BYTE = 4


class Buffer:
    """The bytes of one flatbuffer, read little-endian and only within bounds."""

    def __init__(self, data: bytes | memoryview, *, name: str) -> None:
        """Args: the whole file, and what messages call it."""
        self.data = memoryview(data)
        self._name = name
        self._work_left = _WORK_PER_BYTE * len(data)

    @property
    def root(self) -> Table:
        """The root table."""
        return Table(self, self.offset(0))

    def scalar(self, fmt: str, at: int) -> Any:
        """One number of struct format `fmt` at byte `at`."""
        self.check(at, struct.calcsize(f"<{fmt}"))
        return struct.unpack_from(f"<{fmt}", self.data, at)[0]

    def offset(self, at: int) -> int:
        """Where the relative offset stored at `at` points to."""
        return at + int(self.scalar("I", at))

    def span(self, at: int, size_bytes: int) -> memoryview:
        """`size_bytes` bytes from `at`, not copied."""
        self.check(at, size_bytes)
        return self.data[at : at + size_bytes]

    def check(self, at: int, size_bytes: int) -> None:
        """Refuse to look outside the file."""
        if at < 0 or at + size_bytes > len(self.data):
            end = at + size_bytes
            raise self.damaged(f"it refers to byte {end}, but has {len(self.data)} (cut short?)")

    def spend(self, size_bytes: int) -> None:
        """Count a vector that is about to be walked against what a sound file can hold."""
        self._work_left -= size_bytes
        if self._work_left < 0:
            raise self.damaged("its parts overlap without end")

    def damaged(self, why: str) -> ModelError:
        """The error for a file that cannot be what it says; the caller raises it."""
        return ModelError(f"{self._name}: is damaged: {why}; fetch it again")


class Table:
    """One table: fields by their number in the schema, absent ones as the default."""

    __slots__ = ("_at", "_buffer", "_vtable", "_vtable_bytes")

    def __init__(self, buffer: Buffer, at: int) -> None:
        self._buffer, self._at = buffer, at
        self._vtable = at - buffer.scalar("i", at)
        self._vtable_bytes = buffer.scalar("H", self._vtable)

    def scalar(self, field: int, fmt: str, default: int = 0) -> int:
        """An integer of struct format `fmt`."""
        at = self._field(field)
        return default if at is None else int(self._buffer.scalar(fmt, at))

    def scalars(self, field: int, fmt: str) -> tuple[Any, ...]:
        """A vector of numbers of struct format `fmt`; empty when absent."""
        size = struct.calcsize(f"<{fmt}")
        start, count = self._vector(field, size)
        return struct.unpack_from(f"<{count}{fmt}", self._buffer.data, start) if count else ()

    def text(self, field: int) -> str:
        """A string; bytes that are no UTF-8 are replaced."""
        start, count = self._vector(field, 1)
        return bytes(self._buffer.span(start, count)).decode("utf-8", errors="replace")

    def blob(self, field: int) -> memoryview:
        """A vector of bytes, not copied and so not counted as work; empty when absent."""
        start, count = self._vector(field, 0)
        return self._buffer.span(start, count)

    def table(self, field: int) -> Table | None:
        """The table that a field refers to."""
        at = self._field(field)
        return None if at is None else Table(self._buffer, self._buffer.offset(at))

    def tables(self, field: int) -> list[Table]:
        """A vector of tables; empty when absent."""
        start, count = self._vector(field, _OFFSET_BYTES)
        places = range(start, start + _OFFSET_BYTES * count, _OFFSET_BYTES)
        return [Table(self._buffer, self._buffer.offset(at)) for at in places]

    def _field(self, field: int) -> int | None:
        # A vtable is two uint16 (its size, the table's size), then a uint16 per field; 0 is absent.
        entry = 2 * (2 + field)
        if entry + 2 > self._vtable_bytes:
            return None
        offset = self._buffer.scalar("H", self._vtable + entry)
        return self._at + offset if offset else None

    def _vector(self, field: int, item_bytes: int) -> tuple[int, int]:
        at = self._field(field)
        if at is None:
            return 0, 0
        start = self._buffer.offset(at)
        count = int(self._buffer.scalar("I", start))
        self._buffer.check(start + _OFFSET_BYTES, count * max(item_bytes, 1))
        self._buffer.spend(count * item_bytes)
        return start + _OFFSET_BYTES, count

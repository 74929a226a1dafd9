"""The files of the evidence: appended to, made room for, found again after a restart."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgecam.history.shelf import Shelf, day_of_events, events_name, moment, picture_name

_UNFINISHED = ".part"
# A day's file goes as a whole, so that none may grow to a large part of the quota.
_PARTS = 8
_FLAGS = os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Archive:
    """For one thread. Whatever the disk refuses is an OSError; `open` it again then."""

    def __init__(self, folder: Path, *, max_bytes: int, keep_days: int) -> None:
        """Touch nothing yet.

        Args:
            folder: where all of it lies.
            max_bytes: what it may take.
            keep_days: days after which each file goes.
        """
        self._folder = folder
        self._max_bytes, self._keep_days = max_bytes, keep_days
        self._shelf = Shelf(max_bytes=max_bytes, keep_days=keep_days)
        self._parts: dict[str, int] = {}
        """The newest part of each day's events."""

    @property
    def total_bytes(self) -> int:
        """What all of it takes."""
        return self._shelf.total_bytes

    def open(self) -> None:
        """Make the folder, and learn what an earlier run has left; raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._shelf = Shelf(max_bytes=self._max_bytes, keep_days=self._keep_days)
        self._parts = {}
        for name, path in _files(self._folder):
            if name.endswith(_UNFINISHED):
                path.unlink(missing_ok=True)
                continue
            with contextlib.suppress(FileNotFoundError):
                self._shelf.put(name, path.stat(follow_symlinks=False).st_size)
            if (events := day_of_events(name)) is not None:
                day, part = events
                self._parts[day] = max(part, self._parts.get(day, 1))

    def add_event(self, event: Mapping[str, object], *, today: str | None) -> bool:
        """Keep one, on the disk before this returns; False: there is no room for so large a one.

        Raises:
            OSError: the disk refuses.
            ValueError: the event holds what must not become a path.
        """
        line = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        if not self._make_room(len(line) + 1, today):
            return False
        day = moment(event)[:10]
        part = self._parts.get(day, 1)
        if self._shelf.size(events_name(day, part)) > self._max_bytes // _PARTS:
            part += 1
        name = events_name(day, part)
        self._parts[day] = part
        self._shelf.put(name, _append(self._folder / name, line))
        return True

    def add_picture(self, event: Mapping[str, object], jpeg: bytes, *, today: str | None) -> bool:
        """Keep the picture of an episode's start; returns and raises as `add_event`."""
        name = picture_name(event)
        if not self._make_room(len(jpeg), today):
            return False
        path = self._folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _write_whole(path, jpeg)
        self._shelf.put(name, len(jpeg))
        return True

    def tidy(self, *, today: str | None) -> None:
        """Remove what is too old or too much; raises OSError."""
        self._make_room(0, today)

    def _make_room(self, coming_bytes: int, today: str | None) -> bool:
        if not self._shelf.fits(coming_bytes):
            return False
        while (name := self._shelf.next_out(coming_bytes=coming_bytes, today=today)) is not None:
            path = self._folder / name
            path.unlink(missing_ok=True)
            self._shelf.drop(name)
            if path.parent != self._folder:
                # The last picture of a day takes the day's folder along.
                with contextlib.suppress(OSError):
                    path.parent.rmdir()
        return True


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file in the folder and one level below: its name from there, and its path."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from ((f"{path.name}/{inner.name}", inner) for inner in path.iterdir())
        else:
            yield path.name, path


def _append(path: Path, line: bytes) -> int:
    """Add a line, all of it or nothing; returns the file's size after that, in bytes."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | _FLAGS, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            # A power cut has torn the last line: this one must not grow onto it.
            line = b"\n" + line
        try:
            _write(descriptor, line)
            os.fdatasync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
        return size + len(line)
    finally:
        os.close(descriptor)


def _write_whole(path: Path, content: bytes) -> None:
    """A file that is there with all of its content, or not at all."""
    unfinished = path.with_name(path.name + _UNFINISHED)
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_TRUNC | _FLAGS, 0o600)
        try:
            _write(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        unfinished.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def _write(descriptor: int, content: bytes) -> None:
    """All of it: a disk that fills up takes a part, and says so only the next time."""
    if os.write(descriptor, content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

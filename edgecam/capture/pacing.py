"""Playing made or recorded frames like a camera: each at its moment, or as fast as they are read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgecam.capture.base import BaseCamera, boot_ns
from edgecam.errors import CameraLost, EndOfRecording, UnreadableFrame
from edgecam.records import AgeBasis, Image, Shot

# Behind by more than this (the machine slept, the reader stood still), the schedule moves; until then a late
# frame is given at once and the next is due when it always was.
_MAX_ARREARS_NS = 1_000_000_000


class Pacer:
    """Holds a schedule (ns since the first frame) against the clock; the first frame is due at once."""

    def __init__(
        self, *, now_ns: Callable[[], int] = boot_ns, wait: Callable[[float], object] | None = None
    ) -> None:
        """Take the clock, and what waits for a number of seconds (default: until then or `interrupt`)."""
        self._interrupted = threading.Event()
        self._now_ns = now_ns
        self._wait = wait or self._interrupted.wait
        self._origin_ns: int | None = None

    def reach(self, offset_ns: int, *, timeout_s: float) -> bool:
        """Wait for `offset_ns`, at most `timeout_s`; True if its moment has come and nobody interrupted."""
        now_ns = self._now_ns()
        if self._origin_ns is None or now_ns - self._origin_ns - offset_ns > _MAX_ARREARS_NS:
            self._origin_ns = now_ns - offset_ns
        remaining_s = (self._origin_ns + offset_ns - now_ns) / 1e9
        if remaining_s > timeout_s:
            self._wait(timeout_s)
            return False
        if remaining_s > 0:
            self._wait(remaining_s)
        return not self._interrupted.is_set()

    def interrupt(self) -> None:
        """End a wait that goes on in another thread, and every later one."""
        self._interrupted.set()


@dataclass(frozen=True, slots=True, eq=False)
class Scheduled:
    """A frame, or why there is none, and when it is due."""

    due_ns: int
    """Since the first frame."""
    content: Image | UnreadableFrame | Callable[[], Image]
    """A function makes it when it is due: for pictures that cost next to nothing."""


class Playback(BaseCamera):
    """A camera whose frames are made or read by an iterator.

    The next frame is read before it is due, so that reading it does not make it come late. With no pacer,
    frames are given as fast as they are read. A reader that falls behind loses none of them.
    """

    def __init__(
        self, frames: Iterator[Scheduled], *, pacer: Pacer | None, live: bool, description: str
    ) -> None:
        super().__init__(live=live, description=description)
        self._frames = frames
        self._pacer = pacer
        self._next: Scheduled | None = None
        self._closed = threading.Event()

    def read(self, timeout_s: float) -> Shot | None:
        """The next frame, or None if it is not due within `timeout_s`.

        Raises:
            UnreadableFrame: this picture cannot be decoded; the next may be fine.
            EndOfRecording: every frame has been given.
            CameraLost: it was closed before.
        """
        if self._closed.is_set():
            raise CameraLost(f"{self.description} was closed; open it anew")
        self._next = self._next or next(self._frames, None)
        if self._closed.is_set():
            return None
        if self._next is None:
            raise EndOfRecording(f"{self.description} has been played to its end")
        if self._pacer and not self._pacer.reach(self._next.due_ns, timeout_s=timeout_s):
            return None
        content, self._next = self._next.content, None
        if isinstance(content, UnreadableFrame):
            raise content
        image = content if isinstance(content, Image) else content()
        return Shot(image=image, captured_ns=boot_ns(), basis=AgeBasis.ARRIVAL)

    def close(self) -> None:
        """End a waiting read; what the iterator holds open is released when no reader is in it."""
        self._closed.set()
        if self._pacer:
            self._pacer.interrupt()
        self._frames = iter(())

"""What the doors of this room share: the clock, and how a camera is closed."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgecam.config.service_file import is_in_a_home
from edgecam.errors import CameraLost, SourceError


def boot_ns() -> int:
    """CLOCK_BOOTTIME in nanoseconds, the clock of every capture time."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def unreadable(path: Path, error: OSError, *, shown: str) -> SourceError:
    """The refusal of a recording that is there and cannot be read.

    Args:
        path: absolute.
        error: why.
        shown: what the user wrote.
    """
    text = f"{shown}: {path} cannot be read ({error.strerror}); check its permissions"
    if isinstance(error, PermissionError) and is_in_a_home(path):
        text += "; a service does not see /home: put it into /srv"
    return SourceError(text)


class BaseCamera(ABC):
    """`live`, `description` and the context manager of `Camera`."""

    def __init__(self, *, live: bool, description: str) -> None:
        self.live = live
        self.description = description

    @abstractmethod
    def close(self) -> None:
        """Give the source back; again and again does no harm."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class SharedCapture:
    """A `cv2.VideoCapture` that one thread reads and any thread closes.

    Releasing it under a reader crashes the process; so who leaves it last, reader or closer, releases it.
    """

    def __init__(self, capture: Any, *, description: str) -> None:
        self._capture = capture
        self._description = description
        self._lock = threading.Lock()
        self._closed = threading.Event()

    @property
    def closed(self) -> bool:
        """True once `close` was called; the device may still be with a reader."""
        return self._closed.is_set()

    @contextmanager
    def use(self) -> Iterator[Any]:
        """The capture, for one read.

        Raises:
            CameraLost: it was closed before.
        """
        try:
            with self._lock:
                if self.closed:
                    raise CameraLost(f"{self._description} was closed; open it anew")
                yield self._capture
        finally:
            if self.closed:
                self._release()

    def close(self) -> None:
        """Release the capture now, or when its reader leaves it."""
        self._closed.set()
        self._release()

    def _release(self) -> None:
        if self._lock.acquire(blocking=False):
            try:
                self._capture.release()
            finally:
                self._lock.release()

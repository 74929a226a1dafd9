"""Camera buffers that outlive the read of their frame, so that its main picture can be copied if wanted.

A buffer is needed for as long as its frame is in anybody's hands, and a frame ends in many places: it is
superseded, skipped, classified, shown. So nobody has to remember to give it back, and nobody can keep it for
good: where too many frames are under way, the oldest loses its buffer and, with it, its main picture.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Any

from edgecam.capture.picamera_setup import LIBRARY_ERRORS
from edgecam.records import Image

log = logging.getLogger(__name__)


class HeldRequests:
    """The requests of one opening that are held, each released exactly once.

    `hold` and `give_back` are for the reader; `take_picture` and `drop` for any thread.
    """

    def __init__(self, copy: Callable[[Any], Image], *, most: int) -> None:
        """Args: copies the main picture out of a request; how many may be held, beside one under a copy."""
        self.copying = Lock()
        """Held while a buffer is read, so that `close` takes none away under a copy."""
        self._copy = copy
        self._most = most
        self._lock = Lock()
        self._held: dict[int, Any] = {}
        """By number, the oldest first."""
        self._dropped: deque[int] = deque()
        self._count = 0

    def hold(self, request: Any) -> HeldPicture:
        """Keep a request for as long as somebody has the returned picture."""
        self._count += 1
        with self._lock:
            self._held[self._count] = request
        return HeldPicture(self, self._count)

    def give_back(self) -> None:
        """Release what no frame needs any more, and the oldest until there is room for one.

        Raises:
            Exception: what the library raised, once all of them were tried.
        """
        faults = [fault for request in self._spare() if (fault := _release(request)) is not None]
        if faults:
            raise faults[0]

    def take_picture(self, number: int) -> Image | None:
        """The main picture of a held request, which is released; None: it was before. With `copying` held."""
        with self._lock:
            request = self._held.pop(number, None)
        if request is None:
            return None
        try:
            return self._copy(request)
        except LIBRARY_ERRORS as error:
            log.warning("main picture not readable error=%s", error)
            return None
        finally:
            _release(request)

    def drop(self, number: int) -> None:
        """The frame is no more.

        The garbage collector may call this in the middle of anything, a release under Picamera2's own lock
        included: so it takes no lock, and leaves the release to the reader.
        """
        self._dropped.append(number)

    def close(self) -> None:
        """Release all of them, before the camera is closed; pictures that were copied stay."""
        with self.copying, self._lock:
            while self._held:
                _release(self._held.popitem()[1])

    def _spare(self) -> list[Any]:
        spare: list[Any] = []
        with self._lock:
            while self._dropped:
                number = self._dropped.popleft()
                if number in self._held:
                    spare.append(self._held.pop(number))
            while len(self._held) >= self._most:
                spare.append(self._held.pop(next(iter(self._held))))
        return spare


class HeldPicture:
    """The main picture of one frame; its request is held until it was copied, or this is gone."""

    def __init__(self, requests: HeldRequests, number: int) -> None:
        self._requests = requests
        self._number = number
        self._image: Image | None = None

    def copy(self) -> Image | None:
        """See `FullPicture.copy`."""
        with self._requests.copying:
            if self._image is None:
                self._image = self._requests.take_picture(self._number)
            return self._image

    def __del__(self) -> None:
        self._requests.drop(self._number)


def _release(request: Any) -> Exception | None:
    """Give it back; a camera that takes none has gone, and that is for its reader to say."""
    try:
        request.release()
    except LIBRARY_ERRORS as error:
        log.debug("camera takes no buffer back error=%s", error)
        return error
    return None

"""Pictures of what happened: JPEGs of single frames, made in a thread of their own and taken back in time."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Condition
from typing import Protocol

import cv2

from edgecam import clock
from edgecam.records import Frame, Image
from edgecam.vision.geometry import View
from edgecam.vision.upright import upright

log = logging.getLogger(__name__)

_JPEG_QUALITY = 85


class Showing(Protocol):
    """Where the pictures go."""

    def snapshot(self, camera: str, jpeg: bytes, *, keep_s: float) -> None:
        """Show a picture; an empty one takes away what is shown."""


class Snapshots:
    """Of each camera at most one picture is shown, one frame waits to become one, and the newest is kept.

    All but `run` is for any thread and never waits.
    """

    def __init__(self, publisher: Showing, views: Mapping[str, View], *, keep_s: float) -> None:
        """Args: who shows them; how each camera is mounted; how long a picture is shown, in seconds."""
        self._publisher = publisher
        self._views = views
        self._keep_s = keep_s
        self._changed = Condition()
        self._newest: dict[str, Frame] = {}
        self._wanted: dict[str, Frame] = {}
        self._shown_until_ns: dict[str, int] = {}
        self._barred: set[str] = set()
        """Cameras that were switched off: a straggler from before must not be shown."""
        self._closed = False

    def see(self, frame: Frame) -> None:
        """A frame was captured."""
        self._newest[frame.camera] = frame
        self._barred.discard(frame.camera)

    def take(self, frame: Frame) -> None:
        """Show this frame; one of the same camera that waits is given up for it."""
        with self._changed:
            # A frame of a camera that was just taken out of the configuration is nobody's.
            if frame.camera in self._views and frame.camera not in self._barred:
                self._wanted[frame.camera] = frame
                self._changed.notify()

    def take_newest(self, camera: str) -> int | None:
        """Show the newest frame; its number, None if there is none."""
        frame = self._newest.get(camera)
        if frame is not None:
            self.take(frame)
        return None if frame is None else frame.seq

    def forget(self, camera: str) -> None:
        """The camera was closed: what was its newest frame is an old one."""
        self._newest.pop(camera, None)

    def clear(self, camera: str) -> None:
        """The camera was switched off: nothing is shown of it until it gives frames again."""
        with self._changed:
            self._barred.add(camera)
            self._wanted.pop(camera, None)
            if camera in self._shown_until_ns:
                self._shown_until_ns[camera] = 0
                self._changed.notify()

    def revise(self, views: Mapping[str, View], *, keep_s: float) -> None:
        """These are the cameras now, mounted so; what is shown already stays as long as it was meant to."""
        with self._changed:
            gone = self._views.keys() - views.keys()
            self._views, self._keep_s = views, keep_s
            for camera in gone:
                self._newest.pop(camera, None)
                self._wanted.pop(camera, None)
                self._shown_until_ns.pop(camera, None)

    def run(self) -> None:
        """Make pictures and take them back until `close`; what an earlier run has left goes at the start."""
        with self._changed:
            self._shown_until_ns = dict.fromkeys(self._views, 0)
            while not self._closed:
                self._clear_what_is_due()
                if not self._wanted:
                    self._changed.wait(self._patience_s())
                else:
                    camera = next(iter(self._wanted))
                    self._show(camera, self._wanted[camera])
            for camera in list(self._shown_until_ns):
                self._clear(camera)

    def close(self) -> None:
        """End `run`, and show nothing any more: nobody would take it back in time."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _show(self, camera: str, frame: Frame) -> None:
        """Make the picture without the lock; it is shown if it is still wanted then."""
        view = self._views[camera]
        with self._let_go():
            jpeg = encode(frame.for_people(), view)
        if self._wanted.get(camera) is frame:
            del self._wanted[camera]
            self._shown_until_ns[camera] = clock.boot_ns() + int(self._keep_s * 1e9)
            with self._let_go():
                self._publisher.snapshot(camera, jpeg, keep_s=self._keep_s)

    def _clear_what_is_due(self) -> None:
        now_ns = clock.boot_ns()
        for camera in [camera for camera, until_ns in self._shown_until_ns.items() if until_ns <= now_ns]:
            self._clear(camera)

    def _clear(self, camera: str) -> None:
        del self._shown_until_ns[camera]
        with self._let_go():
            self._publisher.snapshot(camera, b"", keep_s=self._keep_s)

    @contextmanager
    def _let_go(self) -> Iterator[None]:
        """Without the lock: engines and cameras come here, and must not wait for a codec, disk or network."""
        self._changed.release()
        try:
            yield
        finally:
            self._changed.acquire()

    def _patience_s(self) -> float | None:
        if not self._shown_until_ns:
            return None
        return max(0.0, (min(self._shown_until_ns.values()) - clock.boot_ns()) / 1e9)


def encode(image: Image, view: View) -> bytes:
    """A whole picture, upright, as JPEG."""
    _, jpeg = cv2.imencode(".jpg", upright(image, view), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return bytes(jpeg)

"""`file:`, a video file played by its own frame times, or as fast as it is read."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from edgecam.capture.base import unreadable
from edgecam.capture.camera import CameraSettings
from edgecam.capture.opencv import frame_size, prepare_opencv
from edgecam.capture.pacing import Pacer, Playback, Scheduled
from edgecam.capture.picture_size import size_fault
from edgecam.config.source import Source
from edgecam.errors import SourceError
from edgecam.records import Image, PixelFormat

log = logging.getLogger(__name__)

# What a raw stream says beyond this is the tick of its clock.
_MAX_FPS = 240.0
# Below this share of the time that the file announces, its end is worth a warning.
_WHOLE = 0.9


class VideoFile(Playback):
    """A video; FFmpeg skips what it cannot decode, and turns pictures upright by the file's rotation mark."""

    def __init__(self, source: Source, settings: CameraSettings, *, pacer: Pacer | None = None) -> None:
        """Open the file and decode its first frame.

        Raises:
            SourceError: no such file, no video in it, or none that can be decoded or is small enough.
        """
        path = (settings.folder / source.target).absolute()
        _check_file(path, shown=source.shown)
        frames = _play(path, fps=settings.fps, loop=settings.loop)
        first = next(frames, None)
        if first is None or not isinstance(first.content, Image):
            raise SourceError(
                f"{source.shown}: no frame of {path} can be decoded; is it a video? Try to play it, or "
                "convert it with: ffmpeg -i IN -c:v libx264 OUT.mp4"
            )
        super().__init__(
            chain([first], frames),
            pacer=(pacer or Pacer()) if settings.paced else None,
            live=False,
            description=f"{source.shown} {first.content.width_px}x{first.content.height_px}",
        )


@dataclass
class Timeline:
    """The moments of frames, over the repetitions of a recording."""

    interval_ns: int
    start_ns: int = 0
    """Of this repetition."""
    last_ns: int | None = None

    def place(self, position_ms: float) -> int:
        """The moment of the next frame by its own time, which is replaced where it does not advance."""
        due_ns = self.start_ns + (round(position_ms * 1e6) if math.isfinite(position_ms) else 0)
        if self.last_ns is None:
            due_ns = 0
        elif due_ns <= self.last_ns:
            due_ns = self.last_ns + self.interval_ns
        self.last_ns = due_ns
        return due_ns

    @property
    def played_ns(self) -> int:
        """How much of this repetition was played."""
        return 0 if self.last_ns is None else self.last_ns + self.interval_ns - self.start_ns

    def repeat(self) -> None:
        """The recording starts over, one frame after its last."""
        self.start_ns = (self.last_ns or 0) + self.interval_ns


def _play(path: Path, *, fps: float, loop: bool) -> Iterator[Scheduled]:
    """The frames of the file; a loop opens it anew, since not every format can be rewound."""
    timeline: Timeline | None = None
    while True:
        capture = _open(path)
        try:
            if fault := size_fault(*frame_size(capture)):
                raise SourceError(
                    f"{path}: {fault}; make it smaller, as with: ffmpeg -i IN -vf scale=1920:-2 OUT"
                )
            own_fps = capture.get(_property("CAP_PROP_FPS"))
            interval_ns = round(1e9 / (own_fps if 0 < own_fps <= _MAX_FPS else fps))
            announced_ns = max(0, capture.get(_property("CAP_PROP_FRAME_COUNT"))) * interval_ns
            timeline = timeline or Timeline(interval_ns)
            for position_ms, image in _decode(capture):
                yield Scheduled(timeline.place(position_ms), image)
        finally:
            capture.release()
        # Once is news; a loop must not repeat it each time round.
        if not timeline.start_ns and 0 < timeline.played_ns < announced_ns * _WHOLE:
            played_s, announced_s = timeline.played_ns / 1e9, announced_ns / 1e9
            log.warning(
                "recording ended early file=%s seconds=%.1f announced=%.1f", path, played_s, announced_s
            )
        if not loop:
            return
        if timeline.played_ns <= 0:
            # The first frame is asked for at the opening, which refuses a file without any.
            if not timeline.start_ns:
                return
            raise SourceError(f"{path} cannot be played any more; put it back")
        timeline.repeat()


def _decode(capture: Any) -> Iterator[tuple[float, Image]]:
    """Each frame of the capture with its own time in ms."""
    position = _property("CAP_PROP_POS_MSEC")
    while True:
        good, pixels = capture.read()
        if not good:
            return
        height_px, width_px = pixels.shape[:2]
        image = Image(pixels=pixels, format=PixelFormat.BGR, width_px=width_px, height_px=height_px)
        yield capture.get(position), image


def _open(path: Path) -> Any:
    import cv2

    prepare_opencv()
    # The path is absolute: FFmpeg would take "a:b.mp4" for a protocol.
    return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)


def _property(name: str) -> int:
    import cv2

    return int(getattr(cv2, name))


def _check_file(path: Path, *, shown: str) -> None:
    try:
        _check_kind(path, shown=shown)
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise unreadable(path, error, shown=shown) from error
    if empty:
        raise SourceError(f"{shown}: {path} is empty; copy it again")


def _check_kind(path: Path, *, shown: str) -> None:
    if path.is_dir():
        raise SourceError(
            f'{shown}: {path} is a folder; write "images:…" for a folder of pictures, or name a video'
        )
    if not path.exists():
        raise SourceError(f"{shown}: there is no file {path}; check the path")
    if not path.is_file():
        raise SourceError(f"{shown}: {path} is a device or pipe; name a video file")

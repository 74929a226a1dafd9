"""The one interface of every camera and recording, and the function that opens the right one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from edgecam.config.source import Source, SourceKind
from edgecam.errors import SourceError
from edgecam.records import Shot

_STALL_S = 3.0
_STALL_PERIODS = 5
# A sensor takes a network of some megabytes in a minute or several.
_NETWORK_S = 300.0


@dataclass(frozen=True, slots=True)
class SensorNetwork:
    """A network that runs on the camera's own sensor."""

    path: Path
    """Its file, which the camera is given."""
    keeps_shape: bool
    """True: it sees the middle of the picture, in its own shape; False: all of it, squashed."""


@dataclass(frozen=True)
class CameraSettings:
    """What is asked of a source; each takes of it what it can."""

    size_px: tuple[int, int] = (640, 480)
    """(width, height) asked of a camera and of the pattern; recordings and streams keep their own."""
    main_size_px: tuple[int, int] | None = None
    """(width, height) of a Picamera2 camera's main stream, for pictures on demand; None: none are wanted."""
    fps: float = 30.0
    """Frames per second asked of a camera; the pace of `pattern:` and `images:`."""
    paced: bool = True
    """A recording: True plays it like a camera, False as fast as it is read."""
    loop: bool = False
    """A recording: True starts over at its end."""
    controls: Mapping[str, object] = field(default_factory=dict)
    """Picamera2 controls."""
    folder: Path = Path()
    """What a recording's relative path refers to."""
    network: SensorNetwork | None = None
    """Of a Picamera2 camera whose sensor runs one: each frame comes with its answer, and none without."""

    @property
    def stall_s(self) -> float:
        """Silence after which a live source counts as lost: 3 s, or five frame periods if that is longer."""
        return max(_STALL_S, _STALL_PERIODS / self.fps)

    @property
    def upload_s(self) -> float:
        """How long the first frame may take beyond what opening takes: the sensor gets its network."""
        return 0.0 if self.network is None else _NETWORK_S


class Camera(Protocol):
    """An open camera or recording.

    One thread reads. Any thread may close: a read that is waiting then ends with None soon, and a
    later one raises CameraLost.
    """

    live: bool
    """False for a recording, which ends."""
    description: str
    """What was opened, for logs: source, size, rate; no credentials."""

    def read(self, timeout_s: float) -> Shot | None:
        """The next frame, or None if none came within `timeout_s`.

        A network stream cannot be left in the middle of a read: it comes back after its own stall limit at
        the latest, whatever `timeout_s` says.

        Raises:
            CameraLost: a live source stopped, stalled, or was closed; close it and open it anew.
            UnreadableFrame: this picture cannot be decoded; the next may be fine.
            EndOfRecording: a recording has been played to its end.
        """

    def close(self) -> None:
        """Give the source back; again and again does no harm."""

    def __enter__(self) -> Self:
        """The camera itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""


def open_camera(source: Source, settings: CameraSettings) -> Camera:
    """The opened camera or recording; imports only the door that it needs.

    Raises:
        SourceError: will not mend itself (no such file, a library is missing); the text names the remedy.
        CameraLost: a live source that is not there now and may come back.
    """
    if settings.controls and source.kind is not SourceKind.PICAMERA2:
        raise SourceError(
            f"{source.shown}: controls: are for picamera2 cameras only; remove them "
            "(a USB camera is set with v4l2-ctl --set-ctrl)"
        )
    if settings.network is not None and source.kind is not SourceKind.PICAMERA2:
        raise SourceError(
            f"{source.shown}: only a picamera2 camera has a sensor that runs {settings.network.path.name}; "
            "use a model that runs on the CPU"
        )
    match source.kind:
        case SourceKind.PICAMERA2:
            from edgecam.capture.picamera import open_picamera

            return open_picamera(source, settings)
        case SourceKind.V4L2:
            from edgecam.capture.v4l2 import V4l2Camera

            return V4l2Camera(source, settings, stall_s=settings.stall_s)
        case SourceKind.RTSP | SourceKind.HTTP:
            from edgecam.capture.stream import StreamCamera

            return StreamCamera(source, stall_s=settings.stall_s)
        case SourceKind.FILE:
            from edgecam.capture.recording import VideoFile

            return VideoFile(source, settings)
        case SourceKind.IMAGES:
            from edgecam.capture.images import ImageFolder

            return ImageFolder(source, settings)
        case SourceKind.PATTERN:
            from edgecam.capture.pattern import Pattern

            return Pattern(settings)

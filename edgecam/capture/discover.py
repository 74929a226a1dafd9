"""Which cameras this machine has, as sources for the configuration."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from edgecam.capture.v4l2_device import query_device
from edgecam.errors import CameraLost, SourceError


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A camera that could be opened."""

    source: str
    """As in the configuration: `picamera2:0`, `v4l2:/dev/video0`."""
    name: str


def find_cameras(dev: Path = Path("/dev")) -> list[FoundCamera]:
    """CSI cameras first, then USB cameras; opens none of them for capture.

    Args:
        dev: where the video devices lie.
    """
    return [*_picamera2(), *_v4l2(dev)]


def _picamera2() -> list[FoundCamera]:
    """USB cameras, which libcamera lists too, are left to V4L2."""
    try:
        from picamera2 import Picamera2
    except (ImportError, ValueError):
        # ValueError: "numpy.dtype size changed"; `edgecam run` says the remedy when this camera is wanted.
        return []
    found = Picamera2.global_camera_info()
    return [
        FoundCamera(f"picamera2:{info['Num']}", str(info.get("Model", "camera")))
        for info in found
        if "usb" not in str(info.get("Id", "")).lower()
    ]


def _v4l2(dev: Path) -> list[FoundCamera]:
    cameras = []
    for path in sorted(dev.glob("video*"), key=lambda path: (len(path.name), path.name)):
        with contextlib.suppress(CameraLost, SourceError):
            cameras.append(FoundCamera(f"v4l2:{path}", query_device(path, shown=f"v4l2:{path}").card))
    return cameras

"""One function opens every source and imports no more than it needs; a camera may be closed anywhere."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest

from edgecam.capture.base import SharedCapture
from edgecam.capture.camera import CameraSettings, open_camera
from edgecam.capture.pattern import Pattern
from edgecam.config.source import parse_source
from edgecam.errors import CameraLost, SourceError


class FakeCapture:
    """A `cv2.VideoCapture` that counts its releases."""

    def __init__(self) -> None:
        self.releases = 0

    def release(self) -> None:
        """Count."""
        self.releases += 1


def test_the_pattern_is_opened_by_its_source() -> None:
    """open_camera gives the camera that the source names, which reads and closes."""
    with open_camera(parse_source("pattern:"), CameraSettings(size_px=(64, 48))) as camera:
        assert isinstance(camera, Pattern)
        assert camera.description == "pattern: 64x48 30 fps"
        shot = camera.read(timeout_s=1)
        assert shot is not None
        assert (shot.image.width_px, shot.image.height_px) == (64, 48)
    with pytest.raises(CameraLost, match="closed"):
        camera.read(timeout_s=0)


def test_controls_are_refused_where_nothing_would_take_them() -> None:
    """A control that is silently ignored would be looked for in vain."""
    with pytest.raises(SourceError, match="picamera2 cameras only"):
        open_camera(parse_source("pattern:"), CameraSettings(controls={"AfMode": 2}))


def test_only_the_chosen_door_is_imported() -> None:
    """The pattern needs neither OpenCV nor Picamera2; importing the room opens nothing."""
    script = (
        "import sys\n"
        "from edgecam.capture.camera import CameraSettings, open_camera\n"
        "from edgecam.config.source import parse_source\n"
        "open_camera(parse_source('pattern:'), CameraSettings()).read(1)\n"
        "print(*sorted(name for name in sys.modules if name in ('cv2', 'picamera2', 'libcamera')))\n"
        "print(*sorted(name for name in sys.modules if name.startswith('edgecam.capture.')))\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    libraries, doors = told.stdout.splitlines()
    assert libraries == ""
    assert doors.split() == [f"edgecam.capture.{name}" for name in ("base", "camera", "pacing", "pattern")]


def test_a_shared_capture_is_released_by_who_leaves_it_last() -> None:
    """Closed under a reader, it lives until the reader is out; then it is released and refuses readers."""
    capture = FakeCapture()
    shared = SharedCapture(capture, description="v4l2:/dev/video0")
    with shared.use() as used:
        assert used is capture
        closer = threading.Thread(target=shared.close)
        closer.start()
        closer.join(timeout=5)
        assert shared.closed
        assert capture.releases == 0
    assert capture.releases == 1
    with pytest.raises(CameraLost, match="v4l2:/dev/video0 was closed"), shared.use():
        pytest.fail("a closed capture was given")


def test_a_shared_capture_that_nobody_reads_is_released_at_once() -> None:
    """Closing does not wait for a next read."""
    capture: Any = FakeCapture()
    shared = SharedCapture(capture, description="a camera")
    with shared.use():
        pass
    assert capture.releases == 0
    shared.close()
    assert capture.releases == 1

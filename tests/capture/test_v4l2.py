"""USB cameras: the right mode, the driver's times where they can be true, errors that name the remedy.

There is a real read at the end, for machines that have a /dev/video0.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgecam.capture import v4l2
from edgecam.capture.camera import CameraSettings, open_camera
from edgecam.capture.v4l2 import V4l2Camera, capture_time, monotonic_offset_ns
from edgecam.capture.v4l2_device import Capability
from edgecam.config.source import parse_source
from edgecam.errors import CameraLost, UnreadableFrame
from edgecam.records import AgeBasis, PixelFormat

SOURCE = parse_source("v4l2:0")
YUYV, MJPG = (cv2.VideoWriter.fourcc(*name) for name in ("YUYV", "MJPG"))
S = 1_000_000_000


class FakeCapture:
    """A `cv2.VideoCapture` of a USB camera, as OpenCV's V4L2 door behaves (cap_v4l.cpp)."""

    opens = True
    starts = True
    modes: ClassVar[dict[tuple[int, int, int], float]] = {}
    """(fourcc, width, height) → the highest rate."""
    ready: ClassVar[Any] = (True, [0])
    """What waitAny gives, or raises."""
    pixels: ClassVar[Any] = None
    position_ms = 0.0
    last: ClassVar[FakeCapture]

    def __init__(self, path: str, api: int) -> None:
        assert (path, api) == ("/dev/video0", cv2.CAP_V4L2)
        self.state: dict[int, float] = {
            cv2.CAP_PROP_FOURCC: YUYV,
            cv2.CAP_PROP_FRAME_WIDTH: 640,
            cv2.CAP_PROP_FRAME_HEIGHT: 480,
            cv2.CAP_PROP_FPS: 30,
            cv2.CAP_PROP_BUFFERSIZE: 4,
        }
        self.released = False
        type(self).last = self

    def isOpened(self) -> bool:  # noqa: N802  OpenCV's name
        """Did it open?"""
        return self.opens

    def set(self, name: int, value: float) -> bool:
        """Take the nearest that the camera has."""
        if name == cv2.CAP_PROP_FOURCC and value not in {mode[0] for mode in self.modes}:
            return False
        self.state[name] = value
        return True

    def get(self, name: int) -> float:
        """What was really set."""
        if name == cv2.CAP_PROP_POS_MSEC:
            return self.position_ms
        fourcc, width, height = (
            int(self.state[name])
            for name in (cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        sizes = sorted(mode[1:] for mode in self.modes if mode[0] == fourcc)
        width, height = next((size for size in sizes if size >= (width, height)), sizes[-1])
        state = self.state | {cv2.CAP_PROP_FRAME_WIDTH: width, cv2.CAP_PROP_FRAME_HEIGHT: height}
        state[cv2.CAP_PROP_FPS] = min(state[cv2.CAP_PROP_FPS], self.modes[fourcc, width, height])
        return state[name]

    @classmethod
    def waitAny(cls, streams: list[FakeCapture], timeoutNs: int) -> tuple[bool, NDArray[np.int32]]:  # noqa: N802, N803
        """Poll."""
        assert streams == [cls.last]
        assert timeoutNs > 0
        if isinstance(cls.ready, Exception):
            raise cls.ready
        good, ready = cls.ready
        return good, np.array(ready, np.int32)

    def grab(self) -> bool:
        """Wait for a frame."""
        return self.starts

    def retrieve(self) -> tuple[bool, Any]:
        """Decode."""
        if isinstance(self.pixels, Exception):
            raise self.pixels
        return self.pixels is not None, self.pixels

    def release(self) -> None:
        """Close."""
        self.released = True


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> type[FakeCapture]:
    """A camera with YUYV to VGA at 30 and HD at 10, Motion JPEG to HD at 30; it gives grey pictures."""

    class Device(FakeCapture):
        modes: ClassVar = {
            (YUYV, 640, 480): 30,
            (YUYV, 1280, 720): 10,
            (MJPG, 640, 480): 30,
            (MJPG, 1280, 720): 30,
        }
        pixels = np.full((480, 640, 3), 128, np.uint8)

    monkeypatch.setattr(cv2, "VideoCapture", Device)
    capability = Capability(driver="uvcvideo", card="HD Webcam", can_capture=True)
    monkeypatch.setattr(v4l2, "query_device", lambda _path, *, shown: capability if shown else None)
    return Device


def test_raw_pictures_are_taken_where_they_are_fast_enough(device: type[FakeCapture]) -> None:
    """YUYV at 640x480 reaches 30: no JPEG is decoded for nothing; one buffer."""
    with V4l2Camera(SOURCE, CameraSettings(size_px=(640, 480), fps=30)) as camera:
        assert camera.live
        assert camera.description == "v4l2:/dev/video0 (HD Webcam) 640x480 30 fps YUYV"
        assert device.last.state[cv2.CAP_PROP_BUFFERSIZE] == 1
    assert device.last.released


def test_motion_jpeg_is_taken_where_raw_pictures_are_too_slow(device: type[FakeCapture]) -> None:
    """HD at 30 is only there as MJPG; what was given is read back."""
    camera = V4l2Camera(SOURCE, CameraSettings(size_px=(1280, 720), fps=30))
    assert camera.description.endswith("1280x720 30 fps MJPG")
    assert device.last.state[cv2.CAP_PROP_FPS] == 30


def test_raw_stays_where_motion_jpeg_would_be_no_better(
    device: type[FakeCapture], caplog: pytest.LogCaptureFixture
) -> None:
    """Asked for 60, both give 30: raw it is, and the log tells the difference."""
    with caplog.at_level(logging.WARNING):
        camera = V4l2Camera(SOURCE, CameraSettings(size_px=(640, 480), fps=60))
    assert device.last.state[cv2.CAP_PROP_FOURCC] == YUYV
    assert camera.description.endswith("640x480 30 fps YUYV")
    assert "asked=640x480 asked_fps=60 size=640x480 fps=30" in caplog.text


def test_a_frame_carries_its_drivers_time(device: type[FakeCapture]) -> None:
    """The buffer's CLOCK_MONOTONIC time of 40 ms ago becomes the BOOTTIME of 40 ms ago."""
    device.position_ms = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e3 - 40
    expected_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 40_000_000
    with V4l2Camera(SOURCE, CameraSettings()) as camera:
        shot = camera.read(timeout_s=0.1)
    assert shot is not None
    assert shot.basis is AgeBasis.DRIVER
    assert abs(shot.captured_ns - expected_ns) < 5_000_000
    assert (shot.image.format, shot.image.width_px, shot.image.height_px) == (PixelFormat.BGR, 640, 480)


@pytest.mark.parametrize(
    ("position_ms", "captured_ns", "basis"),
    [
        (99_960.0, 107 * S - 40_000_000, AgeBasis.DRIVER),
        (100_000.0, 107 * S, AgeBasis.DRIVER),
        (95_000.0, 102 * S, AgeBasis.DRIVER),
        (94_999.0, 107 * S, AgeBasis.ARRIVAL),
        (100_000.1, 107 * S, AgeBasis.ARRIVAL),
        (1.8e12, 107 * S, AgeBasis.ARRIVAL),
        (0.0, 107 * S, AgeBasis.ARRIVAL),
        (-5.0, 107 * S, AgeBasis.ARRIVAL),
    ],
)
def test_a_drivers_time_is_believed_only_if_it_can_be_true(
    position_ms: float, captured_ns: int, basis: AgeBasis
) -> None:
    """At BOOTTIME 107 s after 7 s of sleep: not in the future, older than 5 s, zero, or the wall clock's."""
    assert capture_time(position_ms, arrived_ns=107 * S, offset_ns=7 * S) == (captured_ns, basis)


def test_the_offset_of_the_clocks_is_the_time_slept() -> None:
    """BOOTTIME never lags behind MONOTONIC, and the offset is steady."""
    first_ns, second_ns = monotonic_offset_ns(), monotonic_offset_ns()
    assert first_ns > -1_000_000
    assert abs(second_ns - first_ns) < 5_000_000


def test_no_frame_in_time_is_none_and_none_for_long_is_a_lost_camera(
    device: type[FakeCapture], clock: Any
) -> None:
    """A stall of 5 s ends in CameraLost; a frame before that starts the count anew."""
    with V4l2Camera(SOURCE, CameraSettings(), now_ns=clock.now_ns, stall_s=5) as camera:
        device.ready = (False, [])
        clock.wait(4.9)
        assert camera.read(timeout_s=0.1) is None
        device.ready = (True, [0])
        assert camera.read(timeout_s=0.1)
        device.ready = (False, [])
        clock.wait(4.9)
        assert camera.read(timeout_s=0) is None
        clock.wait(0.1)
        with pytest.raises(CameraLost, match=r"no frame for 5\.0 s"):
            camera.read(timeout_s=0.1)


@pytest.mark.parametrize("ready", [(True, []), cv2.error("Error is reported for camera stream")])
def test_an_unplugged_camera_is_lost(device: type[FakeCapture], ready: Any) -> None:
    """A hang-up or an error of the poll is no missing frame."""
    with V4l2Camera(SOURCE, CameraSettings()) as camera:
        device.ready = ready
        with pytest.raises(CameraLost, match=r"was the camera unplugged\?"):
            camera.read(timeout_s=0.1)


@pytest.mark.parametrize("pixels", [None, np.empty((0, 0, 3), np.uint8), cv2.error("damaged JPEG")])
def test_a_buffer_that_is_no_picture_is_an_unreadable_frame(device: type[FakeCapture], pixels: Any) -> None:
    """A damaged JPEG of a bad cable stops nothing: the next frame is read."""
    good = device.pixels
    with V4l2Camera(SOURCE, CameraSettings()) as camera:
        device.pixels = pixels
        with pytest.raises(UnreadableFrame, match="could not be decoded"):
            camera.read(timeout_s=0.1)
        device.pixels = good
        assert camera.read(timeout_s=0.1)


def test_a_camera_that_another_program_has_is_lost_with_the_remedy(device: type[FakeCapture]) -> None:
    """OpenCV only says no; the usual reason is named, with how to find the program."""
    device.opens = False
    with pytest.raises(CameraLost, match=r'\(HD Webcam\) is in use or broken; "fuser -v /dev/video0"'):
        V4l2Camera(SOURCE, CameraSettings())


def test_a_camera_that_gives_no_first_frame_is_not_opened(device: type[FakeCapture]) -> None:
    """It can be configured, but its stream does not start: given back, lost, tried again."""
    device.starts = False
    with pytest.raises(CameraLost, match=r"\(HD Webcam\) gives no picture"):
        V4l2Camera(SOURCE, CameraSettings())
    assert device.last.released


@pytest.mark.skipif(not Path("/dev/video0").exists(), reason="no /dev/video0: no real V4L2 camera was read")
def test_a_real_camera_gives_frames_of_a_plausible_age() -> None:
    """Ten frames, each with a time, none older than 5 s."""
    with open_camera(SOURCE, CameraSettings()) as camera:
        shots = [shot for _ in range(40) if (shot := camera.read(timeout_s=0.5))][:10]
        now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert len(shots) == 10
    times = [shot.captured_ns for shot in shots]
    assert times == sorted(times)
    assert 0 <= now_ns - times[-1] < 5 * S

"""`v4l2:`, a USB camera or any other that the kernel gives as /dev/video*."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgecam.capture.base import BaseCamera, SharedCapture, boot_ns
from edgecam.capture.camera import CameraSettings
from edgecam.capture.opencv import prepare_opencv
from edgecam.capture.v4l2_device import query_device, who_uses
from edgecam.config.source import Source
from edgecam.errors import CameraLost, UnreadableFrame
from edgecam.records import AgeBasis, Image, PixelFormat, Shot

log = logging.getLogger(__name__)

# One buffer: a frame cannot wait in the driver behind an older one.
_BUFFERS = 1
_STALL_S = 3.0
_MAX_AGE_NS = 5_000_000_000
# A camera asked for 30 may answer 29.97.
_RATE_TOLERANCE = 0.95


class V4l2Camera(BaseCamera):
    """A camera by OpenCV, decoded to BGR, timed by its driver."""

    def __init__(
        self,
        source: Source,
        settings: CameraSettings,
        *,
        now_ns: Callable[[], int] = boot_ns,
        stall_s: float = _STALL_S,
    ) -> None:
        """Open the device, set size and rate (what it gives instead is logged), and see that a frame comes.

        Raises:
            CameraLost: not there now, in use, or no frame within the stall limit.
            SourceError: not a camera, or not ours to open.
        """
        import cv2

        path = Path(source.target)
        capability = query_device(path, shown=source.shown)
        prepare_opencv()
        capture = cv2.VideoCapture(str(path), cv2.CAP_V4L2)
        if not capture.isOpened():
            raise CameraLost(
                f"{source.shown}: {path} ({capability.card}) is in use or broken; {who_uses(path)}"
            )
        given = configure(capture, settings)
        # The first frame starts the stream and must be taken out before waitAny, which would take it itself
        # and then wait for a second one, for which the one buffer is not free.
        if not capture.grab() or not capture.retrieve()[0]:
            capture.release()
            raise CameraLost(f"{source.shown}: {path} ({capability.card}) gives no picture; plug it in anew")
        super().__init__(live=True, description=f"{source.shown} ({capability.card}) {given}")
        self._shown = source.shown
        self._now_ns = now_ns
        self._stall_ns = round(stall_s * 1e9)
        self._arrived_ns = now_ns()
        self._capture = SharedCapture(capture, description=source.shown)

    def read(self, timeout_s: float) -> Shot | None:
        """The next frame, or None if none came within `timeout_s`.

        Raises:
            CameraLost: unplugged, nothing for the stall limit, or closed before.
            UnreadableFrame: the driver gave a buffer that is no picture.
        """
        import cv2

        with self._capture.use() as capture:
            try:
                # 0 would wait without end.
                good, ready = cv2.VideoCapture.waitAny([capture], timeoutNs=max(1, round(timeout_s * 1e9)))
            except cv2.error as error:
                raise CameraLost(f"{self._shown}: the device failed; was the camera unplugged?") from error
            # An array of stream numbers, whose own truth would be that of its only number, 0.
            if good and not len(ready):
                raise CameraLost(f"{self._shown}: the device hung up; was the camera unplugged?")
            if not good:
                self._check_stall()
                return None
            self._arrived_ns = self._now_ns()
            pixels = _retrieve(capture, shown=self._shown)
            position_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
        captured_ns, basis = capture_time(
            position_ms, arrived_ns=self._arrived_ns, offset_ns=monotonic_offset_ns()
        )
        height_px, width_px = pixels.shape[:2]
        image = Image(pixels=pixels, format=PixelFormat.BGR, width_px=width_px, height_px=height_px)
        return Shot(image=image, captured_ns=captured_ns, basis=basis)

    def close(self) -> None:
        """Give the device back; if a read goes on, when it comes back."""
        self._capture.close()

    def _check_stall(self) -> None:
        waited_ns = self._now_ns() - self._arrived_ns
        if waited_ns >= self._stall_ns:
            raise CameraLost(
                f"{self._shown}: no frame for {waited_ns / 1e9:.1f} s; is the camera's power or cable good?"
            )


def configure(capture: Any, settings: CameraSettings) -> str:
    """Set size and rate, by Motion JPEG where raw pictures come too slow or too small; tell what came."""
    import cv2

    wanted = (*settings.size_px, settings.fps)
    raw_format = capture.get(cv2.CAP_PROP_FOURCC)
    raw = _ask(capture, wanted)
    given = raw
    if not _meets(raw, wanted):
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        given = _ask(capture, wanted)
        if not _meets(given, wanted) and given <= raw:
            capture.set(cv2.CAP_PROP_FOURCC, raw_format)
            given = _ask(capture, wanted)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, _BUFFERS)
    width_px, height_px, fps = given
    if not _meets(given, wanted):
        log.warning(
            "camera gives another mode asked=%dx%d asked_fps=%g size=%dx%d fps=%g",
            *wanted,
            width_px,
            height_px,
            fps,
        )
    return f"{width_px}x{height_px} {fps:g} fps {_fourcc_text(capture.get(cv2.CAP_PROP_FOURCC))}"


def _ask(capture: Any, wanted: tuple[int, int, float]) -> tuple[int, int, float]:
    """Set (width, height, rate) and read back what was given."""
    import cv2

    names = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)
    for name, value in zip(names, wanted, strict=True):
        capture.set(name, value)
    width_px, height_px, fps = (capture.get(name) for name in names)
    return int(width_px), int(height_px), float(fps)


def _meets(given: tuple[int, int, float], wanted: tuple[int, int, float]) -> bool:
    return given[:2] == wanted[:2] and given[2] >= wanted[2] * _RATE_TOLERANCE


def _fourcc_text(code: float) -> str:
    return int(code).to_bytes(4, "little").decode("ascii", errors="replace").strip()


def _retrieve(capture: Any, *, shown: str) -> Any:
    import cv2

    try:
        good, pixels = capture.retrieve()
    except cv2.error as error:
        raise UnreadableFrame(f"{shown}: a frame could not be decoded ({error.err})") from error
    if not good or pixels is None or not pixels.size:
        raise UnreadableFrame(f"{shown}: a frame could not be decoded; is the USB cable or hub at its limit?")
    return pixels


def monotonic_offset_ns() -> int:
    """CLOCK_BOOTTIME minus CLOCK_MONOTONIC: the time that the machine has slept."""
    before_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    boot = boot_ns()
    after_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return boot - (before_ns + after_ns) // 2


def capture_time(position_ms: float, *, arrived_ns: int, offset_ns: int) -> tuple[int, AgeBasis]:
    """When a frame was taken, in BOOTTIME ns, and how that is known.

    OpenCV's V4L2 door gives the buffer's timestamp in ms as CAP_PROP_POS_MSEC, and V4L2 stamps buffers with
    CLOCK_MONOTONIC. A driver that stamps otherwise gives a time in the future or long ago: not believed.
    """
    captured_ns = round(position_ms * 1e6) + offset_ns
    if position_ms > 0 and 0 <= arrived_ns - captured_ns <= _MAX_AGE_NS:
        return captured_ns, AgeBasis.DRIVER
    return arrived_ns, AgeBasis.ARRIVAL

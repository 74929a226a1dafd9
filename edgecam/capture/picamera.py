"""The Picamera2 door: a camera that libcamera drives gives its small (lores) stream as YUV, unconverted.

Its main stream is copied only where somebody wants the picture (`picamera_requests`).

libcamera adjusts what it is asked for to what its hardware can do. So format, size, stride and colour space
are read back after `configure`, and each image says what it really is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from typing import Any

from edgecam.capture.base import BaseCamera, boot_ns
from edgecam.capture.camera import Camera, CameraSettings
from edgecam.capture.picamera_network import NetworkOnSensor
from edgecam.capture.picamera_requests import HeldRequests
from edgecam.capture.picamera_setup import (
    LIBRARY_ERRORS,
    Layout,
    Streams,
    acquire,
    configure,
    import_picamera2,
    release,
)
from edgecam.config.source import Source
from edgecam.errors import CameraLost, SourceError, UnreadableFrame
from edgecam.records import AgeBasis, Image, Shot

log = logging.getLogger(__name__)

# A job that the event loop has taken is done within a copy's time; far more than that.
_JOB_END_S = 1.0
_READ_S = 1.0


def open_picamera(source: Source, settings: CameraSettings) -> Camera:
    """Open and start the camera whose number, id or model is `source.target`.

    Args:
        source: `picamera2:TARGET`; the number counts as in `rpicam-hello --list-cameras`.
        settings: Sizes of the streams, rate, and Picamera2 controls, which go before the rate.

    Raises:
        SourceError: picamera2 or libcamera cannot be used, or the camera cannot do what is asked.
        CameraLost: the camera is absent, or another program holds it.
    """
    shown = source.shown
    library = import_picamera2(shown)
    network = None if settings.network is None else NetworkOnSensor(settings.network, shown=shown)
    picam2, camera_id = acquire(library, source, prepare=None if network is None else network.upload)
    try:
        streams = configure(picam2, settings, shown=shown)
        _start(picam2, shown=shown)
    except BaseException:
        release(picam2, camera_id)
        raise
    model = picam2.camera_properties.get("Model", "unknown model")
    layout = streams.analysed
    size = _size(layout)
    log.info(
        "camera configured source=%s model=%s asked=%dx%d size=%s main=%s format=%s matrix=%s full_range=%s",
        shown,
        model,
        *settings.size_px,
        size,
        "none" if streams.main is None else _size(streams.main),
        layout.format,
        layout.color.matrix,
        layout.color.full_range,
    )
    description = f"{shown} ({model}, {size} {layout.format}, {settings.fps:g} fps)"
    camera = PicameraCamera(
        picam2, camera_id=camera_id, streams=streams, network=network, description=description
    )
    if network is not None:
        _wait_for_answer(camera, at_most_s=settings.upload_s)
    return camera


class PicameraCamera(BaseCamera):
    """An open Picamera2 camera. One thread reads, any thread may close."""

    def __init__(
        self,
        picam2: Any,
        *,
        camera_id: str,
        streams: Streams,
        network: NetworkOnSensor | None,
        description: str,
    ) -> None:
        """Take over a camera that runs."""
        super().__init__(live=True, description=description)
        self._camera_id = camera_id
        self._analysed = streams.analysed
        self._network = network
        self._requests: HeldRequests | None = None
        """None: each is released at once."""
        if streams.main is not None:
            copy = partial(_image, stream="main", layout=streams.main)
            self._requests = HeldRequests(copy, most=streams.most_held)
        self._picam2: Any = picam2
        # The capture that is under way. After a time-out it is kept for the next read: Picamera2 would still
        # serve an abandoned one and give its frame to nobody, and each such loss costs a buffer for good.
        self._job: Any = None
        # Held while a request is in our hands, so that `close` takes no buffer away under a copy.
        self._lock = threading.Lock()

    def read(self, timeout_s: float) -> Shot | None:
        """The next frame to come, or None if none came within `timeout_s` or the camera was closed meanwhile.

        None, too, for a frame that the network on the sensor has not looked at.

        Raises:
            CameraLost: the camera was closed, or libcamera gave it up.
            UnreadableFrame: this frame cannot be taken over.
        """
        try:
            with self._lock:
                picam2, job = self._ask()
            request = picam2.wait(job, timeout=timeout_s)
        except (TimeoutError, CancelledError):  # cancelled by `close`
            return None
        except LIBRARY_ERRORS as error:
            self._job = None
            raise CameraLost(f"{self.description}: capture failed: {error}; open it anew") from error
        with self._lock:
            if self._job is not job:  # `close` has it
                return None
            self._job = None
            return self._take(request)

    def _ask(self) -> tuple[Any, Any]:
        """The camera and its capture that is under way, begun if there was none."""
        if self._picam2 is None:
            raise CameraLost(f"{self.description} was closed; open it anew")
        if self._requests is not None:
            self._give_back(self._requests.give_back)
        if self._job is None:
            self._job = self._picam2.capture_request(wait=False)
        return self._picam2, self._job

    def _take(self, request: Any) -> Shot | None:
        """The lores picture of a completed request, copied once; the request goes back, or into the shot."""
        arrived_ns = boot_ns()
        full = outputs = None
        try:
            # The metadata are libcamera's; a SensorTimestamp is CLOCK_BOOTTIME, the start of the first row.
            metadata = request.get_metadata()
            sensor_ns = metadata.get("SensorTimestamp")
            if self._network is not None:
                outputs = self._network.outputs(metadata)
                if outputs is None:
                    return None
            image = _image(request, stream="lores", layout=self._analysed)
            full = None if self._requests is None else self._requests.hold(request)
        except LIBRARY_ERRORS as error:
            raise UnreadableFrame(f"{self.description}: frame not readable: {error}") from error
        finally:
            if full is None:
                self._give_back(request.release)
        if sensor_ns:
            return Shot(image, int(sensor_ns), AgeBasis.SENSOR, full=full, outputs=outputs)
        return Shot(image, arrived_ns, AgeBasis.ARRIVAL, full=full, outputs=outputs)

    def _give_back(self, release: Callable[[], None]) -> None:
        try:
            release()
        except LIBRARY_ERRORS as error:
            raise CameraLost(
                f"{self.description}: the camera takes no buffer back: {error}; open it anew"
            ) from error

    def close(self) -> None:
        """Stop and give the camera back."""
        with self._lock:
            picam2, self._picam2 = self._picam2, None
            job, self._job = self._job, None
            if picam2 is None:
                return
            if job is not None:
                _drop(picam2, job)
            if self._requests is not None:
                self._requests.close()
            release(picam2, self._camera_id)


def _wait_for_answer(camera: PicameraCamera, *, at_most_s: float) -> None:
    """Read until the network has answered for the first time, or raise why it does not."""
    ends_s = time.monotonic() + at_most_s
    try:
        while camera.read(_READ_S) is None and time.monotonic() < ends_s:
            pass
    except UnreadableFrame as fault:
        camera.close()
        raise SourceError(str(fault)) from fault
    except BaseException:
        camera.close()
        raise
    if time.monotonic() >= ends_s:
        camera.close()
        raise CameraLost(
            f"{camera.description}: the network on the sensor has not answered within {at_most_s:.0f} s of "
            "the camera's start; try another network, or sudo apt upgrade imx500-all"
        )


def _image(request: Any, *, stream: str, layout: Layout) -> Image:
    """The picture of one stream, copied out of a one-dimensional buffer, with the camera's padding."""
    rows = layout.height_px * 3 // 2
    pixels = request.make_buffer(stream)[: rows * layout.stride_bytes].reshape(rows, layout.stride_bytes)
    return Image(pixels, layout.format, layout.width_px, layout.height_px, layout.color)


def _size(layout: Layout) -> str:
    return f"{layout.width_px}x{layout.height_px}"


def _start(picam2: Any, *, shown: str) -> None:
    try:
        picam2.start()
    except LIBRARY_ERRORS as error:
        raise CameraLost(
            f"{shown}: the camera does not start: {error}; check its cable, and controls: if there are any"
        ) from error


def _drop(picam2: Any, job: Any) -> None:
    """Cancel a capture under way; if it was served already, its request goes back."""
    picam2.cancel_all_and_flush()
    try:
        picam2.wait(job, timeout=_JOB_END_S).release()
    except CancelledError:
        return
    except (TimeoutError, *LIBRARY_ERRORS) as error:
        log.warning("camera request lost error=%s", error)

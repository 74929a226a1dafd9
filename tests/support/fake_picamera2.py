"""A stand-in for Picamera2, on the shapes that the library gives; it records what is done to it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecam.capture.camera import Camera, CameraSettings
from edgecam.capture.picamera import open_picamera
from edgecam.config.source import parse_source


def space(encoding: str, range_: str) -> SimpleNamespace:
    """Libcamera's ColorSpace, by the names of its two enumerations."""
    return SimpleNamespace(ycbcrEncoding=SimpleNamespace(name=encoding), range=SimpleNamespace(name=range_))


@dataclass
class FakeRequest:
    """A CompletedRequest."""

    buffer: NDArray[np.uint8]
    metadata: Mapping[str, object] = field(default_factory=lambda: {"SensorTimestamp": 5_000})
    copy_error: Exception | None = None
    release_error: Exception | None = None
    released: int = 0
    main_buffer: NDArray[np.uint8] | None = None

    def get_metadata(self) -> Mapping[str, object]:
        """As libcamera filled it in."""
        return self.metadata

    def make_buffer(self, name: str) -> NDArray[np.uint8]:
        """A copy of the stream's buffer, in one dimension."""
        assert not self.released, "its memory is the camera's again"
        if self.copy_error:
            raise self.copy_error
        buffer = {"lores": self.buffer, "main": self.main_buffer}[name]
        assert buffer is not None, "main is copied only where it was asked for"
        return buffer.copy()

    def release(self) -> None:
        """Give it back."""
        self.released += 1
        if self.release_error:
            raise self.release_error


class FakePicamera2:
    """Picamera2, as far as the door uses it. What the hardware does is set on the class by the tests."""

    camera_ctrl_info: ClassVar[dict[str, object]] = {}
    camera_properties: ClassVar[dict[str, str]] = {"Model": "imx708_wide"}
    sensor_resolution = (4608, 2592)
    main_index, lores_index = 0, 1
    format = "YUV420"
    main_format = "YUV420"
    size: tuple[int, int] | None = None
    stride: int | None = None
    main_stride: int | None = None
    color: SimpleNamespace | None = space("Rec601", "Limited")
    main_color: SimpleNamespace | None = space("Rec601", "Limited")
    buffer_count: int | None = None
    configure_error: Exception | None = None
    start_error: Exception | None = None
    close_error: Exception | None = None
    last: FakePicamera2

    def __init__(self, camera_num: int = 0) -> None:
        assert camera_num == 0
        self.wanted: dict[str, Any] = {}
        self.log: list[str] = []
        self.jobs: list[Future[FakeRequest]] = []
        type(self).last = self

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        """The cameras that libcamera found."""
        return [{"Model": "imx708_wide", "Id": "/base/soc/i2c0mux/i2c@1/imx708@1a", "Num": 0}]

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        """What is asked for."""
        return wanted

    def configure(self, wanted: dict[str, Any]) -> None:
        """Adjust what is asked for, as libcamera does."""
        if self.configure_error:
            raise self.configure_error
        self.wanted = wanted
        count = self.buffer_count or wanted["buffer_count"]
        colors = (self.main_color, self.color)
        streams = [SimpleNamespace(color_space=color, buffer_count=count) for color in colors]
        self.libcamera_config = SimpleNamespace(at=streams.__getitem__)

    def camera_configuration(self) -> dict[str, Any]:
        """What it has become."""
        size, main_size = self.size or self.wanted["lores"]["size"], self.wanted["main"]["size"]
        return {
            "lores": {"format": self.format, "size": size, "stride": self.stride or size[0]},
            "main": {
                "format": self.main_format,
                "size": main_size,
                "stride": self.main_stride or main_size[0],
            },
        }

    def start(self) -> None:
        """Start the stream."""
        if self.start_error:
            raise self.start_error
        self.log.append("start")

    def capture_request(self, *, wait: bool) -> Future[FakeRequest]:
        """Ask for the next frame."""
        assert wait is False
        self.jobs.append(Future())
        return self.jobs[-1]

    def wait(self, job: Future[FakeRequest], timeout: float) -> FakeRequest:
        """Wait for a frame that was asked for."""
        return job.result(timeout=timeout)

    def cancel_all_and_flush(self) -> None:
        """Cancel what was asked for and has not come."""
        for job in self.jobs:
            if not job.done():
                job.set_exception(CancelledError())

    def close(self) -> None:
        """Stop and close."""
        self.log.append("close")
        if self.close_error:
            raise self.close_error


Library = type[FakePicamera2]


def install(monkeypatch: pytest.MonkeyPatch) -> Library:
    """A fresh stand-in under the library's names."""

    class Picamera2(FakePicamera2):
        """What the test sets stays with the test."""

    picamera2 = ModuleType("picamera2")
    picamera2.Picamera2 = Picamera2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", picamera2)
    return Picamera2


def open_fake(*, size_px: tuple[int, int] = (8, 4), main_size_px: tuple[int, int] | None = None) -> Camera:
    """The stand-in behind the door."""
    settings = CameraSettings(size_px=size_px, main_size_px=main_size_px, fps=25.0)
    return open_picamera(parse_source("picamera2:0"), settings)


def deliver(library: Library, request: FakeRequest) -> FakeRequest:
    """The next frame that is asked for is `request`."""

    def capture_request(*, wait: bool) -> Future[FakeRequest]:
        job = FakePicamera2.capture_request(library.last, wait=wait)
        job.set_result(request)
        return job

    library.last.capture_request = capture_request  # type: ignore[method-assign]
    return request


def blank(size_bytes: int = 8 * 6) -> NDArray[np.uint8]:
    """The buffer of an 8x4 picture."""
    return np.zeros(size_bytes, np.uint8)

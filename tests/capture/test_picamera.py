"""The Picamera2 door, on the shapes that the library gives; a stand-in for it records what is done to it.

The real library drives the door in scripts/check-picamera2.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from types import SimpleNamespace

import numpy as np
import pytest
from fake_picamera2 import FakeRequest, Library, blank, deliver, install, open_fake, space
from numpy.typing import NDArray

from edgecam.capture.camera import CameraSettings
from edgecam.capture.picamera import open_picamera
from edgecam.clock import boot_ns
from edgecam.config.source import parse_source
from edgecam.errors import CameraLost, SourceError, UnreadableFrame
from edgecam.records import AgeBasis, ColorSpace, PixelFormat, YuvMatrix


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """A fresh stand-in under the library's names."""
    return install(monkeypatch)


def padded(*planes: tuple[NDArray[np.uint8], int]) -> NDArray[np.uint8]:
    """Planes one after another, their rows padded to the stride beside each, and the rest of a page."""
    rows = [np.pad(plane, ((0, 0), (0, row - plane.shape[1])), constant_values=255) for plane, row in planes]
    return np.concatenate([*(part.ravel() for part in rows), np.full(100, 255, np.uint8)])


# Frames


def test_padded_i420_keeps_its_stride_and_its_planes_lie_where_the_image_says(library: Library) -> None:
    """A row of I420 is as long as the ISP aligned it; chroma rows are half as long, in two planes."""
    width, height, stride = 12, 4, 16
    y = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    u = np.arange(100, 100 + height * width // 4, dtype=np.uint8).reshape(height // 2, width // 2)
    v = u + 100
    library.stride = stride
    with open_fake(size_px=(width, height)) as camera:
        deliver(library, FakeRequest(padded((y, stride), (u, stride // 2), (v, stride // 2))))
        shot = camera.read(1.0)
    assert shot is not None
    image = shot.image
    assert (image.format, image.width_px, image.height_px) == (PixelFormat.I420, width, height)
    assert image.pixels.shape == (height * 3 // 2, stride)
    chroma = image.pixels[height:].reshape(2, height // 2, stride // 2)
    assert np.array_equal(image.pixels[:height, :width], y)
    assert np.array_equal(chroma[0, :, : width // 2], u)
    assert np.array_equal(chroma[1, :, : width // 2], v)


def test_padded_nv12_keeps_its_stride_and_its_chroma_is_interleaved(library: Library) -> None:
    """A row of NV12 chroma is as long as one of luma."""
    width, height, stride = 12, 4, 16
    y = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    uv = np.arange(100, 100 + height * width // 2, dtype=np.uint8).reshape(height // 2, width)
    library.format, library.stride = "NV12", stride
    with open_fake(size_px=(width, height)) as camera:
        deliver(library, FakeRequest(padded((y, stride), (uv, stride))))
        shot = camera.read(1.0)
    assert shot is not None
    assert (shot.image.format, shot.image.width_px) == (PixelFormat.NV12, width)
    assert shot.image.pixels.shape == (height * 3 // 2, stride)
    assert np.array_equal(shot.image.pixels[:height, :width], y)
    assert np.array_equal(shot.image.pixels[height:, :width], uv)


def test_the_format_and_size_that_libcamera_chose_for_itself_are_those_of_the_image(library: Library) -> None:
    """Libcamera answers a request for YUV420 with NV12, or with another size, and says so only when asked."""
    library.format = "NV12"
    library.size = (16, 8)
    with open_fake(size_px=(8, 4)) as camera:
        deliver(library, FakeRequest(blank(16 * 12)))
        shot = camera.read(1.0)
    assert shot is not None
    assert (shot.image.format, shot.image.width_px, shot.image.height_px) == (PixelFormat.NV12, 16, 8)
    assert "16x8 nv12" in camera.description


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (space("Rec601", "Full"), ColorSpace(YuvMatrix.BT601, full_range=True)),
        (space("Rec601", "Limited"), ColorSpace(YuvMatrix.BT601, full_range=False)),
        (space("Rec709", "Limited"), ColorSpace(YuvMatrix.BT709, full_range=False)),
        (space("Rec2020", "Limited"), ColorSpace(YuvMatrix.BT2020, full_range=False)),
        (space("Null", "Full"), ColorSpace(YuvMatrix.BT601, full_range=True)),
        (None, ColorSpace(YuvMatrix.BT601, full_range=False)),
    ],
    ids=["sycc", "smpte170m", "rec709", "rec2020", "no encoding", "none"],
)
def test_the_matrix_and_range_of_the_stream_are_told(
    library: Library, given: SimpleNamespace | None, expected: ColorSpace
) -> None:
    """YUV without its colour space is not a picture: each of libcamera's has its record."""
    library.color = given
    with open_fake() as camera:
        deliver(library, FakeRequest(blank()))
        shot = camera.read(1.0)
    assert shot is not None
    assert shot.image.color == expected


def test_a_frame_is_as_old_as_the_sensor_says(library: Library) -> None:
    """SensorTimestamp is the best time there is."""
    with open_fake() as camera:
        deliver(library, FakeRequest(blank(), {"SensorTimestamp": 123_456_789}))
        shot = camera.read(1.0)
    assert shot is not None
    assert (shot.captured_ns, shot.basis) == (123_456_789, AgeBasis.SENSOR)


@pytest.mark.parametrize("metadata", [{}, {"SensorTimestamp": 0}], ids=["missing", "unset"])
def test_a_frame_without_the_sensors_time_is_as_old_as_its_arrival(
    library: Library, metadata: dict[str, object]
) -> None:
    """A guess is named as one."""
    with open_fake() as camera:
        deliver(library, FakeRequest(blank(), metadata))
        before_ns = boot_ns()
        shot = camera.read(1.0)
    assert shot is not None
    assert before_ns <= shot.captured_ns <= boot_ns()
    assert shot.basis is AgeBasis.ARRIVAL


# Requests


def test_a_request_is_released_once_when_its_frame_was_copied(library: Library) -> None:
    """A request that is kept costs a buffer; one released twice corrupts the queue."""
    with open_fake() as camera:
        request = deliver(library, FakeRequest(blank()))
        camera.read(1.0)
        assert request.released == 1


def test_a_request_is_released_when_the_copy_fails(library: Library) -> None:
    """The next frame may be fine, and needs the buffer."""
    with open_fake() as camera:
        request = deliver(library, FakeRequest(blank(), copy_error=RuntimeError("failed to find buffer")))
        with pytest.raises(UnreadableFrame, match="failed to find buffer"):
            camera.read(1.0)
        assert request.released == 1


def test_a_frame_shorter_than_configured_is_unreadable(library: Library) -> None:
    """Planes are never read from where they are not."""
    with open_fake() as camera:
        request = deliver(library, FakeRequest(blank(8 * 6 - 1)))
        with pytest.raises(UnreadableFrame, match="cannot reshape"):
            camera.read(1.0)
        assert request.released == 1


def test_a_camera_that_takes_no_buffer_back_is_lost(library: Library) -> None:
    """So libcamera says that the camera was unplugged."""
    with open_fake() as camera:
        deliver(library, FakeRequest(blank(), release_error=RuntimeError("Failed to queue request")))
        with pytest.raises(CameraLost, match="Failed to queue request"):
            camera.read(1.0)


def test_a_time_out_is_no_frame_and_its_capture_serves_the_next_read(library: Library) -> None:
    """Picamera2 would serve an abandoned capture and keep its buffer for good."""
    with open_fake() as camera:
        assert camera.read(0.0) is None
        assert camera.read(0.01) is None
        assert len(library.last.jobs) == 1
        request = FakeRequest(blank())
        library.last.jobs[0].set_result(request)
        assert camera.read(1.0) is not None
        assert request.released == 1
        assert camera.read(0.0) is None
        assert len(library.last.jobs) == 2


def test_a_capture_that_fails_is_a_lost_camera(library: Library) -> None:
    """What Picamera2's event loop runs into reaches the reader."""
    with open_fake() as camera:
        assert camera.read(0.0) is None
        library.last.jobs[0].set_exception(RuntimeError("Camera frontend has timed out"))
        with pytest.raises(CameraLost, match="Camera frontend has timed out"):
            camera.read(1.0)


# Closing


def test_closing_gives_back_a_frame_that_nobody_read(library: Library) -> None:
    """It came after its reader had given up."""
    camera = open_fake()
    assert camera.read(0.0) is None
    request = FakeRequest(blank())
    library.last.jobs[0].set_result(request)
    camera.close()
    assert request.released == 1
    assert library.last.log == ["start", "close"]


def test_closing_ends_a_waiting_read_with_none_and_later_ones_with_camera_lost(library: Library) -> None:
    """Any thread may close; the reader is neither left hanging nor handed a closed camera's memory."""
    camera = open_fake()
    waiting = threading.Event()
    answers: list[object] = []
    wait = library.last.wait

    def tell_and_wait(job: Future[FakeRequest], timeout: float) -> FakeRequest:
        waiting.set()
        return wait(job, timeout)

    library.last.wait = tell_and_wait  # type: ignore[method-assign]
    reader = threading.Thread(target=lambda: answers.append(camera.read(30.0)))
    reader.start()
    assert waiting.wait(5.0)
    camera.close()
    reader.join(5.0)
    assert answers == [None]
    with pytest.raises(CameraLost, match="closed"):
        camera.read(1.0)


def test_closing_twice_closes_once_and_a_complaint_of_the_library_is_only_logged(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    """A camera that is gone cannot be closed cleanly, and that must not stop the program's stopping."""
    library.close_error = RuntimeError("Failed to release camera")
    camera = open_fake()
    camera.close()
    camera.close()
    assert library.last.log == ["start", "close"]
    assert "Failed to release camera" in caplog.text


# What is asked of the camera


def test_the_streams_asked_for_are_even_small_and_never_queued(library: Library) -> None:
    """4:2:0 needs even sizes; main is as small as the analysed stream where nobody wants to look at it."""
    with open_fake(size_px=(641, 481)):
        wanted = library.last.wanted
    assert wanted["lores"] == {"size": (640, 480), "format": "YUV420"}
    assert wanted["main"]["size"] == (640, 480)
    assert (wanted["buffer_count"], wanted["queue"]) == (4, False)
    assert (wanted["display"], wanted["encode"]) == (None, None)


@pytest.mark.parametrize(
    ("main_size_px", "sensor_px"),
    [(None, (2304, 1296)), ((1920, 1080), (2304, 1296)), ((4608, 2592), (4608, 2592))],
    ids=["analysed only", "viewer", "snapshot"],
)
def test_the_sensor_shows_its_whole_field_of_view(
    library: Library, main_size_px: tuple[int, int] | None, sensor_px: tuple[int, int]
) -> None:
    """The mode nearest to a small stream would be cut out of the middle; half the resolution is not."""
    with open_fake(size_px=(640, 480), main_size_px=main_size_px):
        assert library.last.wanted["main"]["size"] == (main_size_px or (640, 480))
        assert library.last.wanted["sensor"] == {"output_size": sensor_px}


def test_a_camera_that_does_not_start_is_closed_and_may_come_back(library: Library) -> None:
    """A sensor that does not answer is a matter of its cable, or of a reset."""
    library.start_error = RuntimeError("Failed to start camera: Input/output error")
    with pytest.raises(CameraLost, match=r"does not start: .*Input/output error; check its cable"):
        open_fake()
    assert library.last.log == ["close"]


def test_a_size_that_the_camera_refuses_is_named(library: Library) -> None:
    """Such a configuration never mends itself."""
    library.configure_error = RuntimeError("lores stream dimensions may not exceed main stream")
    with pytest.raises(
        SourceError, match=r"refuses a stream of 8x4 beside a main stream of 4x2: lores stream"
    ):
        open_fake(main_size_px=(4, 2))
    assert library.last.log == ["close"]


def test_a_format_that_the_chain_does_not_know_is_refused(library: Library) -> None:
    """A USB camera gives MJPEG or YUYV here, and has a better door."""
    library.format = "YUYV"
    with pytest.raises(SourceError, match=r"YUV420 or NV12, the camera gives YUYV; .*v4l2:/dev/video0"):
        open_fake()
    assert library.last.log == ["close"]


def test_a_refused_control_gives_the_camera_back(library: Library) -> None:
    """Another program, or the mended configuration, can have it."""
    settings = CameraSettings(controls={"ExposureTime": 1000})
    with pytest.raises(SourceError, match="this camera has no ExposureTime"):
        open_picamera(parse_source("picamera2:0"), settings)
    assert library.last.log == ["close"]

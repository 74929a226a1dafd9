# SPDX-License-Identifier: Apache-2.0
"""Drives the Picamera2 door with the real Picamera2 over libcamera's virtual camera, inside the Debian root.

Started by scripts/check-picamera2. The last line on stdout has the figures; a rule that does not hold ends it
with an AssertionError that says which.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from importlib.metadata import version
from queue import Queue
from typing import Any, ClassVar

import cv2
import libcamera
import numpy as np
import picamera2
from ai_camera import check_ai_camera  # type: ignore[import-not-found]  # beside this file, which is a script
from numpy.typing import NDArray
from picamera2.allocators import LibcameraAllocator
from picamera2.request import CompletedRequest

from edgecam.capture import picamera_setup
from edgecam.capture.camera import Camera, CameraSettings
from edgecam.capture.picamera import open_picamera
from edgecam.clock import boot_ns
from edgecam.config.source import parse_source
from edgecam.errors import CameraLost, SourceError
from edgecam.pipeline.snapshots import Snapshots
from edgecam.records import AgeBasis, Frame, Image, PixelFormat, YuvMatrix
from edgecam.vision.geometry import View

FRAMES = 50
# The virtual camera has four buffers, whatever it is asked for, and works in one of them.
BUFFERS = 4
MOST_HELD = 3
SIZE_PX = (640, 480)
MAIN_PX = (1920, 1080)
MODEL = "Virtual Video Device"
OLDEST_MS = 200.0
WAIT_S = 5.0
SOME_FRAMES_S = 0.1
NONE: Mapping[str, object] = {}
# White, yellow, cyan, green, magenta, red, blue, black.
BARS_RGB = np.array([(r, g, b) for g in (255, 0) for r, b in ((255, 255), (255, 0), (0, 255), (0, 0))])


class VirtualPicamera2(picamera2.Picamera2):  # type: ignore[misc]  # Picamera2 is not typed
    """Picamera2 with the two things that the virtual camera does not have, and a memory."""

    handed_out: ClassVar[list[CompletedRequest]] = []

    def __init__(self, camera_num: int = 0) -> None:
        """Allocate in libcamera: the virtual camera wants a plane per buffer, the DMA allocator makes one."""
        super().__init__(camera_num)
        self.allocator = LibcameraAllocator(self.camera)

    def _get_raw_modes(self) -> list[dict[str, Any]]:
        """There is no sensor with a raw stream."""
        return [{"format": "NV12", "size": MAIN_PX}]

    def capture_request_(self) -> tuple[bool, CompletedRequest | None]:
        """Remember each request that a capture was answered with."""
        done, request = super().capture_request_()
        if done:
            self.handed_out.append(request)
        return done, request


def open_virtual(
    target: str = "0", *, main_size_px: tuple[int, int] | None = None, controls: Mapping[str, object] = NONE
) -> Camera:
    """The virtual camera behind the door."""
    settings = CameraSettings(size_px=SIZE_PX, main_size_px=main_size_px, fps=30.0, controls=controls)
    return open_picamera(parse_source(f"picamera2:{target}"), settings)


def check_frames(camera: Camera) -> tuple[float, float]:
    """Frames go on past the number of buffers, each newer, with the sensor's time; (fps, median age_ms)."""
    ages_ms: list[float] = []
    newest_ns = 0
    began_s = time.monotonic()
    for _ in range(FRAMES):
        shot = camera.read(WAIT_S)
        assert shot is not None, "no frame came"
        ages_ms.append((boot_ns() - shot.captured_ns) / 1e6)
        assert shot.basis is AgeBasis.SENSOR, f"age basis {shot.basis}"
        assert shot.captured_ns > newest_ns, "a frame is not newer than the one before"
        newest_ns = shot.captured_ns
        check_image(shot.image)
    fps = FRAMES / (time.monotonic() - began_s)
    assert min(ages_ms) >= 0, f"a frame of the future: {min(ages_ms)} ms"
    assert max(ages_ms) < OLDEST_MS, f"a frame {max(ages_ms)} ms old"
    return fps, statistics.median(ages_ms)


def check_image(image: Image, size_px: tuple[int, int] = SIZE_PX) -> None:
    """The format that libcamera chose for itself is told, and the picture shows colour bars."""
    assert image.format is PixelFormat.NV12, f"format {image.format}"
    assert (image.width_px, image.height_px) == size_px, f"size {image.width_px}x{image.height_px}"
    assert image.pixels.shape == (size_px[1] * 3 // 2, size_px[0]), f"shape {image.pixels.shape}"
    owner = image.pixels if image.pixels.base is None else image.pixels.base
    assert owner.flags.owndata, "the pixels are the camera's memory"
    assert (image.color.matrix, image.color.full_range) == (YuvMatrix.BT709, False), f"colours {image.color}"
    found = bars_rgb(image)
    assert np.abs(found - BARS_RGB).max() < 12, f"not the colour bars: {found.round().tolist()}"


def bars_rgb(image: Image) -> NDArray[np.float64]:
    """(8, 3): the colour of each bar, from white on; the picture moves to the left by a pixel a frame.

    By BT.601, since that is how the generator draws them, though libcamera calls them BT.709.
    """
    height, width = image.height_px, image.width_px
    luma = image.pixels[:height].mean(axis=0)
    start = white_px(image)
    chroma = image.pixels[height:].reshape(height // 2, width // 2, 2).mean(axis=0)
    luma = np.roll(luma, -start).reshape(8, -1)
    chroma = np.roll(chroma, -start // 2, axis=0).reshape(8, -1, 2)
    y = (np.median(luma, axis=1) - 16) / 219
    cb, cr = ((np.median(chroma, axis=1) - 128) / 224).T
    rgb = np.stack((y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb), axis=1)
    return np.asarray(rgb * 255, dtype=np.float64)


def white_px(image: Image) -> int:
    """Where white begins: there the luma rises most, after black."""
    luma = image.pixels[: image.height_px].mean(axis=0)
    return int(np.argmax(luma - np.roll(luma, 1)))


def next_frame(camera: Camera, seq: int) -> Frame:
    """As the capture worker makes it."""
    shot = camera.read(WAIT_S)
    assert shot is not None, "no frame came"
    return Frame("main", seq, shot.image, shot.captured_ns, shot.basis, shot.full)


def check_main_pictures(camera: Camera) -> float:
    """The large picture is of the frame that was analysed, also when newer ones have come; ms of a copy."""
    under_way: deque[Frame] = deque()
    offsets_px: set[int] = set()
    took_ms: list[float] = []
    for seq in range(FRAMES):
        under_way.append(next_frame(camera, seq))
        if len(under_way) == MOST_HELD:
            frame = under_way.popleft()
            began_s = time.monotonic()
            large = frame.for_people()
            took_ms.append((time.monotonic() - began_s) * 1e3)
            check_image(large, MAIN_PX)
            # Both streams move by a pixel a frame.
            offsets_px.add((white_px(large) - white_px(frame.image)) % SIZE_PX[0])
    assert len(offsets_px) == 1, f"pictures of other frames: {offsets_px}"
    return statistics.median(took_ms)


def check_kept_frames(camera: Camera) -> None:
    """Whoever keeps frames for ever stalls nothing: the oldest lose their large picture."""
    kept = [next_frame(camera, seq) for seq in range(FRAMES)]
    check_frames(camera)
    widths_px = [frame.for_people().width_px for frame in kept]
    large = widths_px.count(MAIN_PX[0])
    assert 0 < large < MOST_HELD, f"{large} frames have kept their buffers"
    assert widths_px == [SIZE_PX[0]] * (FRAMES - large) + [MAIN_PX[0]] * large, "not the oldest lost theirs"


def check_snapshot(camera: Camera) -> int:
    """A snapshot has the main stream's size, beside a smaller analysed frame; its bytes."""
    shown: Queue[bytes] = Queue()

    class Screen:
        """Where the pictures go."""

        def snapshot(self, camera: str, jpeg: bytes, *, keep_s: float) -> None:  # noqa: ARG002
            """Remember it."""
            shown.put(jpeg)

    snapshots = Snapshots(Screen(), {"main": View()}, keep_s=60)
    worker = threading.Thread(target=snapshots.run, name="snapshots")
    worker.start()
    assert shown.get(timeout=WAIT_S) == b"", "what an earlier run left stays"
    snapshots.take(next_frame(camera, 1))
    for seq in range(2, 2 * MOST_HELD):  # the camera goes on meanwhile
        next_frame(camera, seq)
    jpeg = shown.get(timeout=WAIT_S)
    snapshots.close()
    worker.join(WAIT_S)
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None, "no JPEG"
    assert picture.shape == (MAIN_PX[1], MAIN_PX[0], 3), f"a snapshot of {picture.shape}"
    return len(jpeg)


def check_time_outs(camera: Camera) -> None:
    """A read that gave up costs no buffer: frames come after more of them than there are buffers."""
    gave_up = sum(camera.read(0.0) is None for _ in range(100))
    assert gave_up > BUFFERS, f"only {gave_up} reads gave up"
    for _ in range(2 * BUFFERS):
        assert camera.read(WAIT_S) is not None, "no frame came after the time-outs"


def check_refusal(error: type[Exception], words: str, *, target: str = "0", **controls: object) -> None:
    """Opening fails with this error and these words."""
    try:
        open_virtual(target, controls=controls).close()
    except error as refusal:
        text = str(refusal)
    else:
        text = "opened"
    assert words in text, f"expected '{words}', got '{text}'"


def check_close_while_reading(camera: Camera) -> None:
    """Another thread may close: the reader is told, and nothing breaks."""
    ends: list[str] = []

    def read_on() -> None:
        try:
            while True:
                camera.read(WAIT_S)
        except CameraLost as error:
            ends.append(str(error))

    reader = threading.Thread(target=read_on, name="reader")
    reader.start()
    time.sleep(SOME_FRAMES_S)
    camera.close()
    reader.join(WAIT_S)
    assert not reader.is_alive(), "the reader still waits"
    assert "was closed" in ends[0], f"the reader ended with {ends}"
    check_released()


def check_close_with_unread_frame(camera: Camera) -> None:
    """A frame that came after its reader gave up is given back too; closing twice does no harm."""
    while camera.read(0.0) is not None:
        pass
    time.sleep(SOME_FRAMES_S)
    camera.close()
    camera.close()
    check_released()


def check_released() -> None:
    """Every request that was handed out has been given back."""
    held = sum(request.ref_count > 0 for request in VirtualPicamera2.handed_out)
    assert held == 0, f"{held} of {len(VirtualPicamera2.handed_out)} requests were never released"


def check_busy() -> None:
    """Libcamera's word for a camera that is in use is known; another program is played by forgetting ours."""
    with open_virtual():
        picamera_setup._held.clear()
        check_refusal(CameraLost, "another program holds it")


def main() -> None:
    """All of it; three openings in one process."""
    picamera2.Picamera2 = VirtualPicamera2  # the door imports it by this name
    picamera_setup._CAMERA_BUFFERS = BUFFERS - MOST_HELD
    camera = open_virtual()
    assert MODEL in camera.description, camera.description
    fps, age_ms = check_frames(camera)
    check_time_outs(camera)
    check_refusal(CameraLost, "already open here")
    check_refusal(CameraLost, f"no such camera; found: 0: {MODEL} at Virtual0", target="7")
    check_frames(camera)
    check_close_while_reading(camera)

    check_refusal(SourceError, "has no Focus; it has FaceDetectMode, FrameDurationLimits", Focus=1)
    check_refusal(SourceError, "expected a list of 2: a whole number each", FrameDurationLimits=33333)
    check_refusal(SourceError, "expected one of Off, Simple, Full (or its number)", FaceDetectMode="Some")
    controls = {"FaceDetectMode": "Off", "FrameRate": 30}
    for target in (MODEL, "Virtual0"):
        # The analysed stream keeps its size beside a larger main stream, which is there for pictures.
        camera = open_virtual(target, main_size_px=MAIN_PX, controls=controls)
        check_frames(camera)
        copy_ms = check_main_pictures(camera)
        check_kept_frames(camera)
        snapshot_bytes = check_snapshot(camera)
        check_close_with_unread_frame(camera)
    check_busy()
    check_ai_camera()
    sys.stdout.write(
        f"picamera2 door: {FRAMES} frames, {fps:.0f} fps, median age {age_ms:.1f} ms, "
        f"a main picture of {MAIN_PX[0]}x{MAIN_PX[1]} copied in {copy_ms:.1f} ms, "
        f"its snapshot {snapshot_bytes // 1000} kB, the AI Camera's answers read, "
        f"libcamera {libcamera.CameraManager.singleton().version}, picamera2 {version('picamera2')}\n"
    )


if __name__ == "__main__":
    main()

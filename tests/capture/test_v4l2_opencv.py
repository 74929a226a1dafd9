"""OpenCV's own V4L2 door reads a camera made of a preloaded library: what no fake of OpenCV could tell.

`v4l2_camera.c` stands in for the kernel and the device, so this is not a test of a real driver.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

# Reads 8 times and tells each answer in a line.
READ = """
import json, sys, time
from edgecam.capture.camera import CameraSettings
from edgecam.capture.v4l2 import V4l2Camera
from edgecam.config.source import parse_source
from edgecam.errors import CameraLost

width_px, height_px, stall_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
settings = CameraSettings(size_px=(width_px, height_px), fps=30)
try:
    with V4l2Camera(parse_source("v4l2:0"), settings, stall_s=stall_s) as camera:
        print(json.dumps(camera.description))
        for _ in range(8):
            shot = camera.read(0.2)
            if shot is None:
                print("null")
                continue
            age_s = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - shot.captured_ns) / 1e9
            pixels = shot.image.pixels
            print(json.dumps([*pixels.shape, *pixels[0, 0].tolist(), shot.captured_ns, shot.basis, age_s]))
except CameraLost as error:
    print(json.dumps(f"lost: {error}"))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The preloaded camera, built; skips aloud where no C compiler is."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.maxsize < 2**32:
        pytest.skip("no C compiler (or a 32-bit system): OpenCV's V4L2 door was not run")
    built = tmp_path_factory.mktemp("v4l2") / "v4l2_camera.so"
    source = Path(__file__).parent / "v4l2_camera.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", built, source, "-ldl"], check=True)
    return built


def read(library: Path, *, size: tuple[int, int], stall_s: float = 5.0, **camera: str) -> list[Any]:
    """What a process with this camera read: its description, then an answer per read."""
    environment = os.environ | {f"V4L2_CAMERA_{name.upper()}": value for name, value in camera.items()}
    told = subprocess.run(
        [sys.executable, "-c", READ, *map(str, size), str(stall_s)],
        env=environment | {"LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [json.loads(line) for line in told.stdout.splitlines()]


def test_one_buffer_gives_frame_after_frame_with_its_drivers_time(library: Path) -> None:
    """Grey levels advance frame by frame, times too, at 30 fps; each is young and says `driver`."""
    description, *answers = read(library, size=(640, 480))
    assert description == "v4l2:/dev/video0 (Made Webcam) 640x480 30 fps YUYV"
    assert len(answers) == 8
    assert all(answer[:3] == [480, 640, 3] for answer in answers)
    assert all(answer[7] == "driver" for answer in answers)
    assert all(0 <= answer[8] < 1 for answer in answers)
    steps_ns = np.diff([answer[6] for answer in answers])
    assert (np.round(steps_ns / 33.3e6) >= 1).all()
    grey = np.array([answer[3] for answer in answers])
    assert (np.diff(grey) > 0).all()


def test_motion_jpeg_is_switched_on_and_decoded(library: Path, tmp_path: Path) -> None:
    """HD comes at 30 fps as MJPG alone, and arrives as BGR."""
    jpeg = tmp_path / "hd.jpg"
    jpeg.write_bytes(cv2.imencode(".jpg", np.full((720, 1280, 3), (20, 40, 200), np.uint8))[1].tobytes())
    description, *answers = read(library, size=(1280, 720), jpeg=str(jpeg))
    assert description == "v4l2:/dev/video0 (Made Webcam) 1280x720 30 fps MJPG"
    assert len(answers) == 8
    for answer in answers:
        assert answer[:3] == [720, 1280, 3]
        assert np.allclose(answer[3:6], (20, 40, 200), atol=4)


def test_a_stall_is_none_at_each_timeout_and_then_a_lost_camera(library: Path) -> None:
    """Some of five frames go into opening, the rest are read; then nothing comes, and nothing hangs."""
    _, *answers, loss = read(library, size=(640, 480), frames="5", stall_s=0.5)
    frames = [answer for answer in answers if answer is not None]
    assert frames
    assert answers == frames + [None] * (len(answers) - len(frames))
    assert answers[-1] is None
    assert loss.startswith("lost: v4l2:/dev/video0: no frame for 0.")


def test_an_unplugging_is_noticed_at_once(library: Path) -> None:
    """The poll's error is a lost camera, not a timeout."""
    *_, frame, loss = read(library, size=(640, 480), frames="5", unplug="1")
    assert frame[7] == "driver"
    assert loss == "lost: v4l2:/dev/video0: the device failed; was the camera unplugged?"

"""The synthetic camera is the same for everybody, and its frames can be told apart."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from edgecam.capture.camera import CameraSettings
from edgecam.capture.pattern import Pattern, draw_pattern, read_counter
from edgecam.records import PixelFormat


def test_frames_carry_their_number_and_come_at_their_pace(clock: Any) -> None:
    """Frame n is due n/fps after the first and shows n."""
    start_ns = clock.now
    with Pattern(CameraSettings(size_px=(64, 48), fps=25), pacer=clock.pacer()) as camera:
        assert camera.live
        shots = [camera.read(timeout_s=1) for _ in range(26)]
    assert [read_counter(shot.image) for shot in shots if shot] == list(range(26))
    assert clock.now - start_ns == 1_000_000_000


def test_a_frame_is_what_its_number_says() -> None:
    """The same number gives the same pixels, the next one other bars; format and size are as told."""
    first, again, other = (draw_pattern(number, width_px=80, height_px=64) for number in (7, 7, 8))
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.pixels[0, 4:], other.pixels[0, :-4])
    assert not np.array_equal(first.pixels[0], other.pixels[0])
    assert (first.format, first.width_px, first.height_px) == (PixelFormat.BGR, 80, 64)
    assert first.pixels.shape == (64, 80, 3)
    assert draw_pattern(0, width_px=80, height_px=64).pixels[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("number", [0, 1, 255, 256, 43_690, 65_535])
def test_the_number_survives_jpeg(number: int) -> None:
    """Tests behind a codec can still tell the frames apart."""
    image = draw_pattern(number, width_px=320, height_px=240)
    jpeg = cv2.imencode(".jpg", image.pixels)[1]
    decoded = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
    assert read_counter(type(image)(decoded, PixelFormat.BGR, 320, 240)) == number

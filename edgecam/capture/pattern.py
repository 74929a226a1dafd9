"""`pattern:`, a synthetic camera: moving colour bars and a frame counter; needs no library but numpy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgecam.capture.camera import CameraSettings
from edgecam.capture.pacing import Pacer, Playback, Scheduled
from edgecam.records import Image, PixelFormat

# BGR: white, yellow, cyan, green, magenta, red, blue, black, as on a test card.
_BARS_BGR = np.array(
    [
        (255, 255, 255),
        (0, 255, 255),
        (255, 255, 0),
        (0, 255, 0),
        (255, 0, 255),
        (0, 0, 255),
        (255, 0, 0),
        (0, 0, 0),
    ],
    np.uint8,
)
_STEP_PX = 4
_COUNTER_BITS = 16
_MIN_SIDE_PX = 16
_MID_GRAY = 127


class Pattern(Playback):
    """Bars that move left by 4 px a frame; the lowest eighth shows its number in black and white cells."""

    def __init__(self, settings: CameraSettings, *, pacer: Pacer | None = None) -> None:
        """Start at frame 0; it is a camera, hence always paced at `settings.fps`, and it never ends."""
        width_px, height_px = (max(side_px, _MIN_SIDE_PX) for side_px in settings.size_px)
        super().__init__(
            _frames(width_px=width_px, height_px=height_px, fps=settings.fps),
            pacer=pacer or Pacer(),
            live=True,
            description=f"pattern: {width_px}x{height_px} {settings.fps:g} fps",
        )


def draw_pattern(number: int, *, width_px: int, height_px: int) -> Image:
    """Frame `number` of the pattern: the same arguments give the same pixels. At least 16 px on each side."""
    column = (np.arange(width_px) + number * _STEP_PX) % width_px
    pixels = np.empty((height_px, width_px, 3), np.uint8)
    pixels[:] = _BARS_BGR[column * len(_BARS_BGR) // width_px]
    # Whole rows are copied fast; a gray value spread over three channels is not.
    counter = np.repeat(_counter_row(number, width_px=width_px), 3).reshape(width_px, 3)
    pixels[-_counter_rows(height_px) :] = counter
    return Image(pixels=pixels, format=PixelFormat.BGR, width_px=width_px, height_px=height_px)


def read_counter(image: Image) -> int:
    """The number that `draw_pattern` put there, modulo 65,536; it survives compression and resizing."""
    row = image.pixels[image.height_px - _counter_rows(image.height_px) // 2 - 1, :, 1]
    cells = np.arange(_COUNTER_BITS)
    centres = (2 * cells + 1) * image.width_px // (2 * _COUNTER_BITS)
    return int(((row[centres] > _MID_GRAY).astype(np.int64) << cells[::-1]).sum())


def _frames(*, width_px: int, height_px: int, fps: float) -> Iterator[Scheduled]:
    number = 0
    while True:
        # Drawn when due: like a camera's, this thread then has nothing to do between two frames, in which it
        # would keep the engine's thread from running.
        draw = partial(draw_pattern, number, width_px=width_px, height_px=height_px)
        yield Scheduled(round(number * 1e9 / fps), draw)
        number += 1


def _counter_rows(height_px: int) -> int:
    return height_px // 8


def _counter_row(number: int, *, width_px: int) -> NDArray[np.uint8]:
    """(width,): the number's 16 low bits, highest first, as 0 and 255."""
    cell = np.arange(width_px) * _COUNTER_BITS // width_px
    return ((number >> (_COUNTER_BITS - 1 - cell)) % 2 * 255).astype(np.uint8)

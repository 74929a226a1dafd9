"""The motion gate of one camera: a frame like the one that was last classified need not be classified.

Both are compared as small grids of blocks. A block has changed if its mean differs by more than noise and a
tremor of the mount explain; motion is when enough blocks have changed. Brightness alone is no motion: the
exposure wanders, clouds pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.records import Image, PixelFormat
from edgecam.vision.geometry import Plan

# Blocks across and down. A compact object of 1 % of the picture is then more than two blocks wide, so one
# block at least lies wholly on it wherever it stands, and those that it covers in part number as many as
# the area asks.
_GRID = (32, 24)
# A block has this many pixels a side at least (a small roi gets fewer blocks): the mean of 25 pixels keeps
# a fifth of their noise, and the difference of two such means stays under _STEP at 5 standard deviations
# for a pixel noise of 4 levels.
_MIN_BLOCK_PX = 5
# About so many rows are read, ten a block: reading memory is most of the cost, and ten tell what all would.
_ROWS_READ = 240
# Levels by which a changed block differs. Below it are noise, compression, rounding, and a tremor of one
# pixel across a hard edge (100 levels / 20 pixels a block at 640x480); above it is a contrast of 30 levels
# that covers a fifth of the block.
_STEP = 6.0
# What still passes for a change of light: levels halved or doubled, or shifted by a quarter of the range.
# Beyond that, when lamps go out or a hand covers the lens, the network should look again.
_MAX_GAIN = 2.0
_MAX_SHIFT = 64.0

Luma = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GateRules:
    """What a camera calls motion, and how long the gate may stay shut or open."""

    area: float
    """Share of the picture, 0 to 1, that must change; 0: every frame is motion."""
    max_ns: int
    """At least one frame in so many ns is admitted, moved or not."""
    linger_ns: int
    """Stays open so long after the last motion, so that smoothing and hysteresis can settle."""


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """A frame as the gate remembers it."""

    captured_ns: int
    layout: tuple[PixelFormat, int, int, int, int]
    """Format and rectangle; glances of different layouts cannot be compared."""
    luma: Luma
    """(rows, columns): the mean of each block, 0..255."""


class MotionGate:
    """Tells the frames of one camera that show something new from those that do not.

    Compared is with the frame that was last *classified*, so that slow movement adds up until it counts.
    Not thread-safe: it belongs to the worker that classifies.
    """

    def __init__(self, rules: GateRules) -> None:
        """Build a gate that admits the first frame."""
        self.rules = rules
        self._reference: Glance | None = None
        self.last: Glance | None = None
        """The frame that was admitted last."""
        self._open_until_ns = 0

    def admits(self, image: Image, *, captured_ns: int, plan: Plan | None = None) -> bool:
        """Should this frame be classified?

        Args:
            image: The whole picture, in any format; its size may change from frame to frame.
            captured_ns: When it was taken; ascending between resets.
            plan: What the model sees of it, to look at nothing else; None: all of it.

        Returns:
            False: the frame is still. True: it moved, something moved shortly before, the last
            classified frame is too long ago, or there is none that it could be compared with.
        """
        seen = _glance(image, plan, captured_ns)
        last = self._reference
        if last is None or last.layout != seen.layout or _moved(last.luma, seen.luma, self.rules.area):
            self._open_until_ns = captured_ns + self.rules.linger_ns
        elif self._open_until_ns < captured_ns < last.captured_ns + self.rules.max_ns:
            return False
        self.last = seen
        return True

    def classified(self, glance: Glance | None) -> None:
        """A frame was really classified: later ones are compared with it.

        Without this call (the frame was skipped, the engine failed) the old reference stays, and what
        moved is still seen to have moved.

        Args:
            glance: `last`, as it was when the frame was admitted; others may have been since.
        """
        self._reference = glance

    def reset(self) -> None:
        """Forget all that was seen, as when the camera was reopened: the next frame is admitted."""
        self._reference = self.last = None


def _glance(image: Image, plan: Plan | None, captured_ns: int) -> Glance:
    x, y, width, height = 0, 0, image.width_px, image.height_px
    if plan is not None:
        x, y, width, height = plan.x_px, plan.y_px, plan.width_px, plan.height_px
    # Without its colour axis a row is shrunk three times as fast. The mean of a block is then that of its
    # blue, green and red, which serves as luma: only differences count.
    channels = image.pixels.shape[2] if image.pixels.ndim == 3 else 1  # noqa: PLR2004 - axes
    flat = image.pixels.reshape(image.pixels.shape[0], -1)
    step = max(1, round(height / _ROWS_READ))
    box = flat[y : y + height : step, x * channels : (x + width) * channels]
    columns, lines = (
        max(1, min(blocks, side // _MIN_BLOCK_PX))
        for blocks, side in zip(_GRID, (width, height), strict=True)
    )
    return Glance(captured_ns, (image.format, x, y, width, height), _block_means(box, columns, lines))


def _block_means(box: NDArray[np.uint8], columns: int, rows: int) -> Luma:
    """(height, width) uint8 shrunk to (rows, columns) by averaging.

    Halving first is a plain mean that OpenCV does fast; INTER_AREA at once takes four times as long.
    """
    while box.shape[1] >= 2 * columns and box.shape[0] >= 2 * rows:
        even_w, even_h = box.shape[1] & ~1, box.shape[0] & ~1
        half = (even_w // 2, even_h // 2)
        box = np.asarray(cv2.resize(box[:even_h, :even_w], half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(box, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def _moved(before: Luma, now: Luma, area: float) -> bool:
    """True if no change of light alone explains the difference of all but `area` of the blocks."""
    enough = area * before.size
    return all(np.count_nonzero(np.abs(now - unmoved) >= _STEP) >= enough for unmoved in _relit(before, now))


def _relit(before: Luma, now: Luma) -> Iterator[Luma]:
    """The old picture in the light of the new one, if nothing moved: the same (cheapest), shifted, amplified.

    Flare and brightness controls add, exposure multiplies. Both are taken from a median over the blocks,
    which an object that fills less than half of the picture cannot bend.
    """
    yield before
    shift = _median(now - before)
    yield np.clip(before + min(max(shift, -_MAX_SHIFT), _MAX_SHIFT), 0, 255)
    gain = _median(now / np.maximum(before, 1))  # black times any gain stays black
    yield np.clip(before * min(max(gain, 1 / _MAX_GAIN), _MAX_GAIN), 0, 255)


def _median(values: NDArray[np.floating[Any]]) -> float:
    """The upper median; numpy's own takes five times as long on so few values."""
    middle = values.size // 2
    return float(np.partition(values, middle, axis=None)[middle])

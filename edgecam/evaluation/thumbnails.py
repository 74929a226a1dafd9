"""The pictures that a model was surest of and wrong about, small enough for a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edgecam.errors import UnreadableFrame
from edgecam.evaluation.metrics import said, worst_errors
from edgecam.evaluation.pictures import PictureSet, read_pixels
from edgecam.evaluation.scores import Scores

MOST = 24
_SIDE_PX = 176
_QUALITY = 80


@dataclass(frozen=True, slots=True)
class WorstError:
    """One picture that was told wrong."""

    name: str
    """As in `Scores.names`."""
    shown: str
    """What it shows."""
    said: str
    """What the model said."""
    probability: float
    """Of what it said, 0..1."""
    of_truth: float
    """Of what it shows, 0..1."""
    jpeg: bytes | None
    """None: the picture cannot be read any more."""


def worst_pictures(scores: Scores, pictures: PictureSet, most: int = MOST) -> list[WorstError]:
    """The worst errors, the surest first, each with its picture in 176 pixels at most a side."""
    paths = {pictures.name_of(picture): picture.path for picture in pictures.pictures}
    best = said(scores)
    found = []
    for place in worst_errors(scores, most).tolist():
        name, row = scores.names[place], scores.probabilities[place]
        found.append(
            WorstError(
                name=name,
                shown=scores.labels[scores.truth[place]],
                said=scores.labels[best[place]],
                probability=float(row[best[place]]),
                of_truth=float(row[scores.truth[place]]),
                jpeg=_jpeg(paths[name]) if name in paths else None,
            )
        )
    return found


def _jpeg(path: Path) -> bytes | None:
    try:
        pixels = read_pixels(path)
    except UnreadableFrame:
        return None
    height_px, width_px = pixels.shape[:2]
    scale = min(1.0, _SIDE_PX / max(height_px, width_px))
    size = max(1, round(width_px * scale)), max(1, round(height_px * scale))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    good, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes() if good else None

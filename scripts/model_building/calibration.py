"""Pictures for calibration: freely licensed sample photos, cut and relit in a fixed way.

scikit-image and scikit-learn carry a handful of photographs in their wheels. A few photos cut in many ways
stand in for a collection that could not be shared: calibration needs the range of each tensor, not the
right answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage.data
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

SCIKIT_IMAGE_PHOTOS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "logo.png",
    "moon.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
SCIKIT_LEARN_PHOTOS = ("china.jpg", "flower.jpg")

# A cut: the square's side as a fraction of the short side, then its left and top within the room left.
_CUTS = (
    (0.875, 0.5, 0.5),
    (1.0, 0.0, 0.0),
    (0.6, 0.1, 0.4),
    (0.6, 0.9, 0.6),
    (0.4, 0.5, 0.3),
    (0.25, 0.4, 0.5),
)


def photos() -> list[Image.Image]:
    """The photographs as they are in the wheels, RGB."""
    wheel_folders = (
        (Path(skimage.data.__file__).parent, SCIKIT_IMAGE_PHOTOS),
        (Path(sklearn.datasets.__file__).parent / "images", SCIKIT_LEARN_PHOTOS),
    )
    return [Image.open(folder / name).convert("RGB") for folder, names in wheel_folders for name in names]


def calibration_pictures(side_px: int, *, relit: bool) -> Iterator[NDArray[np.uint8]]:
    """Every photo in every cut, if wanted each also in one changed light; uint8 RGB [side_px, side_px, 3]."""
    for number, photo in enumerate(photos()):
        for index, (fraction, left, top) in enumerate(_CUTS):
            plain = _cut(photo, side_px=side_px, fraction=fraction, left=left, top=top)
            yield plain
            if relit:
                yield _relit(plain, number + index)


def _cut(photo: Image.Image, *, side_px: int, fraction: float, left: float, top: float) -> NDArray[np.uint8]:
    side = round(min(photo.size) * fraction)
    x, y = round((photo.width - side) * left), round((photo.height - side) * top)
    square = photo.resize((side_px, side_px), Image.Resampling.BICUBIC, box=(x, y, x + side, y + side))
    return np.asarray(square)


def _relit(picture: NDArray[np.uint8], kind: int) -> NDArray[np.uint8]:
    image = Image.fromarray(picture)
    changes = (
        lambda: ImageOps.mirror(ImageEnhance.Brightness(image).enhance(0.5)),
        lambda: ImageOps.mirror(ImageEnhance.Brightness(image).enhance(1.6)),
        lambda: ImageOps.mirror(ImageEnhance.Contrast(image).enhance(1.8)),
        lambda: ImageOps.mirror(ImageEnhance.Color(image).enhance(2.0)),
        lambda: ImageOps.mirror(Image.fromarray(np.ascontiguousarray(picture[:, :, ::-1]))),
    )
    return np.asarray(changes[kind % len(changes)]())

"""The pictures that a network is calibrated with: found, cut as the live path cuts them, told by a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.config.source import PICTURE_SUFFIXES
from edgecam.errors import SourceError
from edgecam.evaluation.pictures import read_pixels
from edgecam.model.card import Channels, InputCard
from edgecam.model.digests import digest_of
from edgecam.records import Image, PixelFormat, TensorSpec
from edgecam.vision.geometry import View
from edgecam.vision.preprocess import Preprocessor

MOST_PICTURES = 200
"""As many as are of use: more make the ranges wider, and each step coarser."""


def find_pictures(path: Path, *, most: int = MOST_PICTURES) -> list[Path]:
    """The pictures of a folder and of all folders in it, or the one picture that `path` is.

    Args:
        path: a folder or a picture.
        most: of so many or fewer all are taken; of more, every so-manieth by name, so that all folders have
            their share.

    Raises:
        SourceError: there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SourceError(f"{path}: there is no such folder of pictures; check the path")
    found = sorted(file for file in path.rglob("*") if _is_picture(file.relative_to(path)))
    if not found:
        raise SourceError(
            f"{path}: has no picture; looked for {' '.join(PICTURE_SUFFIXES)}, in its folders, too"
        )
    if len(found) <= most:
        return found
    return [found[index * len(found) // most] for index in range(most)]


def _is_picture(file: Path) -> bool:
    """By its name; what systems and archives hide is none."""
    hidden = any(part.startswith((".", "__MACOSX")) for part in file.parts)
    return file.suffix.lower() in PICTURE_SUFFIXES and not hidden


def calibration_inputs(card: InputCard, pictures: Iterable[Path]) -> Iterator[NDArray[np.float32]]:
    """Each picture as the float network sees it live: float32 [1, height, width, channels], normalised.

    Raises:
        UnreadableFrame: a picture that cannot be read.
    """
    channels = 1 if card.color is Channels.GRAY else 3
    shape = (1, card.height_px, card.width_px, channels)
    return tensors_of(card, TensorSpec("image", shape, "float32", None, None), images_of(pictures))


def tensors_of(card: InputCard, tensor: TensorSpec, images: Iterable[Image]) -> Iterator[NDArray[Any]]:
    """Each picture as a network's input, by the live path, in the dtype of `tensor`."""
    preprocess = Preprocessor(card, tensor, View())
    for image in images:
        yield preprocess(image)


def images_of(pictures: Iterable[Path]) -> Iterator[Image]:
    """Picture files as frames; raises UnreadableFrame: one that cannot be read."""
    for path in pictures:
        pixels = read_pixels(path)
        height_px, width_px = pixels.shape[:2]
        yield Image(pixels, PixelFormat.BGR, width_px=width_px, height_px=height_px)


def made_images(card: InputCard, count: int) -> Iterator[Image]:
    """Pictures of soft coloured shapes with some noise, always the same: to compare numbers, not classes."""
    chance = np.random.default_rng(count)
    size = (card.width_px, card.height_px)
    for _ in range(count):
        coarse = chance.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        soft = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC).astype(np.int16)
        noisy = soft + chance.integers(-12, 13, soft.shape, dtype=np.int16)
        pixels = noisy.clip(0, 255).astype(np.uint8)
        yield Image(pixels, PixelFormat.BGR, width_px=card.width_px, height_px=card.height_px)


def input_range(card: InputCard) -> tuple[float, float]:
    """The lowest and the highest real value that pixels can reach.

    With a mean of 127 and a std of 128 an int8 input then has the scale 1/128 and the zero point -1, and a
    picture becomes the tensor by turning each byte's sign bit.
    """
    means, stds = np.broadcast_arrays(np.asarray(card.mean, np.float64), np.asarray(card.std, np.float64))
    ends = np.concatenate([(0 - means) / stds, (255 - means) / stds])
    return float(ends.min()), float(ends.max())


def digest_of_pictures(pictures: Sequence[Path]) -> str:
    """One sha256 of all pictures' contents, whatever their order and names; 64 digits.

    Raises:
        ModelError: one cannot be read.
    """
    digests = sorted(digest_of(path) for path in pictures)
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()

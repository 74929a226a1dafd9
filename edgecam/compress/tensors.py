"""Pictures in memory, cut and resized as a camera's frames are, and the batches that training takes."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgecam.compress.augmentation import Augmentation, augmented
from edgecam.compress.calibration import find_pictures, images_of, tensors_of
from edgecam.compress.picture_sets import refuse
from edgecam.errors import SourceError, UnreadableFrame, UnusableError
from edgecam.evaluation.pictures import PictureSet
from edgecam.model.card import InputCard
from edgecam.records import TensorSpec

UNLABELLED = -1
"""The class of a picture of which nobody said what it shows."""
_MEMORY_SHARE = 0.6
_MOST_EPOCHS = 1_000_003


@dataclass(frozen=True, slots=True, eq=False)
class PictureTensors:
    """Pictures of one size, and what they show."""

    pixels: Tensor
    """uint8 (pictures, side, side, 3), red first."""
    truth: Tensor
    """int64 (pictures,): the class that each shows, or `UNLABELLED`."""
    labels: tuple[str, ...]
    """One per class."""

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def side_px(self) -> int:
        """Of the square pictures."""
        return int(self.pixels.shape[1])

    def subset(self, places: Tensor) -> Self:
        """Those at these places, int64 (n,)."""
        return type(self)(self.pixels[places], self.truth[places], self.labels)

    def joined_by(self, others: Self) -> Self:
        """These and others of the same size, whose labels do not count."""
        pixels = torch.cat([self.pixels, others.pixels])
        nothing = torch.full_like(others.truth, UNLABELLED)
        return type(self)(pixels, torch.cat([self.truth, nothing]), self.labels)

    def digest(self) -> str:
        """SHA-256 of pixels, classes and labels, for a model's provenance."""
        digest = hashlib.sha256("\n".join(self.labels).encode())
        digest.update(self.truth.numpy().tobytes())
        digest.update(np.ascontiguousarray(self.pixels.numpy()).data)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step of training sees."""

    pixels: Tensor
    """float32 (n, 3, side, side), 0..255, changed as `Augmentation` says."""
    inputs: Tensor
    """The same, normalised."""
    truth: Tensor
    """int64 (n,)."""
    places: Tensor
    """int64 (n,): which pictures of the set these are."""


class Batches:
    """Pictures in an order that chance gives each epoch anew; the same seed gives the same batches.

    Args:
        pictures: all of them are in each epoch.
        mean: on 0..255 pixels, as on the model's card.
        std: likewise.
        size: pictures in a batch, more or less: an epoch is cut into equal parts.
        seed: of order and augmentation.
        augmentation: how pictures are changed; None: not at all.
    """

    def __init__(
        self,
        pictures: PictureTensors,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        size: int = 64,
        seed: int = 0,
        augmentation: Augmentation | None = None,
    ) -> None:
        self._pictures, self._mean, self._std = pictures, mean, std
        self._seed, self._augmentation = seed, augmentation
        self._count = max(1, round(len(pictures) / size))

    def __len__(self) -> int:
        return self._count

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of one epoch, counted from 0."""
        chance = chance_of(self._seed, number)
        order = torch.randperm(len(self._pictures), generator=chance)
        for places in order.tensor_split(self._count):
            pixels = as_float(self._pictures.pixels[places])
            if self._augmentation is not None:
                pixels = augmented(pixels, self._augmentation, chance)
            inputs = normalised(pixels, self._mean, self._std)
            yield Batch(pixels, inputs, self._pictures.truth[places], places)


def picture_tensors(
    pictures: PictureSet, side_px: int, *, told: Callable[[int, int], None] | None = None
) -> PictureTensors:
    """Read all pictures: the middle of each, as a camera's frame is cut and resized for the network.

    Args:
        pictures: from `read_picture_set`.
        side_px: of the network's square input.
        told: hears how many pictures are read, and of how many.

    Raises:
        SourceError: pictures that cannot be read; the first of them with the reason.
        UnusableError: more pictures than memory holds.
    """
    pixels = _read([picture.path for picture in pictures.pictures], side_px, told)
    truth = torch.tensor([picture.label for picture in pictures.pictures], dtype=torch.int64)
    return PictureTensors(pixels, truth, pictures.labels)


def unlabelled_tensors(
    folder: Path, side_px: int, *, told: Callable[[int, int], None] | None = None
) -> PictureTensors:
    """Read all pictures of a folder and of those in it, in the order of `find_pictures`.

    Raises:
        SourceError: no such folder, no picture in it, or pictures that cannot be read.
        UnusableError: more pictures than memory holds.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: there is no such folder of pictures; check the path")
    paths = find_pictures(folder, most=sys.maxsize)
    pixels = _read(paths, side_px, told)
    return PictureTensors(pixels, torch.full((len(paths),), UNLABELLED, dtype=torch.int64), ())


def chance_of(seed: int, epoch: int) -> torch.Generator:
    """What decides in an epoch; no two epochs of any two seeds have the same."""
    return torch.Generator().manual_seed(seed * _MOST_EPOCHS + epoch)


def as_float(pixels: Tensor) -> Tensor:
    """uint8 (n, side, side, 3) to float32 (n, 3, side, side), 0..255."""
    return pixels.permute(0, 3, 1, 2).float()


def normalised(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """What the network sees of float32 (n, 3, side, side) pixels: (pixel - mean) / std."""
    low, scale = (torch.tensor(values, dtype=torch.float32).reshape(1, -1, 1, 1) for values in (mean, std))
    # In memory with channels last, as convolutions take pictures best: a third less time.
    return ((pixels - low) / scale).contiguous(memory_format=torch.channels_last)


def _read(paths: Sequence[Path], side_px: int, told: Callable[[int, int], None] | None) -> Tensor:
    _check_memory(len(paths), side_px)
    pixels = np.empty((len(paths), side_px, side_px, 3), np.uint8)
    faults: list[str] = []

    def read(place: int) -> str | None:
        try:
            pixels[place] = _cut(paths[place], side_px)
        except UnreadableFrame as fault:
            return str(fault)
        return None

    with ThreadPoolExecutor() as readers:
        for number, fault in enumerate(readers.map(read, range(len(paths))), start=1):
            if fault is not None:
                faults.append(fault)
            if told is not None:
                told(number, len(paths))
    refuse(faults)
    return torch.from_numpy(pixels)


def _cut(path: Path, side_px: int) -> NDArray[np.uint8]:
    """The network's picture, (side, side, 3), red first; raises UnreadableFrame."""
    card = InputCard(width_px=side_px, height_px=side_px, mean=(0.0,), std=(1.0,))
    # A tensor that holds the pixels themselves.
    tensor = TensorSpec("image", (1, side_px, side_px, 3), "uint8", scale=1.0, zero_point=0)
    return np.asarray(next(tensors_of(card, tensor, images_of([path])))[0], np.uint8)


def _check_memory(count: int, side_px: int) -> None:
    needed = count * side_px**2 * 3
    present = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > _MEMORY_SHARE * present:
        raise UnusableError(
            f"{count} pictures of {side_px} px take {needed / 1e9:.1f} GB of this machine's "
            f"{present / 1e9:.1f} GB of memory; take fewer, or a smaller side"
        )

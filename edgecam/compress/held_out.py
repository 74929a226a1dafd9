"""Which pictures a network learns from, and which are kept to see how well it does."""

from __future__ import annotations

import torch
from torch import Tensor

from edgecam.compress.tensors import UNLABELLED, PictureTensors
from edgecam.errors import SourceError, UsageError

_LEAST_PICTURES = 2


def check_classes(pictures: PictureTensors) -> None:
    """Refuse classes that nothing can be learnt of.

    Raises:
        SourceError: a class has fewer than two pictures.
    """
    counts = class_counts(pictures)
    few = [f"{label} has {count}" for label, count in zip(pictures.labels, counts.tolist(), strict=True)
           if count < _LEAST_PICTURES]  # fmt: skip
    if few:
        raise SourceError(
            f"a class needs at least {_LEAST_PICTURES} pictures, some dozens are better: {', '.join(few)}; "
            "add some, or leave the class out"
        )


def class_counts(pictures: PictureTensors) -> Tensor:
    """How many pictures each class has, int64 (classes,)."""
    labelled = pictures.truth[pictures.truth != UNLABELLED]
    return torch.bincount(labelled, minlength=len(pictures.labels))


def split(pictures: PictureTensors, share: float, *, seed: int) -> tuple[PictureTensors, PictureTensors]:
    """What is learnt from, and what is kept apart: that share of each class, at least one picture of each.

    Args:
        pictures: labelled.
        share: above 0, below 1.
        seed: which pictures chance keeps; the same seed keeps the same.

    Raises:
        UsageError: no such share.
        SourceError: a class has fewer than two pictures.
    """
    if not 0 < share < 1:
        raise UsageError(f"expected a share of pictures between 0 and 1 to keep apart, got {share}")
    check_classes(pictures)
    chance = torch.Generator().manual_seed(seed)
    kept = torch.zeros(len(pictures), dtype=torch.bool)
    for label in range(len(pictures.labels)):
        places = torch.nonzero(pictures.truth == label).flatten()
        count = min(max(1, round(share * len(places))), len(places) - 1)
        kept[places[torch.randperm(len(places), generator=chance)[:count]]] = True
    return pictures.subset(torch.nonzero(~kept).flatten()), pictures.subset(torch.nonzero(kept).flatten())

"""The pictures that are learnt from, and those that accuracy is measured on: never the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgecam.errors import SourceError
from edgecam.evaluation.pictures import PictureSet, read_picture_set


def read_apart(
    train: Path, test: Path, *, labels: Sequence[str] | None = None
) -> tuple[PictureSet, PictureSet]:
    """List both; none is opened.

    Args:
        train: class folders or a CSV.
        test: likewise, of the same labels.
        labels: of the model; None: those that the training pictures show.

    Raises:
        SourceError: one of them is not there, has other labels, or they share a picture.
    """
    learnt = read_picture_set(train, labels=labels)
    shown = read_picture_set(test, labels=learnt.labels)
    shared = _files(learnt) & _files(shown)
    if shared:
        raise SourceError(
            f"{min(shared)}: is among the pictures for training and those for testing; keep them apart: "
            "accuracy on pictures that were learnt says nothing"
        )
    return learnt, shown


def _files(pictures: PictureSet) -> set[Path]:
    return {entry.path.resolve() for entry in pictures.pictures}

"""The pictures that are learnt from, and those that accuracy is measured on: never the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from edgecam.errors import SourceError, UnreadableFrame
from edgecam.evaluation.pictures import PictureSet, read_picture_set, read_pixels

_MOST_LINES = 5


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
    check_apart(paths_of(learnt), shown, what="the pictures for training")
    return learnt, shown


def check_apart(learnt: Iterable[Path], shown: PictureSet, *, what: str) -> None:
    """Refuse to measure accuracy on pictures that a network learnt from.

    Args:
        learnt: the files that it learns from.
        shown: what accuracy is measured on.
        what: what the first are called in a message.

    Raises:
        SourceError: they share a file, by whatever way it comes.
    """
    shared = {path.resolve() for path in learnt} & {path.resolve() for path in paths_of(shown)}
    if shared:
        raise SourceError(
            f"{min(shared)}: is among {what} and those for testing; keep them apart: "
            "accuracy on pictures that were learnt says nothing"
        )


def check_readable(pictures: PictureSet) -> None:
    """Read all pictures, before anything is learnt that they are to be shown to.

    Raises:
        SourceError: pictures that cannot be read; the first of them with the reason.
    """
    with ThreadPoolExecutor() as readers:
        faults = [fault for fault in readers.map(_fault, paths_of(pictures)) if fault is not None]
    refuse(faults)


def refuse(faults: Sequence[str]) -> None:
    """Raises SourceError: there are faults; it tells the first of them, and how many more there are."""
    if faults:
        raise SourceError("\n".join(_first(faults)))


@contextmanager
def all_readable() -> Iterator[None]:
    """For work that needs each of its pictures; raises SourceError: one cannot be read."""
    try:
        yield
    except UnreadableFrame as fault:
        raise SourceError(str(fault)) from fault


def lies_among(place: Path, pictures: Path) -> str | None:
    """Why nothing can be written there, if it is in the very folder of pictures, or below it; else None."""
    if not place.resolve().is_relative_to(pictures.resolve()):
        return None
    return f"{place} lies among the pictures in {pictures}, and would be taken for some; name another"


def paths_of(pictures: PictureSet) -> list[Path]:
    """The files."""
    return [entry.path for entry in pictures.pictures]


def left_out(pictures: PictureSet) -> list[str]:
    """Lines on files among them that are no pictures by their endings: nobody should miss them silently."""
    return _first([f"{file}: is no picture by its ending, and is left out" for file in pictures.left_out])


def _first(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], *([f"and {more} more like these"] if more > 0 else [])]


def _fault(path: Path) -> str | None:
    try:
        read_pixels(path)
    except UnreadableFrame as fault:
        return str(fault)
    return None

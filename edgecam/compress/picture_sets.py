"""The pictures that are learnt from, and those that accuracy is measured on: never the same ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from edgecam.config.source import PICTURE_SUFFIXES
from edgecam.errors import SourceError, UnreadableFrame
from edgecam.evaluation.pictures import PictureSet, read_picture_set, read_pixels
from edgecam.model.digests import digest_of

_MOST_LINES = 5
_MOST_CLASSES = 10
_LEAST_CLASSES = 2
_SETS = ("train", "training", "test", "testing", "val", "valid", "validation", "unlabelled", "unlabeled")
_APART = "keep them apart: accuracy on pictures that were learnt says nothing"


def read_apart(
    train: Path, test: Path, *, labels: Sequence[str] | None = None
) -> tuple[PictureSet, PictureSet]:
    """List both, and see that they have nothing in common.

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
        SourceError: they share a file, by whatever way it comes, or one is a copy of another.
    """
    learnt, tested = list(learnt), paths_of(shown)
    shared = {path.resolve() for path in learnt} & {path.resolve() for path in tested}
    if shared:
        raise SourceError(f"{min(shared)}: is among {what} and those for testing; {_APART}")
    refuse(
        [
            f"{path}: is a copy of {other}, which is among {what}; {_APART}"
            for path, other in _copies(tested, learnt)
        ]
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


def above_sets(pictures: Path, part: str) -> str | None:
    """Why a folder is none of class folders, if it looks like the one above several sets of them; else None.

    Args:
        pictures: what was given as class folders; a CSV is none.
        part: which set is wanted: `train` or `test`.
    """
    if not pictures.is_dir():
        return None
    folders = sorted(folder for folder in pictures.iterdir() if folder.name.lower() in _SETS)
    found = [folder for folder in folders if folder.is_dir() and _has_only_folders(folder)]
    if not found:
        return None
    best = min(found, key=lambda folder: not folder.name.lower().startswith(part))
    names = " and ".join(folder.name for folder in found)
    return f"{pictures} looks like the folder above {names}, and not like one of class folders; give {best}"


def check_learnable(pictures: PictureSet, path: Path) -> None:
    """Raises SourceError: all are of one class, so that there is nothing to tell apart; `path`: of them."""
    if len(pictures.labels) < _LEAST_CLASSES:
        raise SourceError(
            f"{path}: expected at least {_LEAST_CLASSES} classes, got {', '.join(pictures.labels)}; give "
            "each a folder of pictures, and what is none of them one called other"
        )


def tally(pictures: PictureSet) -> str:
    """How many of each class there are, so that a wrong folder is seen before it is learnt from."""
    counts = Counter(picture.label for picture in pictures.pictures)
    found = [(counts[index], label) for index, label in enumerate(pictures.labels)]
    if len(found) <= _MOST_CLASSES:
        return f"{len(found)} classes: {', '.join(f'{label} {count}' for count, label in found)}"
    (least, few), (most, many) = min(found), max(found)
    return f"{len(found)} classes, {len(pictures.pictures)} pictures: from {few} {least} to {many} {most}"


def paths_of(pictures: PictureSet) -> list[Path]:
    """The files."""
    return [entry.path for entry in pictures.pictures]


def left_out(pictures: PictureSet) -> list[str]:
    """Lines on files among them that are no pictures by their endings: nobody should miss them silently."""
    return _first([f"{file}: is no picture by its ending, and is left out" for file in pictures.left_out])


def _first(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], *([f"and {more} more like these"] if more > 0 else [])]


def _copies(some: Iterable[Path], others: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Files that hold the same; only those of a length that others have, too, are read."""
    by_bytes: dict[int, list[Path]] = {}
    for path in filter(Path.is_file, others):
        by_bytes.setdefault(path.stat().st_size, []).append(path)
    by_digest = cache(lambda size_bytes: {digest_of(path): path for path in by_bytes[size_bytes]})
    for path in filter(Path.is_file, some):
        if (size_bytes := path.stat().st_size) in by_bytes:
            other = by_digest(size_bytes).get(digest_of(path))
            if other is not None:
                yield path, other


def _has_only_folders(folder: Path) -> bool:
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError:
        return False
    return any(entry.is_dir() for entry in entries) and not any(
        entry.suffix.lower() in PICTURE_SUFFIXES for entry in entries if not entry.is_dir()
    )


def _fault(path: Path) -> str | None:
    try:
        read_pixels(path)
    except UnreadableFrame as fault:
        return str(fault)
    return None

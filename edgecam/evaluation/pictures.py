"""Labelled pictures: a folder of class folders, or a CSV that says what each picture shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecam.capture.images import read_picture
from edgecam.config.source import PICTURE_SUFFIXES
from edgecam.errors import ModelError, SourceError
from edgecam.evaluation.naming import Naming, labels_among
from edgecam.evaluation.table import read_rows
from edgecam.model.labels import parse_labels

_MOST_FAULTS = 5


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """One picture and what it shows."""

    path: Path
    label: int
    """Index into the set's labels."""


@dataclass(frozen=True, slots=True)
class PictureSet:
    """Labelled pictures, in an order that depends on their names alone."""

    root: Path
    """The folder, or the one in which the CSV lies; `name_of` is relative to it."""
    labels: tuple[str, ...]
    """Those of the model, whether there are pictures of them or not; or the names that were found."""
    pictures: tuple[LabelledPicture, ...]
    members: tuple[tuple[int, ...], ...] | None = None
    """The model's classes in each of `labels`, where those are groups; None: they are the model's labels."""
    left_out: tuple[Path, ...] = ()
    """Files in class folders that are no pictures by their endings: `.heic`, `.gif`, …"""

    def name_of(self, picture: LabelledPicture) -> str:
        """What it is called in results: its path below `root`, else its whole path."""
        path = picture.path
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong with a name; put into words only if it is among those that are told."""

    where: str | Path
    why: str | ValueError
    otherwise: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.why}{self.otherwise}"


def read_picture_set(
    path: Path,
    *,
    labels: Sequence[str] | None = None,
    groups: Mapping[str, Sequence[int]] | None = None,
    offset: int = 0,
) -> PictureSet:
    """List labelled pictures; none is opened.

    Args:
        path: a folder of class folders, each called as what its pictures show, which may lie in folders in
            there; or a CSV with the columns `path` (relative to the CSV) and `label`.
        labels: of the model. What is shown is then named by one of them, or by its number, and there need
            not be pictures of all. None: the names that are found, in order.
        groups: of the model. If a name is one of them, the names that are found are told apart, and `other`:
            `Naming` has the rule.
        offset: the card's background offset: 1 if a class without a line in labels.txt comes first.

    Raises:
        SourceError: there is nothing there, or a name is no label; with the file and line of a CSV.
    """

    def naming(used: Collection[str]) -> Naming:
        if labels is None:
            _refuse([_Fault(path, fault) for name in sorted(used) if (fault := _unwritable(name))], path)
        of_model = labels_among(used) if labels is None else labels
        try:
            return Naming(of_model, groups or {}, used=used, offset=offset)
        except ValueError as error:
            raise SourceError(f"{path}: {error}") from error

    if path.is_dir():
        return _read_folder(path, naming)
    if path.is_file():
        return _read_table(path, naming)
    raise SourceError(f"{path}: there is no such folder or CSV of labelled pictures; check the path")


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """The picture as a camera made of an image folder gives it, upright by its EXIF orientation.

    Returns:
        (height, width, 3) uint8, blue first.

    Raises:
        UnreadableFrame: it cannot be opened, is no picture, or is cut off.
    """
    return read_picture(path).pixels


def _read_folder(root: Path, naming: Callable[[Collection[str]], Naming]) -> PictureSet:
    inside = _class_folders(root)
    names = naming([folder.name for folder in inside])
    pictures: list[LabelledPicture] = []
    left_out: list[Path] = []
    faults: list[_Fault] = []
    for folder, files in inside.items():
        label = _try(names.index_of, folder.name, folder, faults)
        those = [file for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
        if label < 0 and those and folder not in {file.parent for file in those}:
            faults[-1] = replace(
                faults[-1], otherwise=f"; or, if the class folders are in there, give {folder}"
            )
        if not those:
            kinds = " ".join(PICTURE_SUFFIXES)
            faults.append(_Fault(folder, f"has no picture ({kinds}); put some in, or remove the folder"))
        pictures += [LabelledPicture(file, label) for file in those]
        left_out += [file for file in files if file.suffix.lower() not in PICTURE_SUFFIXES]
    _refuse(faults, root)
    return PictureSet(root, names.labels, tuple(pictures), names.members, tuple(left_out))


def _class_folders(root: Path) -> dict[Path, list[Path]]:
    """Each with all files in it."""
    try:
        folders = {entry: _walk(entry) for entry in _visible(root) if entry.is_dir()}
    except OSError as error:
        raise SourceError(f"{error.filename}: cannot be read ({error.strerror}); check it") from error
    if not folders:
        raise SourceError(
            f"{root}: has no class folders; put the pictures into folders called as what they show, "
            f"as {root / 'cat' / '1.jpg'}, or give a CSV with the columns path,label"
        )
    return folders


def _read_table(path: Path, naming: Callable[[Collection[str]], Naming]) -> PictureSet:
    rows = read_rows(path)
    names = naming({row.label for row in rows})
    faults: list[_Fault] = []
    pictures = [
        LabelledPicture(path.parent / row.path, _try(names.index_of, row.label, f"{path}:{row.line}", faults))
        for row in rows
    ]
    _refuse(faults, path)
    return PictureSet(path.parent, names.labels, tuple(pictures), names.members)


def _try(index_of: Callable[[str], int], name: str, where: str | Path, faults: list[_Fault]) -> int:
    """The class of a name; -1 if there is none, which is then among the faults."""
    try:
        return index_of(name)
    except ValueError as error:
        faults.append(_Fault(where, error))
        return -1


def _unwritable(name: str) -> str:
    """Why a name cannot be that of a label; empty: it can, since a file of labels gives it back as it is."""
    try:
        fits = parse_labels(f"{name}\n".encode(), name="") == (name,)
    except (ValueError, ModelError):
        fits = False
    if fits:
        return ""
    return (
        f"{name!r} is no label: it has a line break, a space at an end, or bytes that are no UTF-8; rename it"
    )


def _refuse(faults: Sequence[_Fault], path: Path) -> None:
    if not faults:
        return
    more = len(faults) - _MOST_FAULTS
    lines = [*map(str, faults[:_MOST_FAULTS]), *([f"{path}: and {more} more like these"] if more > 0 else [])]
    raise SourceError("\n".join(lines))


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "__MACOSX")))


def _walk(folder: Path) -> list[Path]:
    """All files below a folder that are not hidden, by name; a link to a folder may lead round in circles."""
    found: list[Path] = []
    for entry in _visible(folder):
        if not entry.is_dir():
            found.append(entry)
        elif not entry.is_symlink():
            found += _walk(entry)
    return found

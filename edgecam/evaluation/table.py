"""A CSV that says what pictures show."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecam.config.source import PICTURE_SUFFIXES
from edgecam.errors import SourceError

PATH_COLUMNS = ("path", "file", "filename", "image", "picture")
LABEL_COLUMNS = ("label", "class", "class_index", "class_name", "index")
"""How the two columns may be called, the usual name first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line that names a picture."""

    line: int
    """Counted from 1."""
    path: str
    """As written; relative to the CSV."""
    label: str
    """A name or a number."""


def read_rows(path: Path) -> list[Row]:
    """Read a CSV, with or without a first line that names its columns; other columns are passed over.

    Raises:
        SourceError: it cannot be read, has not the columns, or names no picture; with the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    except csv.Error as error:
        raise SourceError(f"{path}:{reader.line_num}: is no CSV: {error}") from error
    if not lines:
        raise SourceError(f"{path}: is empty; expected the columns path,label and a line a picture")
    columns, has_header = _columns(lines[0][1], path)
    rows = [_row(line, cells, columns, path) for line, cells in lines[has_header:]]
    if not rows:
        raise SourceError(f"{path}: names no picture; expected a line for each below the columns' names")
    return rows


def _columns(first: Sequence[str], path: Path) -> tuple[tuple[int, int], bool]:
    """Where path and label stand, and whether the first line says so."""
    names = [name.lower() for name in first]
    paths = [names.index(name) for name in PATH_COLUMNS if name in names]
    labels = [names.index(name) for name in LABEL_COLUMNS if name in names]
    if paths and labels:
        return (paths[0], labels[0]), True
    if len(first) == 2 and Path(first[0]).suffix.lower() in PICTURE_SUFFIXES:  # noqa: PLR2004 - path and label
        return (0, 1), False
    raise SourceError(
        f"{path}:1: expected the columns path,label, with a comma between, got {','.join(first)!r}; "
        f"path may be called {', '.join(PATH_COLUMNS[1:])}, label {', '.join(LABEL_COLUMNS[1:])}"
    )


def _row(line: int, cells: Sequence[str], columns: tuple[int, int], path: Path) -> Row:
    if len(cells) <= max(columns) or not all(cells[column] for column in columns):
        raise SourceError(f"{path}:{line}: expected a picture and its label, got {','.join(cells)!r}")
    if "\0" in cells[columns[0]]:
        raise SourceError(f"{path}:{line}: a path has a byte 0 in it, which no file has; save the CSV again")
    return Row(line, cells[columns[0]], cells[columns[1]])

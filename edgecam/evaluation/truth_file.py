"""Reads what was really to be seen in a recording: a CSV of `start,end,label`."""

from __future__ import annotations

import csv
import difflib
import math
import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edgecam.errors import SourceError
from edgecam.evaluation.truth import Interval

_COLUMNS = ("start", "end", "label")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_truth(path: Path, *, watched: Collection[str], start_ns: int, has_dates: bool) -> list[Interval]:
    """The intervals, on the recording's clock.

    Args:
        path: a CSV, with or without a first line `start,end,label`. Moments count from the recording's first
            frame, in seconds or as `[h:]mm:ss`; or are dates with times of day, where the recording has them.
        watched: the labels and groups that may be named.
        start_ns: the moment of the first frame.
        has_dates: the recording's clock counts from 1970.

    Raises:
        SourceError: it cannot be read, or a line makes no sense; with its number.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: is no CSV in UTF-8: {error}") from error
    if rows and tuple(cell.lower() for cell in rows[0][1]) == _COLUMNS:
        rows = rows[1:]
    if not rows:
        raise SourceError(f"{path}: names nothing; expected lines such as 12.5,20,cat")
    return [_interval(path, line, cells, watched, start_ns, has_dates=has_dates) for line, cells in rows]


def _interval(
    path: Path, line: int, cells: list[str], watched: Collection[str], start_ns: int, *, has_dates: bool
) -> Interval:
    try:
        begins, ends, label = cells
        starts_ns, ends_ns = (_moment_ns(text, start_ns, has_dates=has_dates) for text in (begins, ends))
    except (ValueError, OverflowError) as error:
        raise SourceError(
            f"{path}:{line}: expected start,end,label such as 12.5,20,cat or 0:12,0:20,cat, "
            f"got {','.join(cells)!r}: {error}"
        ) from error
    if starts_ns >= ends_ns:
        raise SourceError(f"{path}:{line}: expected an end after the start, got {begins} and {ends}")
    if label not in watched:
        near = difflib.get_close_matches(label, watched, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        raise SourceError(f'{path}:{line}: the camera does not watch "{label}"{hint}')
    return Interval(label, starts_ns, ends_ns)


def _moment_ns(text: str, start_ns: int, *, has_dates: bool) -> int:
    """Raises ValueError."""
    if found := _CLOCK.fullmatch(text):
        hours, minutes, seconds = found.groups(default="0")
        return start_ns + round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1e9)
    if "T" in text:
        if not has_dates:
            raise ValueError("this recording has no dates; count from its beginning")
        moment = datetime.fromisoformat(text)
        # Without a time zone it is the local time.
        return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1) * 1000
    seconds_s = float(text)
    if not math.isfinite(seconds_s) or seconds_s < 0:
        raise ValueError(f"{text} is no moment")
    return start_ns + round(seconds_s * 1e9)

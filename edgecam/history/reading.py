"""The evidence as others read it, while edgecam may be writing more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecam.history.shelf import day_of_events, moment, picture_name

_TEXTS = ("id", "camera", "event_type", "start")


@dataclass(slots=True)
class Evidence:
    """What was found."""

    events: list[dict[str, Any]] = field(default_factory=list)
    """As they were decided, oldest first."""
    unreadable: int = 0
    """Lines that are no events: a power cut tears the last one."""


def read_events(folder: Path, *, since: str | None = None, camera: str | None = None) -> Evidence:
    """The events that are kept.

    Args:
        folder: where they lie.
        since: only what was decided from this moment on, `2026-11-24T12:00:00.000Z`; None: all.
        camera: only those of this camera; None: all.

    Raises:
        OSError: the folder is not there, or something in it cannot be read.
    """
    found = Evidence()
    for path in _files_since(folder, "" if since is None else since[:10]):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            # Had to go meanwhile.
            continue
        for line in content.splitlines():
            event = _event(line)
            if event is None:
                found.unreadable += 1
            elif (since is None or moment(event) >= since) and camera in {None, event["camera"]}:
                found.events.append(event)
    return found


def picture_of(folder: Path, event: dict[str, Any]) -> Path | None:
    """The picture with which an episode began; None: there is none, or it is kept no more."""
    try:
        path = folder / picture_name(event)
    except ValueError:
        return None
    return path if path.is_file() else None


def _files_since(folder: Path, day: str) -> Iterator[Path]:
    days = {path: day_of_events(path.name) for path in folder.iterdir()}
    ours = sorted((found, path) for path, found in days.items() if found is not None)
    return (path for (its_day, _), path in ours if its_day >= day)


def _event(line: bytes) -> dict[str, Any] | None:
    """None: it is none."""
    try:
        event = json.loads(line)
        if not isinstance(event, dict) or not all(isinstance(event.get(key), str) for key in _TEXTS):
            return None
        moment(event)
    except (ValueError, RecursionError):
        return None
    return event

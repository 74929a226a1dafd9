"""`edgecam history`: the events that are kept on this device, and where their pictures lie."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edgecam.config.state_folder import history_path
from edgecam.errors import UnusableError, UsageError
from edgecam.history.reading import Evidence, picture_of, read_events
from edgecam.history.shelf import moment

_AGO = re.compile(r"(\d{1,6})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_SERVICE = Path("/var/lib/edgecam")


def history(
    *,
    since: str | None = None,
    camera: str | None = None,
    folder: Path | None = None,
    as_json: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Print the events, oldest first.

    Args:
        since: as `parse_since` reads it; None: all.
        camera: only those of this camera; None: all.
        folder: the folder for states; None: as `edgecam run` finds it.
        as_json: print docs/schemas/history.schema.json instead of lines.
        environ: the environment variables.

    Raises:
        UsageError: `since` makes no sense.
        UnusableError: nothing is kept there, or it cannot be read.
    """
    path = history_path(environ, state=folder)
    from_moment = None if since is None else _utc(parse_since(since, now=datetime.now(UTC)))
    found = _read(path, since=from_moment, camera=camera)
    if as_json:
        print(json.dumps(_answer(path, found), indent=2, ensure_ascii=False))
        return
    for event in found.events:
        print(_line(path, event))
    if not found.events:
        print("no events", file=sys.stderr)
    if found.unreadable:
        print(f"{found.unreadable} unreadable lines were left out", file=sys.stderr)


def parse_since(text: str, *, now: datetime) -> datetime:
    """A moment from `30m`, `2h`, `7d` ago, or from a date or time as ISO 8601 has it, local by default.

    Args:
        text: what was given.
        now: what the former is reckoned from.

    Raises:
        UsageError: it is none of these.
    """
    try:
        ago = _AGO.fullmatch(text)
        if ago is not None:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--since: expected 30m, 2h or 7d, or 2026-01-31 or 2026-01-31T12:00, got {text!r}"
        ) from error


def _utc(at: datetime) -> str:
    """In the form that events have."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def _read(path: Path, *, since: str | None, camera: str | None) -> Evidence:
    try:
        return read_events(path, since=since, camera=camera)
    except FileNotFoundError as error:
        text = f"nothing is kept in {path}; history: {{enabled: true}} in the configuration switches it on"
        hint = f"; that of the service: sudo edgecam history --folder {_SERVICE}"
        raise UnusableError(text + (hint if path.parent != _SERVICE else "")) from error
    except OSError as error:
        name = error.filename or path
        text = f"{name} cannot be read: {error.strerror}; only edgecam's own user and root may (sudo)"
        raise UnusableError(text) from error


def _answer(path: Path, found: Evidence) -> dict[str, Any]:
    events = []
    for event in found.events:
        picture = picture_of(path, event)
        events.append({**event, "picture": None if picture is None else str(picture)})
    return {"schema": 1, "folder": str(path), "unreadable": found.unreadable, "events": events}


def _line(path: Path, event: dict[str, Any]) -> str:
    """Local time, camera, which end of the episode, label, score, and the picture if there is one."""
    at = datetime.fromisoformat(moment(event)).astimezone()
    score, picture = event.get("score"), picture_of(path, event)
    parts = [
        at.isoformat(sep=" ", timespec="seconds"),
        f"{event['camera']:10}",
        f"{event['event_type']:5}",
        f"{score:4.2f}" if isinstance(score, float | int) else " -- ",
        str(event.get("label")),
        "" if picture is None else str(picture),
    ]
    return "  ".join(part for part in parts if part)

"""What is kept of the past, in order of age, and what has to go. Pure.

Names are those of files: `2026-11-24.jsonl` holds a day's events, `2026-11-24.2.jsonl` more of them, and
`2026-11-24/120000.123-main-<event's id>.jpg` is the picture with which an episode began. Days are of UTC.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping
from datetime import date, timedelta

_DAY = r"(\d{4}-\d{2}-\d{2})"
_EVENTS = re.compile(rf"{_DAY}(?:\.(\d{{1,6}}))?\.jsonl", re.ASCII)
_PICTURE = re.compile(rf"{_DAY}/(\d{{6}}\.\d{{3}})-[a-z0-9_-]{{1,100}}-[0-9a-f]{{32}}\.jpg", re.ASCII)
_MOMENT = re.compile(rf"{_DAY}T(\d\d):(\d\d):(\d\d\.\d{{3}})Z", re.ASCII)
# No edgecam of this kind was there before: the clock of a board without a battery had not been set yet.
_FIRST_DAY = "2025-01-01"
# The pictures of a day go before its events, which take little room and tell more.
_PICTURES_FIRST, _EVENTS_LAST = 0, 1

Age = tuple[str, int, int, str]


def moment(event: Mapping[str, object]) -> str:
    """When an event was decided, `2026-11-24T12:00:00.123Z`; raises ValueError."""
    text = str(event.get("end") or event.get("start"))
    if not _MOMENT.fullmatch(text):
        raise ValueError(f"expected a moment in UTC with milliseconds, got {text!r}")
    return text


def events_name(day: str, part: int = 1) -> str:
    """The file of a day's events, or the next part of it."""
    return f"{day}.jsonl" if part == 1 else f"{day}.{part}.jsonl"


def picture_name(event: Mapping[str, object]) -> str:
    """The file of the picture that belongs to an episode's start.

    Raises:
        ValueError: the event holds what must not become a path.
    """
    found = _MOMENT.fullmatch(moment(event))
    day, hour, minute, second = found.groups() if found else ("", "", "", "")
    name = f"{day}/{hour}{minute}{second}-{event.get('camera')}-{event.get('id')}.jpg"
    if not _PICTURE.fullmatch(name):
        raise ValueError(f"expected an id of a camera and one of an event, got {name!r}")
    return name


def day_of_events(name: str) -> tuple[str, int] | None:
    """The day and the part; None: it is no file of events."""
    found = _EVENTS.fullmatch(name)
    return None if found is None else (found[1], int(found[2] or 1))


def age(name: str) -> Age | None:
    """What sorts names from the oldest to the newest; None: it is none of ours."""
    events = day_of_events(name)
    if events is not None:
        return (events[0], _EVENTS_LAST, events[1], name)
    picture = _PICTURE.fullmatch(name)
    return None if picture is None else (picture[1], _PICTURES_FIRST, 0, name)


class Shelf:
    """Knows the sizes of all that is kept; touches nothing."""

    def __init__(self, *, max_bytes: int, keep_days: int) -> None:
        """Args: what all of it may take; days after which each goes."""
        self._max_bytes = max_bytes
        self._keep_days = keep_days
        self._sizes: dict[str, int] = {}
        self._by_age: list[Age] = []
        self.total_bytes = 0

    def put(self, name: str, size_bytes: int) -> None:
        """It is there now, and so large; a name that is none of ours is left alone."""
        place = age(name)
        if place is None:
            return
        if name not in self._sizes:
            heapq.heappush(self._by_age, place)
        self.total_bytes += size_bytes - self._sizes.get(name, 0)
        self._sizes[name] = size_bytes

    def drop(self, name: str) -> None:
        """It is gone."""
        self.total_bytes -= self._sizes.pop(name, 0)

    def size(self, name: str) -> int:
        """In bytes; 0: it is not there."""
        return self._sizes.get(name, 0)

    def fits(self, coming_bytes: int) -> bool:
        """Whether there is room for so much at all, once the rest has gone."""
        return coming_bytes <= self._max_bytes

    def next_out(self, *, coming_bytes: int = 0, today: str | None) -> str | None:
        """The oldest, if it has to go.

        Args:
            coming_bytes: room that is needed besides.
            today: `2026-11-24`; None: the clock cannot be believed, and nothing is too old.

        Returns:
            Its name; None: all of it may stay.
        """
        while self._by_age and self._by_age[0][-1] not in self._sizes:
            heapq.heappop(self._by_age)
        if not self._by_age:
            return None
        day, *_, name = self._by_age[0]
        has_no_room = self.total_bytes + coming_bytes > self._max_bytes
        return name if has_no_room or self._is_too_old(day, today) else None

    def _is_too_old(self, day: str, today: str | None) -> bool:
        if today is None or day < _FIRST_DAY:
            return False
        return day < (date.fromisoformat(today) - timedelta(days=self._keep_days)).isoformat()

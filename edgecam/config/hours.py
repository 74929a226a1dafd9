"""When a camera works: weekly windows, such as `mon-fri 07:30-18:00`, on a wall clock that is an argument.

All moments are naive local datetimes, and daylight saving is the caller's: where the clock is put forward or
back, the time until the next change is not the time to wait, and an hour is left out or seen twice. Who asks
`open_at` again now and then is right at every moment that the wall clock shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_EVERY_DAY = frozenset(range(len(DAYS)))
_HOUR_MIN = 60
_DAY_MIN = 24 * _HOUR_MIN
# 24:00 is checked apart: it may only end a window.
_TIME = r"([01]?\d|2[0-4]):([0-5]\d)"
_WINDOW = re.compile(rf"(?:(?P<days>[^\d:]+?)\s+)?{_TIME}\s*-\s*{_TIME}", re.ASCII)
_EXPECTED = (
    'expected [DAYS] HH:MM-HH:MM, such as "06:00-22:00", "mon-fri 07:30-18:00" or "sat,sun 22:00-06:00"'
)
# A run of this many days is written as a range.
_RANGE_DAYS = 3


@dataclass(frozen=True, slots=True)
class Window:
    """A span of hours on some days of every week; `str` gives the text that `parse_window` reads."""

    days: frozenset[int]
    """The days on which it begins; Monday is 0."""
    start_min: int
    """Minutes after midnight of that day, 0 to 1439."""
    end_min: int
    """The first minute outside, counted from the same midnight: above 1440 it lies on the next day."""

    def __str__(self) -> str:
        """The window in its shortest words."""
        end_min = self.end_min if self.end_min <= _DAY_MIN else self.end_min - _DAY_MIN
        hours = f"{_clock(self.start_min)}-{_clock(end_min)}"
        return hours if self.days == _EVERY_DAY else f"{_day_words(self.days)} {hours}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Open whenever one of its windows is; without windows it never is."""

    windows: tuple[Window, ...]

    def open_at(self, moment: datetime) -> bool:
        """True from the first minute of a window until its end, which lies outside.

        Args:
            moment: Naive local time.
        """
        minute = moment.hour * _HOUR_MIN + moment.minute
        # A window over midnight belongs to the day before.
        return any(
            (moment.weekday() - back) % len(DAYS) in window.days
            and window.start_min <= minute + back * _DAY_MIN < window.end_min
            for window in self.windows
            for back in (0, 1)
        )

    def next_change(self, moment: datetime) -> datetime | None:
        """The first later moment at which `open_at` differs; None: always the same.

        Args:
            moment: Naive local time.
        """
        midnight = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - naive local time
        # What changes at all changes within a week; a window that ends today may have begun yesterday.
        edges = {
            midnight + timedelta(days=day, minutes=minute)
            for window in self.windows
            for day in range(-1, len(DAYS) + 1)
            if (moment.weekday() + day) % len(DAYS) in window.days
            for minute in (window.start_min, window.end_min)
        }
        is_open = self.open_at(moment)
        later = sorted(edge for edge in edges if edge > moment)
        return next((edge for edge in later if self.open_at(edge) != is_open), None)


ALWAYS = Schedule((Window(_EVERY_DAY, 0, _DAY_MIN),))
"""Open at every moment."""


def parse_window(text: str) -> Window:
    """Read `[DAYS] HH:MM-HH:MM`.

    DAYS are names (mon to sun) and ranges of them with commas between, every day if left out. An end
    before the start lies on the next day; 24:00 is allowed as an end.

    Raises:
        ValueError: not of this form, an unknown day, or a start that is the end.
    """
    found = _WINDOW.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f'{_EXPECTED}, got "{text}"')
    start_min, end_min = (
        int(hours) * _HOUR_MIN + int(minutes) for hours, minutes in (found.group(2, 3), found.group(4, 5))
    )
    if start_min >= _DAY_MIN or end_min > _DAY_MIN:
        raise ValueError(f'expected times from 00:00 to 23:59, or 24:00 as the end, got "{text}"')
    if start_min == end_min:
        raise ValueError(f'expected an end that is not the start (00:00-24:00 is all day), got "{text}"')
    if end_min < start_min:
        end_min += _DAY_MIN
    days = found["days"]
    return Window(_EVERY_DAY if days is None else _parse_days(days), start_min, end_min)


def _parse_days(text: str) -> frozenset[int]:
    return frozenset(day for part in text.split(",") for day in _parse_range(part))


def _parse_range(text: str) -> list[int]:
    """`fri` or `fri-mon`, over the end of the week if need be."""
    names = [name.strip() for name in text.split("-", maxsplit=1)]
    for name in names:
        if name not in DAYS:
            raise ValueError(
                f'expected days out of {", ".join(DAYS)}, such as mon-fri or sat,sun, got "{name}"'
            )
    first, last = DAYS.index(names[0]), DAYS.index(names[-1])
    count = (last - first) % len(DAYS) + 1
    return [(first + step) % len(DAYS) for step in range(count)]


def _clock(minutes: int) -> str:
    return f"{minutes // _HOUR_MIN:02}:{minutes % _HOUR_MIN:02}"


def _day_words(days: frozenset[int]) -> str:
    """Days in the order of the week, runs of them as ranges: `mon-wed,sat,sun`."""
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    words = (
        [f"{DAYS[run[0]]}-{DAYS[run[-1]]}"] if len(run) >= _RANGE_DAYS else [DAYS[day] for day in run]
        for run in runs
    )
    return ",".join(word for run in words for word in run)

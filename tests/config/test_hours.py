"""The words of a schedule, and when it is open."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgecam.config.hours import ALWAYS, Schedule, Window, parse_window

EVERY_DAY = frozenset(range(7))
WEEK_MIN = 7 * 1440
MONDAY = datetime(2024, 1, 1)  # noqa: DTZ001 - naive local time, as in all of this file

windows = st.builds(
    lambda days, start, length: Window(days, start, start + length),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    # At most to the same minute of the next day; the whole day is the one window as long as a day.
    st.integers(1, 1439),
) | st.builds(lambda days: Window(days, 0, 1440), st.frozensets(st.integers(0, 6), min_size=1))
schedules = st.lists(windows, max_size=4).map(lambda found: Schedule(tuple(found)))


def opened(schedule: Schedule) -> NDArray[np.bool_]:
    """For each minute of a week from Monday 00:00: is it open? Painted, not asked."""
    week = np.zeros(WEEK_MIN, np.bool_)
    for window in schedule.windows:
        for day in window.days:
            week[(day * 1440 + np.arange(window.start_min, window.end_min)) % WEEK_MIN] = True
    return week


def moment(minute: int, second: float = 0.0) -> datetime:
    """A minute of the week that begins on MONDAY."""
    return MONDAY + timedelta(minutes=minute, seconds=second)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("06:00-22:00", Window(EVERY_DAY, 360, 1320)),
        ("mon-fri 07:30-18:00", Window(frozenset({0, 1, 2, 3, 4}), 450, 1080)),
        ("sat,sun 09:00-12:00", Window(frozenset({5, 6}), 540, 720)),
        ("22:00-06:00", Window(EVERY_DAY, 1320, 1800)),
        ("fri 22:00-24:00", Window(frozenset({4}), 1320, 1440)),
        ("fri 22:00-00:00", Window(frozenset({4}), 1320, 1440)),
        ("00:00-24:00", Window(EVERY_DAY, 0, 1440)),
        ("sat-mon 06:00-07:00", Window(frozenset({5, 6, 0}), 360, 420)),
        ("mon,wed-fri,wed 06:00-07:00", Window(frozenset({0, 2, 3, 4}), 360, 420)),
        ("  Mon - Fri,  SUN  6:05 - 7:00 ", Window(frozenset({0, 1, 2, 3, 4, 6}), 365, 420)),
    ],
)
def test_a_window_is_read_as_people_write_it(text: str, window: Window) -> None:
    """Days are names and ranges; an end before the start is on the next day; 24:00 ends a day."""
    assert parse_window(text) == window


@pytest.mark.parametrize(
    "text",
    ["", "always", "mon-fri", "06:00", "6-22", "06:00-", "06:60-07:00", "25:00-26:00", "06:00-22:00 mon",
     "06:00:00-07:00:00", "mon06:00-07:00", "06:00-07:00\n08:00-09:00", "٦:00-07:00", "-06:00-07:00"],
)  # fmt: skip
def test_what_is_no_window_is_refused_with_the_form(text: str) -> None:
    """The message shows how a window is written, and what was found."""
    with pytest.raises(ValueError, match=r"^expected \[DAYS\] HH:MM-HH:MM, such as ") as caught:
        parse_window(text)
    assert str(caught.value).endswith(f'got "{text}"')


@pytest.mark.parametrize("day", ["mo", "monday", "mon-", "-fri", "", "mon-wed-fri", "mon fri", "every day"])
def test_an_unknown_day_is_refused_with_the_known_ones(day: str) -> None:
    """A misspelt day must not be left out in silence."""
    with pytest.raises(ValueError, match=r"^expected days out of mon, tue, wed, thu, fri, sat, sun"):
        parse_window(f"tue,{day} 06:00-07:00")


@pytest.mark.parametrize("text", ["24:00-06:00", "06:00-24:01", "24:30-06:00"])
def test_24_00_is_an_end_only(text: str) -> None:
    """No day has a minute after 24:00, and none begins there."""
    with pytest.raises(ValueError, match="24:00 as the end"):
        parse_window(text)


@pytest.mark.parametrize("text", ["06:00-06:00", "mon 00:00-00:00"])
def test_an_empty_or_endless_window_is_refused(text: str) -> None:
    """One reader would take it for nothing, another for all day."""
    with pytest.raises(ValueError, match="00:00-24:00 is all day"):
        parse_window(text)


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (Window(EVERY_DAY, 360, 1320), "06:00-22:00"),
        (Window(frozenset({0, 1, 2, 5, 6}), 1320, 1800), "mon-wed,sat,sun 22:00-06:00"),
        (Window(frozenset({0, 6}), 0, 1440), "mon,sun 00:00-24:00"),
    ],
)
def test_a_window_is_written_in_its_shortest_words(window: Window, text: str) -> None:
    """Every day goes without saying, and three days in a row are a range."""
    assert str(window) == text


@given(window=windows)
def test_what_is_written_is_read_back(window: Window) -> None:
    """No window changes its meaning on its way through the configuration."""
    assert parse_window(str(window)) == window


@given(schedule=schedules, minute=st.integers(0, WEEK_MIN - 1), second=st.floats(0, 59.9))
@example(schedule=Schedule((parse_window("sun 22:00-06:00"),)), minute=0, second=0.0)
def test_it_is_open_in_its_windows_and_at_no_other_minute(
    schedule: Schedule, minute: int, second: float
) -> None:
    """Windows may overlap, cross midnight and the end of the week; seconds change nothing."""
    assert schedule.open_at(moment(minute, second)) == opened(schedule)[minute]


@given(schedule=schedules, minute=st.integers(0, WEEK_MIN - 1), second=st.floats(0, 59.9))
@example(schedule=Schedule((parse_window("mon 06:00-07:00"),)), minute=360, second=0.5)
@example(schedule=Schedule((parse_window("mon 06:00-07:00"),)), minute=420, second=0.0)
@example(schedule=Schedule((parse_window("06:00-12:00"), parse_window("12:00-22:00"))), minute=400, second=0)
def test_the_next_change_is_the_first_moment_that_differs(
    schedule: Schedule, minute: int, second: float
) -> None:
    """Counted minute by minute: nothing changes before it, and windows that touch are one."""
    week = opened(schedule)
    # The minutes that follow, one whole week of them.
    differs = np.flatnonzero(np.roll(week, -minute - 1) != week[minute])
    expected = moment(minute + 1 + int(differs[0])) if differs.size else None
    assert schedule.next_change(moment(minute, second)) == expected


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    """`fri 22:00-06:00` is open on Saturday morning and shut on Friday morning."""
    schedule = Schedule((parse_window("fri 22:00-06:00"),))
    friday = MONDAY + timedelta(days=4)
    assert not schedule.open_at(friday + timedelta(hours=5))
    assert schedule.open_at(friday + timedelta(hours=22))
    assert schedule.open_at(friday + timedelta(hours=29, minutes=59))
    assert not schedule.open_at(friday + timedelta(hours=30))


def test_always_is_open_and_never_changes() -> None:
    """The default costs nobody a wake-up."""
    assert opened(ALWAYS).all()
    assert ALWAYS.open_at(MONDAY)
    assert ALWAYS.next_change(MONDAY) is None


def test_no_window_is_never() -> None:
    """An empty schedule is shut and stays so."""
    assert not Schedule(()).open_at(MONDAY)
    assert Schedule(()).next_change(MONDAY) is None

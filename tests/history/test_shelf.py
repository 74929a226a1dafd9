"""What goes, in which order, and what never becomes a path."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.history.shelf import Shelf, age, events_name, moment, picture_name

MAX_BYTES = 1000
DAYS = st.dates(date(2026, 1, 1), date(2026, 3, 1)).map(date.isoformat)
PICTURES = st.builds(
    "{}/{:02}0000.000-{}-{:032x}.jpg".format,
    DAYS,
    st.integers(0, 23),
    st.sampled_from(["a", "b-2"]),
    st.integers(0, 9),
)
NAMES = st.builds(events_name, DAYS, st.integers(1, 12)) | PICTURES
THINGS = st.lists(st.tuples(NAMES, st.integers(0, MAX_BYTES)), max_size=40)


@given(THINGS, st.integers(0, MAX_BYTES), DAYS)
def test_after_all_that_must_go_the_rest_fits_and_is_the_newest(
    things: list[tuple[str, int]], coming_bytes: int, today: str
) -> None:
    """The quota holds with what comes; nothing older stays than what went; nothing goes without need."""
    shelf = Shelf(max_bytes=MAX_BYTES, keep_days=30)
    kept: dict[str, int] = {}
    for name, size in things:
        shelf.put(name, size)
        kept[name] = size
    last = (date.fromisoformat(today) - timedelta(days=30)).isoformat()
    gone = []
    while (out := shelf.next_out(coming_bytes=coming_bytes, today=today)) is not None:
        assert sum(kept.values()) + coming_bytes > MAX_BYTES or out[:10] < last
        shelf.drop(out)
        del kept[out]
        gone.append(out)
    assert shelf.total_bytes == sum(kept.values()) <= MAX_BYTES - coming_bytes
    assert all(name[:10] >= last for name in kept)
    ages = [age(name) or ("",) for name in gone]
    assert ages == sorted(ages)
    assert all(ages[-1] < (age(name) or ("",)) for name in kept if ages)


@given(THINGS)
def test_a_name_that_grows_or_comes_again_counts_once(things: list[tuple[str, int]]) -> None:
    """The sum is that of the files as they are."""
    shelf = Shelf(max_bytes=10**9, keep_days=30)
    for name, size in things:
        shelf.put(name, size + 1)
        shelf.drop(name)
        shelf.put(name, size)
    sizes = dict(things)
    assert shelf.total_bytes == sum(sizes.values())
    assert [shelf.size(name) for name in sizes] == list(sizes.values())


def test_the_days_count_only_once_the_clock_was_set() -> None:
    """A wrong clock burns no evidence; what was kept before it was ever set goes for room alone."""
    shelf = Shelf(max_bytes=MAX_BYTES, keep_days=1)
    shelf.put("2026-01-01.jsonl", 10)
    assert shelf.next_out(today=None) is None
    assert shelf.next_out(today="2026-02-01") == "2026-01-01.jsonl"
    shelf.put("1970-01-01.jsonl", 10)
    assert shelf.next_out(today="2026-02-01") is None
    assert shelf.next_out(coming_bytes=MAX_BYTES, today=None) == "1970-01-01.jsonl"


def test_pictures_of_a_day_go_before_its_events_and_those_before_the_next_day() -> None:
    """The line says more than the picture, and takes less."""
    names = [
        f"2026-01-31/235959.999-a-{1:032x}.jpg", "2026-01-31.jsonl", "2026-01-31.2.jsonl",
        "2026-01-31.10.jsonl", f"2026-02-01/000000.000-a-{2:032x}.jpg",
    ]  # fmt: skip
    ages = [age(name) for name in names]
    assert None not in ages
    assert ages == sorted(ages, key=lambda found: found or ("", 0, 0, ""))


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "2026-01-31.jsonl.gz", "2026-01-31/cat.jpg", "../2026-01-31.jsonl", "x/2026-01-31.jsonl"],
)
def test_what_is_none_of_ours_is_never_counted_and_never_goes(name: str) -> None:
    """Somebody else's file in our folder stays."""
    shelf = Shelf(max_bytes=0, keep_days=1)
    shelf.put(name, 10**9)
    assert shelf.total_bytes == 0
    assert shelf.next_out(coming_bytes=1, today="2099-01-01") is None


START = {"id": "0" * 32, "camera": "main", "start": "2026-01-31T12:00:00.123Z", "end": None}


def test_a_picture_is_named_by_moment_camera_and_id_alone() -> None:
    """No label, and no text of a network, is ever in a path."""
    name = picture_name({**START, "label": "../../cat"})
    assert name == f"2026-01-31/120000.123-main-{'0' * 32}.jpg"


@pytest.mark.parametrize(
    "wrong",
    [
        {"camera": "../x"},
        {"camera": "a/b"},
        {"id": "1"},
        {"id": None},
        {"start": "../../../etc"},
        {"start": 5},
    ],
)
def test_what_must_not_be_a_path_is_refused(wrong: dict[str, object]) -> None:
    """Also what was read from a file that somebody has changed."""
    with pytest.raises(ValueError, match="expected"):
        picture_name({**START, **wrong})


def test_an_event_belongs_to_the_day_on_which_it_was_decided() -> None:
    """An episode over midnight has its end in the next day's file."""
    assert moment({**START, "end": "2026-02-01T00:00:01.000Z"})[:10] == "2026-02-01"

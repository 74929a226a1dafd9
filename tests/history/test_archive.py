"""The files of the evidence, on a real disk."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecam.history.archive import Archive
from edgecam.history.reading import picture_of, read_events

TODAY = "2026-01-31"
MAX_BYTES = 4000


def event(number: int, *, camera: str = "main", day: str = TODAY, **more: Any) -> dict[str, Any]:
    """A start, at `number` seconds of the day."""
    at = f"{day}T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000Z"
    return {
        "id": f"{number:032x}", "camera": camera, "event_type": "start", "start": at, "end": None, **more,
    }  # fmt: skip


def opened(folder: Path, *, max_bytes: int = MAX_BYTES, keep_days: int = 30) -> Archive:
    """One that was opened."""
    archive = Archive(folder, max_bytes=max_bytes, keep_days=keep_days)
    archive.open()
    return archive


def taken(folder: Path) -> int:
    """What the disk says, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def ids(folder: Path) -> list[int]:
    """Of the events that are kept."""
    return [int(found["id"], 16) for found in read_events(folder).events]


def test_events_and_pictures_are_found_where_they_are_listed(tmp_path: Path) -> None:
    """What was kept is read back as it was, with its picture, for its user's eyes only."""
    archive = opened(tmp_path / "history")
    first, second = event(1, label="Katze"), event(2, camera="b")
    assert archive.add_event(first, today=TODAY)
    assert archive.add_picture(first, b"jpeg", today=TODAY)
    assert archive.add_event(second, today=TODAY)
    found = read_events(tmp_path / "history")
    assert (found.events, found.unreadable) == ([first, second], 0)
    picture = picture_of(tmp_path / "history", first)
    assert picture is not None
    assert picture.read_bytes() == b"jpeg"
    assert picture_of(tmp_path / "history", second) is None
    assert read_events(tmp_path / "history", camera="b").events == [second]
    assert read_events(tmp_path / "history", since=second["start"]).events == [second]
    for path in (tmp_path / "history", *(tmp_path / "history").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 100, 900, 5000]), st.booleans()), max_size=60)
)
def test_the_disk_never_holds_more_than_the_quota(
    tmp_path_factory: pytest.TempPathFactory, things: list[tuple[int, int, bool]]
) -> None:
    """After each step, also over restarts; the newest event is always there, and the sum is the disk's."""
    folder = tmp_path_factory.mktemp("history")
    archive = opened(folder)
    for number, (day, picture_bytes, restarts) in enumerate(sorted(things)):
        one = event(number, day=f"2026-01-{day + 10}")
        assert archive.add_event(one, today=TODAY)
        assert archive.add_picture(one, bytes(picture_bytes), today=TODAY) == (picture_bytes <= MAX_BYTES)
        if restarts:
            archive = opened(folder)
        assert taken(folder) == archive.total_bytes <= MAX_BYTES
    if things and max(things)[1] < MAX_BYTES - 200:
        assert ids(folder)[-1] == len(things) - 1


def test_a_day_of_many_events_loses_its_oldest_and_no_more(tmp_path: Path) -> None:
    """A day's file goes as a whole, so that it is continued in another before it is a large part of all."""
    archive = opened(tmp_path)
    for number in range(500):
        assert archive.add_event(event(number), today=TODAY)
        assert archive.total_bytes <= MAX_BYTES
    kept = ids(tmp_path)
    assert kept == list(range(kept[0], 500))
    assert taken(tmp_path) > MAX_BYTES / 2
    assert len(list(tmp_path.glob("2026-01-31*.jsonl"))) > 1


def test_what_is_too_old_goes_with_its_folder(tmp_path: Path) -> None:
    """After `keep_days`, whatever room there is; files of others stay."""
    archive = opened(tmp_path, keep_days=1)
    for one in (event(1, day="2026-01-20"), event(2)):
        archive.add_event(one, today="2026-01-20")
        archive.add_picture(one, b"jpeg", today="2026-01-20")
    (tmp_path / "notes.txt").write_text("mine")
    archive.tidy(today=TODAY)
    assert ids(tmp_path) == [2]
    assert sorted(path.name for path in tmp_path.iterdir()) == [TODAY, f"{TODAY}.jsonl", "notes.txt"]


def test_a_line_torn_by_a_power_cut_is_left_out_and_nothing_grows_onto_it(tmp_path: Path) -> None:
    """Whatever the cut has left of the last line: it is counted, and what comes after it is read."""
    whole = json.dumps(event(1)).encode() + b"\n"
    for number, tail in enumerate([whole[:20], whole[:-1][:-1], bytes(64), b'{"id": 5}', b"[" * 5000]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / f"{TODAY}.jsonl").write_bytes(whole + tail)
        archive = opened(folder, max_bytes=100_000)
        assert archive.add_event(event(2), today=TODAY)
        found = read_events(folder)
        assert [int(one["id"], 16) for one in found.events] == [1, 2]
        assert found.unreadable == 1
        assert archive.total_bytes == taken(folder)


def test_a_picture_that_was_not_finished_goes_at_the_start(tmp_path: Path) -> None:
    """A power cut in the middle of one leaves nothing for ever."""
    archive = opened(tmp_path)
    archive.add_picture(event(1), b"jpeg", today=TODAY)
    left = next(tmp_path.rglob("*.jpg")).with_name("120000.000-main-x.jpg.part")
    left.write_bytes(b"half")
    assert opened(tmp_path).total_bytes == 4
    assert not left.exists()


def test_a_picture_that_cannot_be_written_leaves_nothing_by_half(tmp_path: Path) -> None:
    """And what comes next is kept."""
    archive = opened(tmp_path)
    archive.add_event(event(1), today=TODAY)
    before = taken(tmp_path)
    (tmp_path / TODAY).write_text("a file where the pictures' folder should be")
    with pytest.raises(OSError, match=r"exists|directory"):
        archive.add_picture(event(2), b"jpeg", today=TODAY)
    (tmp_path / TODAY).unlink()
    assert taken(tmp_path) == before
    assert archive.add_event(event(3), today=TODAY)
    assert ids(tmp_path) == [1, 3]


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    """Nothing outside the folder is written to."""
    outside = tmp_path / "outside"
    outside.write_text("")
    folder = tmp_path / "history"
    folder.mkdir()
    (folder / f"{TODAY}.jsonl").symlink_to(outside)
    with pytest.raises(OSError, match="symbolic"):
        opened(folder).add_event(event(1), today=TODAY)
    assert outside.read_text() == ""


def test_reading_while_files_go_is_no_fault(tmp_path: Path) -> None:
    """Room may be made at any time."""
    archive = opened(tmp_path)
    archive.add_event(event(1), today=TODAY)
    (tmp_path / "2026-01-30.jsonl").symlink_to(tmp_path / "gone")
    assert ids(tmp_path) == [1]
    (tmp_path / f"{TODAY}.jsonl").unlink()
    assert ids(tmp_path) == []

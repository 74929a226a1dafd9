"""Evidence is kept beside the frame path: real files, disks that refuse, and nobody who waits."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from edgecam import clock
from edgecam.config.schema import HistoryConfig
from edgecam.history.reading import picture_of, read_events
from edgecam.pipeline.evidence import Evidence
from edgecam.records import AgeBasis, Frame, Image, PixelFormat
from edgecam.reports import Notice, NoticeKind
from edgecam.vision.geometry import View

PICTURE = Image(np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8), PixelFormat.BGR, 96, 64)


class House:
    """Evidence at work in a thread, and what it tells."""

    def __init__(self, folder: Path, **config: Any) -> None:
        """Args: its folder; keys of `history`."""
        self.folder = folder
        self.notices: list[Notice] = []
        self.evidence = Evidence(
            folder, HistoryConfig(enabled=True, **config), self.notices.append, retry_first_s=0.05
        )
        self.thread = Thread(target=self.evidence.run, daemon=True)

    @property
    def kinds(self) -> list[NoticeKind]:
        """Of what was told."""
        return [notice.kind for notice in self.notices]

    def begin(self, number: int, camera: str = "a") -> dict[str, object]:
        """An episode begins with a frame."""
        event = start(number, camera)
        self.evidence.decided(event)
        self.evidence.show(frame(number, camera), View())
        return event

    def ids(self) -> list[int]:
        """Of the events that are kept."""
        return [int(event["id"], 16) for event in read_events(self.folder).events]

    def close(self) -> None:
        """End it."""
        self.evidence.close()
        self.thread.join(10)
        assert not self.thread.is_alive()


def start(number: int, camera: str = "a") -> dict[str, object]:
    """The event, as it is published."""
    at = f"2026-01-31T12:{number // 60 % 60:02}:{number % 60:02}.000Z"
    return {"id": f"{number:032x}", "camera": camera, "event_type": "start", "start": at, "end": None}


def frame(seq: int, camera: str = "a") -> Frame:
    """A frame of now."""
    return Frame(camera, seq, PICTURE, clock.boot_ns(), AgeBasis.ARRIVAL)


def until(done: Callable[[], object]) -> None:
    """Wait for it."""
    ends_s = time.monotonic() + 20
    while not done():
        assert time.monotonic() < ends_s
        time.sleep(0.005)


@contextmanager
def at_work(folder: Path, **config: Any) -> Iterator[House]:
    """Evidence, running."""
    house = House(folder, **config)
    house.thread.start()
    try:
        yield house
    finally:
        house.close()


@pytest.fixture(autouse=True)
def _any_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is too old, whatever day it is."""
    monkeypatch.setattr(clock, "wall_clock_set", lambda: False)


def test_events_and_the_pictures_of_their_starts_are_kept_until_the_end(tmp_path: Path) -> None:
    """All that was decided before the stop is on the disk after it; an end has no picture."""
    with at_work(tmp_path / "history") as house:
        started = house.begin(1)
        ended = {**start(2), "event_type": "end", "end": "2026-01-31T12:00:09.000Z"}
        house.evidence.decided(ended)
        house.evidence.show(frame(3), View())
    found = read_events(house.folder)
    assert found.events == [started, ended]
    picture = picture_of(house.folder, found.events[0])
    assert picture is not None
    assert picture.read_bytes().startswith(b"\xff\xd8\xff")
    assert picture_of(house.folder, found.events[1]) is None
    stats = house.evidence.stats()
    assert (stats.events, stats.pictures, stats.lost) == (2, 1, 0)
    assert stats.bytes == sum(path.stat().st_size for path in house.folder.rglob("*") if path.is_file())
    assert house.notices == []


def test_each_picture_belongs_to_its_own_camera(tmp_path: Path) -> None:
    """Two episodes that begin at once do not swap their pictures."""
    house = House(tmp_path)
    one, two = start(1, "a"), start(2, "b")
    house.evidence.decided(one)
    house.evidence.decided(two)
    house.evidence.show(frame(7, "b"), View())
    house.evidence.close()
    house.evidence.run()
    assert picture_of(tmp_path, one) is None
    assert picture_of(tmp_path, two) is not None


def test_without_pictures_events_alone_are_kept(tmp_path: Path) -> None:
    """Somebody may want to keep what was seen, and not how it looked."""
    with at_work(tmp_path, pictures=False) as house:
        house.begin(1)
    assert house.ids() == [1]
    assert list(tmp_path.rglob("*.jpg")) == []
    assert house.evidence.stats().lost == 0


def test_a_folder_that_cannot_be_is_told_once_and_tried_again(tmp_path: Path) -> None:
    """What came meanwhile waits, and is kept when it can be."""
    folder = tmp_path / "history"
    folder.write_text("a file in its place")
    with at_work(folder) as house:
        for number in range(5):
            house.begin(number)
        until(lambda: house.kinds)
        time.sleep(0.3)
        assert house.kinds == [NoticeKind.HISTORY_DEGRADED]
        assert str(tmp_path) not in house.notices[0].message
        folder.unlink()
        until(lambda: len(house.kinds) > 1)
        assert house.kinds == [NoticeKind.HISTORY_DEGRADED, NoticeKind.HISTORY_RESTORED]
        house.begin(5)
    assert house.ids() == [0, 1, 2, 3, 4, 5]
    assert len(list(folder.rglob("*.jpg"))) == 6
    assert house.evidence.stats().lost == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    if os.geteuid() != 0:
        pytest.skip("NOT CHECKED: a full and a read-only disk; mounting one takes root")
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=512k", "tmpfs", folder)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"NOT CHECKED: a full and a read-only disk; no mount here: {error}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True, timeout=10)


def mount(*arguments: str | Path) -> None:
    """As root only."""
    subprocess.run(["mount", *arguments], check=True, timeout=10)


def test_a_disk_that_fills_up_keeps_whole_lines_and_recovers(disk: Path) -> None:
    """Nothing is left by half, and once there is room all that waited is kept."""
    with at_work(disk / "history") as house:
        house.begin(0)
        until(lambda: house.evidence.stats().pictures == 1)
        filler = disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(512)):
                pass
        for number in range(1, 8):
            house.begin(number)
        until(lambda: house.kinds)
        assert read_events(house.folder).unreadable == 0
        filler.unlink()
        until(lambda: house.evidence.stats().pictures == 8)
        until(lambda: len(house.kinds) > 1)
        assert house.kinds == [NoticeKind.HISTORY_DEGRADED, NoticeKind.HISTORY_RESTORED]
    found = read_events(house.folder)
    assert (house.ids(), found.unreadable) == (list(range(8)), 0)
    assert list(house.folder.rglob("*.part")) == []


def test_a_disk_that_becomes_read_only_is_told_and_tried_again(disk: Path) -> None:
    """As a kernel makes it after a fault of the card; what was kept before stays."""
    with at_work(disk / "history") as house:
        house.begin(0)
        until(lambda: house.evidence.stats().pictures == 1)
        mount("-o", "remount,ro", disk)
        house.begin(1)
        until(lambda: house.kinds)
        assert "Read-only" in house.notices[0].message
        mount("-o", "remount,rw", disk)
        until(lambda: house.evidence.stats().pictures == 2)
    assert house.ids() == [0, 1]
    assert house.evidence.stats().lost == 0


def test_a_disk_that_hangs_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines go on; the oldest of too much that waits is lost, and each loss is counted."""
    released = Event()
    house = House(tmp_path)
    keep = house.evidence._archive.add_event

    def hang(event: Any, *, today: str | None) -> bool:
        released.wait(20)
        return keep(event, today=today)

    monkeypatch.setattr(house.evidence._archive, "add_event", hang)
    house.thread.start()
    for number in range(1500):
        house.begin(number)
    assert not released.is_set()
    assert house.evidence.stats().events == 0
    released.set()
    house.close()
    stats = house.evidence.stats()
    assert (stats.events, stats.pictures) == (1000, 8)
    assert stats.lost == 3000 - 1008
    assert house.ids()[-1000:] == list(range(500, 1500))


def test_the_end_does_not_wait_for_a_disk_that_refuses(tmp_path: Path) -> None:
    """What cannot be kept is counted as lost."""
    folder = tmp_path / "history"
    folder.write_text("")
    with at_work(folder) as house:
        house.begin(1)
        until(lambda: house.kinds)
    assert house.evidence.stats().lost == 2

"""What is kept outlives the process, a power cut, and the disk's bad days; and says so when it cannot."""

from __future__ import annotations

import ast
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publish_samples import AT, S, event, later

from edgecam.publish import store_file
from edgecam.publish.drafts import EventDraft
from edgecam.publish.outbox import Outbox
from edgecam.publish.queues import Delivery, Outgoing
from edgecam.publish.store import Store
from edgecam.publish.store_file import Change, StoreFile, Table
from edgecam.publish.stored_queue import StoredQueue
from edgecam.records import ClockReading, EventType, Reason
from edgecam.reports import NoticeKind

TOPIC = "edgecam/dev/main/event"


class Life:
    """One run on one file, from its start to a crash."""

    def __init__(
        self, path: Path | None, *, max_items: int = 100, boot_id: str = "boot", at: ClockReading = AT
    ) -> None:
        self.now_s = 0.0
        self.store = Store(path, read_s=lambda: self.now_s)
        self.store.open()
        self.queue = StoredQueue(self.store, max_items=max_items, boot_id=boot_id, read_clock=lambda: at)
        self.queue.adopt()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def put(self, event_id: str, *, episode: str = "e1", end: bool = False) -> int:
        """Decide an event; how many old ones went for it."""
        draft = EventDraft.of(event(episode, end=end), AT, event_id=event_id)
        return self.queue.append(Outgoing(TOPIC, draft, Delivery.EVENT, epoch=0))

    def take_all(self) -> list[Outgoing]:
        """All that wait."""
        return list(iter(self.queue.take, None))

    @property
    def kinds(self) -> list[NoticeKind]:
        """Of the notices since the last look."""
        return [notice.kind for notice in self.store.take_news()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a file that is not there yet, in a folder that is not either."""
    return tmp_path / "state" / "outbox.db"


def ids(items: list[Outgoing]) -> list[str]:
    """The ids given to `put`."""
    return [draft(item).event_id for item in items]


def draft(item: Outgoing) -> EventDraft:
    """It is one of an event."""
    assert isinstance(item.draft, EventDraft)
    return item.draft


def copy_of(path: Path, folder: Path) -> Path:
    """The database as a power cut would leave it now: the file, and its log."""
    folder.mkdir()
    for file in path.parent.iterdir():
        shutil.copy(file, folder / file.name)
    return folder / path.name


def test_what_was_not_accepted_is_taken_again_by_the_next_run_with_the_same_id(path: Path) -> None:
    """A crash loses nothing, and repeats only what was under way."""
    with Life(path) as first:
        for name in "abcd":
            first.put(name)
        a, _b = first.queue.take(), first.queue.take()
        assert a is not None
        assert first.queue.settle(a)
    with Life(path) as second:
        items = second.take_all()
        assert ids(items)[:3] == ["b", "c", "d"]
        assert [item.topic for item in items] == [TOPIC] * 4
        assert draft(items[0]).render(AT, replayed=True) == EventDraft.of(event(), AT, event_id="b").render(
            AT, replayed=True
        )


def test_a_copy_of_the_database_at_any_acceptance_is_readable_and_complete(
    path: Path, tmp_path: Path
) -> None:
    """The event is in the file when `append` returns: whatever is cut off then loses nothing of it."""
    put = list[str]()
    with Life(path, max_items=1000) as life:
        for number in range(40):
            life.put(str(number), episode=f"e{number // 2}", end=bool(number % 2))
            put.append(str(number))
            if number % 3 == 2 and (item := life.queue.take()):
                life.queue.settle(item)
                put.remove(draft(item).event_id)
            with Life(copy_of(path, tmp_path / f"copy{number}")) as copied:
                assert ids(copied.take_all())[: len(put)] == put
                assert copied.kinds == []


def test_a_commit_is_synchronous_and_nothing_is_written_when_nothing_changed(path: Path) -> None:
    """What must last waits for the disk; SD cards wear."""
    with Life(path) as life:
        connection = life.store._file._connection  # type: ignore[union-attr]
        assert connection is not None
        before = connection.total_changes
        for _ in range(3):
            life.store.set_switch("main", on=True)
            life.store.retained.add("edgecam/dev/info")
            life.store.retained.discard("edgecam/dev/nothing")
        life.take_all()
        life.queue.rewind()
        assert connection.total_changes - before == 2
        life.put("a")
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_switches_and_retained_topics_are_remembered(path: Path) -> None:
    """A camera that was switched off stays off; a removed camera's topics can be cleared."""
    with Life(path) as first:
        assert first.store.switch("main") is None
        first.store.set_switch("main", on=True)
        first.store.set_switch("main", on=False)
        first.store.retained.add("a")
        first.store.retained.add("b")
        first.store.retained.discard("a")
    with Life(path) as second:
        assert second.store.switch("main") is False
        assert list(second.store.retained) == ["b"]


def test_without_a_path_all_is_kept_in_memory() -> None:
    """`path: null`: the same behaviour, and no file."""
    with Life(None, max_items=2) as life:
        assert [life.put(name) for name in "abc"] == [0, 0, 1]
        life.store.set_switch("main", on=True)
        assert life.store.switch("main") is True
        assert ids(life.take_all()) == ["b", "c"]
        assert life.kinds == []


def test_an_episode_left_open_by_a_crash_is_ended_once_before_anything_new(path: Path) -> None:
    """Same episode and label, reason `restart`, after its start; whatever ended in order is left alone."""
    with Life(path) as first:
        first.put("a", episode="closed")
        first.put("b", episode="closed", end=True)
        first.put("c", episode="open")
        for item in first.take_all()[:2]:
            first.queue.settle(item)
    with Life(path, at=later(30 * S)) as second:
        second.put("new", episode="next")
        items = second.take_all()
        assert [ids(items)[0], ids(items)[2]] == ["c", "new"]
        end = draft(items[1]).payload
        assert (end["episode"], end["label"], end["event_type"]) == ("open", "cat", EventType.END)
        assert (end["reason"], end["status"], end["ts"], end["top"]) == (Reason.RESTART, "starting", None, [])
        assert end["start"] == draft(items[0]).payload["start"]
        assert end["end"] == "2026-01-31T12:00:30.000Z"
        end_id = end["id"]
    with Life(path) as third:
        assert ids(third.take_all())[:3] == ["c", end_id, "new"]


def test_an_end_is_never_before_its_start_though_the_clock_was_set_back(path: Path) -> None:
    """A board without a clock of its own boots in the past."""
    with Life(path) as first:
        first.put("a")
    with Life(path, boot_id="other", at=ClockReading(5 * S, 1_000_000_000 * S, synced=False)) as second:
        end = draft(second.take_all()[1]).payload
    assert end["end"] == end["start"]
    assert end["ts_synced"] is False


@pytest.mark.parametrize(
    ("boot_id", "at", "delayed_s", "age_ms"),
    [
        pytest.param("boot", ClockReading(3700 * S, AT.wall_ns - 9 * S, synced=True), 100.0, 100_040,
                     id="within a boot exactly, whatever the wall clock does"),
        pytest.param("other", ClockReading(20 * S, AT.wall_ns + 500 * S, synced=True), 500.0, 500_040,
                     id="across boots by the wall clock"),
        pytest.param("other", ClockReading(20 * S, AT.wall_ns - 500 * S, synced=False), 20.0, 20_040,
                     id="never negative, and at least as old as this boot"),
    ],
)  # fmt: skip
def test_delay_and_age_are_true_after_a_restart(
    path: Path, boot_id: str, at: ClockReading, delayed_s: float, age_ms: int
) -> None:
    """BOOTTIME starts anew with each boot; nothing stale is passed off as fresh."""
    with Life(path) as first:
        first.put("a", end=True)
    with Life(path, boot_id=boot_id, at=at) as second:
        sent = draft(second.take_all()[0]).render(at, replayed=True)
    assert (sent["delayed_s"], sent["age_ms"], sent["late"]) == (delayed_s, age_ms, True)
    assert sent["start"] == "2026-01-31T11:59:58.000Z"


STEPS = st.lists(st.sampled_from(["put", "take", "settle", "rewind", "reopen"]), max_size=40)


@settings(deadline=None)
@given(STEPS, st.integers(1, 5))
def test_any_course_of_things_keeps_order_bound_and_ids_and_loses_nothing_uncounted(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], max_items: int
) -> None:
    """The queue against a model of it: a list, of which a first part is on its way."""
    path = tmp_path_factory.mktemp("model") / "outbox.db"
    life = Life(path, max_items=max_items)
    kept, on_way, put, settled, lost = list[str](), list[Outgoing](), 0, 0, 0
    for step in steps:
        if step == "put":
            gone = life.put(str(put), end=True)
            kept.append(str(put))
            put, lost = put + 1, lost + gone
            if gone:
                oldest = len(on_way) if len(kept) - len(on_way) > 1 else 0
                del kept[oldest]
                on_way = on_way if oldest else on_way[1:]
        elif step == "take":
            item = life.queue.take()
            assert (item is None) == (len(kept) == len(on_way))
            if item is not None:
                assert draft(item).event_id == kept[len(on_way)]
                on_way.append(item)
        elif step == "settle" and on_way:
            assert life.queue.settle(on_way.pop())
            del kept[len(on_way)]
            settled += 1
        elif step == "rewind":
            life.queue.rewind()
            on_way = []
        elif step == "reopen":
            life.store.close()
            life, on_way = Life(path, max_items=max_items), []
        assert len(life.queue) == len(kept) <= max_items
        assert list(life.store.rows(Table.EVENT)) == kept
    assert put == settled + lost + len(kept)
    life.store.close()
    with Life(path, max_items=max_items) as last:
        assert ids(last.take_all()) == kept


def test_a_smaller_bound_lets_the_oldest_go_and_counts_them(path: Path) -> None:
    """`max_events` may be lowered between two runs."""
    with Life(path) as first:
        for name in "abcde":
            first.put(name, end=True)
    with Life(path, max_items=2) as second:
        assert (ids(second.take_all()), second.queue.lost) == (["d", "e"], 3)
        assert Outbox(second.queue).counts().lost == 3
        assert list(second.store.rows(Table.EVENT)) == ["d", "e"]


def test_a_damaged_file_is_set_aside_and_a_new_one_taken(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, nothing is overwritten, and events are durable again at once."""
    path.parent.mkdir()
    for number in (1, 2):
        path.write_bytes(b"this is no database" * 100)
        with Life(path) as life:
            notices = life.store.take_news()
            assert [n.kind for n in notices] == [NoticeKind.OUTBOX_DEGRADED, NoticeKind.OUTBOX_RESTORED]
            assert notices[1].data["set_aside"] == f"outbox.db.corrupt-{number}"
            life.put("a", end=True)
        assert path.with_name(f"outbox.db.corrupt-{number}").read_bytes().startswith(b"this is no")
        with Life(path) as again:
            assert ids(again.take_all()) == ["a"]
    assert caplog.text.count("damaged outbox is set aside") == 2


def test_damage_inside_the_file_is_found_at_the_start(path: Path) -> None:
    """A page that an SD card lost is not taken for an empty outbox."""
    with Life(path, max_items=1000) as life:
        for number in range(100):
            life.put(str(number), end=True)
    content = bytearray(path.read_bytes())
    assert len(content) > 20 * 4096
    content[6 * 4096 : 14 * 4096] = bytes(8 * 4096)
    path.write_bytes(content)
    with Life(path) as again:
        assert again.kinds == [NoticeKind.OUTBOX_DEGRADED, NoticeKind.OUTBOX_RESTORED]


def test_an_entry_that_is_not_understood_is_dropped_alone(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What another version wrote does not keep edgecam from starting, nor from sending the rest."""
    with Life(path) as life:
        life.put("a", end=True)
        life.store.write(
            Change(Table.EVENT, "x", "{}"), Change(Table.EPISODE, "y", '{"topic": 3, "draft": []}')
        )
        life.put("b", end=True)
    with Life(path) as again:
        assert ids(again.take_all()) == ["a", "b"]
        assert list(again.store.rows(Table.EVENT)) == ["a", "b"]
    assert caplog.text.count("cannot be read and is dropped") == 2


def test_a_folder_that_cannot_be_made_degrades_to_memory_and_recovers(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One log line and one notice, whatever is put; then all that waits is moved into the file."""
    path.parent.write_text("a file where the folder should be")
    with Life(path) as life:
        for name in "abc":
            life.put(name, episode=name)
        life.put("d", episode="a", end=True)
        item = life.queue.take()
        assert item is not None
        life.queue.settle(item)
        life.now_s = 1000
        life.store.tend()
        (notice,) = life.store.take_news()
        assert notice.kind is NoticeKind.OUTBOX_DEGRADED
        assert notice.data["path"] == "outbox.db"
        assert str(path.parent) not in f"{notice.message}{notice.data}"
        assert "it is in no folder to write in" in notice.message
        assert len([text for text in caplog.messages if "memory only" in text]) == 1
        path.parent.unlink()
        life.store.tend()
        assert life.kinds == []
        life.now_s = 2000
        life.store.tend()
        assert life.kinds == [NoticeKind.OUTBOX_RESTORED]
    with Life(path) as again:
        items = again.take_all()
        assert ids(items)[:3] == ["b", "c", "d"]
        assert [draft(item).payload["episode"] for item in items[3:]] == ["b", "c"]


def test_a_file_that_is_reached_only_later_gives_its_old_events_first(path: Path) -> None:
    """A disk that is mounted late: what waited there is not forgotten, nor overwritten."""
    with Life(path) as first:
        first.put("old", episode="left open")
        first.store.set_switch("main", on=False)
    away = path.parent.rename(path.parent.with_name("away"))
    path.parent.write_text("")
    with Life(path) as second:
        second.put("new", end=True)
        path.parent.unlink()
        away.rename(path.parent)
        second.now_s = 1000
        second.store.tend()
        assert second.queue.adopt() == 2
        items = second.take_all()
        assert (ids(items)[0], ids(items)[2]) == ("old", "new")
        assert draft(items[1]).payload["reason"] == Reason.RESTART
        assert second.store.switch("main") is False
    with Life(path) as third:
        assert set(ids(third.take_all())) >= {"old", "new"}


def test_two_programs_do_not_share_a_file(path: Path) -> None:
    """Both would send everything: the second one keeps to memory, and says how to find who has it."""
    program = """
import sys
from pathlib import Path
from edgecam.publish.store import Store
store = Store(Path(sys.argv[1]))
store.open(lock_wait_s=0.1)
print([notice.data["reason"] for notice in store.take_news()])
"""
    with Life(path) as life:
        life.put("a", end=True)
        done = subprocess.run(
            [sys.executable, "-c", program, path], capture_output=True, text=True, check=True, timeout=60
        )
    [reason] = ast.literal_eval(done.stdout)
    said, _, look = reason.partition(": see ")
    assert said == "another program uses it, most likely another edgecam run with this state"
    assert look in {f"`ps -fp {os.getpid()}`", "`pgrep -af edgecam`"}


def test_of_the_kernels_locks_only_one_on_the_same_file_names_its_holder(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong pid would send people after a program that has nothing to do with it."""
    path.parent.mkdir()
    path.touch()
    status = path.stat()
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    locks = path.with_name("locks")
    monkeypatch.setattr(store_file, "_LOCKS", locks)
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    other = (
        f"1: POSIX  ADVISORY  WRITE 11 {device}:{status.st_ino + 1} 0 EOF\n"
        f"1: -> POSIX  ADVISORY  WRITE 12 {device}:{status.st_ino} 0 EOF\n"
        f"2: POSIX  ADVISORY  WRITE 0 {device}:{status.st_ino} 0 EOF\n"
    )
    mine = f"3: POSIX  ADVISORY  WRITE 13 {device}:{status.st_ino} 1073741826 1073742335\n"
    for text, look in ((other, "`pgrep -af edgecam`"), (other + mine, "`ps -fp 13`")):
        locks.write_text(text)
        assert store_file.describe(busy, path).endswith(look)
    locks.unlink()
    assert store_file.describe(busy, path).endswith("`pgrep -af edgecam`")


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_publish_store import Life
from edgecam.publish.store_file import Table

def limit(most_bytes):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
with Life(path, max_items=10_000) as life:
    life.put("first", end=True)
    limit(100_000)
    number = 0
    while not (kinds := life.kinds):
        life.put(str(number), end=True)
        number += 1
    print(*kinds, flush=True)
    for _ in range(200):
        life.put(str(number), end=True)
        number += 1
    life.put("last", end=True)
    life.now_s = 1000
    life.store.tend()
    print(life.kinds, flush=True)
    limit(resource.RLIM_INFINITY)
    life.now_s = 2000
    life.store.tend()
    print(*life.kinds, flush=True)
    life.put("after", end=True)
    expected = list(life.store.rows(Table.EVENT))
with Life(path, max_items=10_000) as again:
    kept = list(again.store.rows(Table.EVENT))
    print(kept == expected, kept[0], kept[-2:], len(kept) == number + 3)
"""


def test_a_full_disk_degrades_to_memory_and_recovers_with_everything(path: Path) -> None:
    """Nothing that was decided meanwhile is missing from the file once there is room again."""
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path, here, here.parent / "support"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "outbox_degraded", "[]", "outbox_restored", "True first ['last', 'after'] True",
    ]  # fmt: skip


def test_a_file_that_became_read_only_degrades_to_memory(path: Path) -> None:
    """As a disk is after errors: writes fail, edgecam goes on."""
    with Life(path) as life:
        life.put("a", end=True)
        file = life.store._file
        assert file is not None
        assert file._connection is not None
        file._connection.execute("PRAGMA query_only = ON")
        life.put("b", end=True)
        assert life.kinds == [NoticeKind.OUTBOX_DEGRADED]
        assert ids(life.take_all()) == ["a", "b"]


def test_a_file_of_another_version_is_set_aside(path: Path) -> None:
    """What this version cannot read it does not touch."""
    with Life(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with Life(path) as life:
        assert life.kinds == [NoticeKind.OUTBOX_DEGRADED, NoticeKind.OUTBOX_RESTORED]


def test_a_stale_log_is_never_folded_into_a_new_file(path: Path) -> None:
    """Setting a damaged file aside takes its log along, first."""
    with Life(path) as life:
        life.put("a", end=True)
        left = copy_of(path, path.parent.with_name("copy"))
    content = bytearray(left.read_bytes())
    content[:16] = bytes(16)
    left.write_bytes(content)
    assert Path(f"{left}-wal").exists()
    file = StoreFile(left)
    aside = file.set_aside()
    assert Path(f"{aside}-wal").exists()
    assert all(rows == {} for rows in file.open().values())
    file.close()


def test_a_disk_that_hangs_while_it_is_tried_again_holds_nobody_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the file is opened, events are taken into memory; they are in the file when it works again."""
    path.parent.write_text("")
    open_file, replace = StoreFile.open, StoreFile.replace
    reached, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def hang() -> bool:
        reached.release()
        return go_on.acquire(timeout=60)

    with Life(path) as life:
        life.put("a", end=True)
        path.parent.unlink()
        monkeypatch.setattr(StoreFile, "open", lambda file, **wait: hang() and open_file(file, **wait))
        monkeypatch.setattr(StoreFile, "replace", lambda file, rows: hang() and replace(file, rows))
        life.now_s = 1000
        tending = threading.Thread(target=life.store.tend)
        tending.start()
        for name in "bc":
            assert reached.acquire(timeout=60)
            putting = threading.Thread(target=life.put, args=(name,), kwargs={"end": True}, daemon=True)
            putting.start()
            putting.join(10)
            is_held_up = putting.is_alive()
            go_on.release()
            assert not is_held_up
        tending.join(60)
        monkeypatch.undo()
        assert life.kinds == [NoticeKind.OUTBOX_DEGRADED, NoticeKind.OUTBOX_RESTORED]
    with Life(path) as again:
        assert ids(again.take_all()) == ["a", "b", "c"]


def test_what_is_read_late_stands_before_what_is_on_its_way(path: Path) -> None:
    """After a lost connection, and after a crash, the old episode is over before the new one begins."""
    with Life(path) as first:
        first.put("old", episode="old")
    away = path.parent.rename(path.parent.with_name("away"))
    path.parent.write_text("")
    with Life(path) as second:
        second.put("new", episode="new", end=True)
        second.queue.take()
        path.parent.unlink()
        away.rename(path.parent)
        second.now_s = 1000
        second.store.tend()
        second.queue.adopt()
        second.queue.rewind()
        order = ids(second.take_all())
        assert (order[0], order[2]) == ("old", "new")
    with Life(path) as third:
        assert ids(third.take_all()) == order


def test_a_start_waits_for_the_program_that_it_replaces(path: Path) -> None:
    """Its file is read at once, so that its events come first."""
    with Life(path) as first:
        first.put("a", end=True)
        letting_go = threading.Timer(1.5, first.store.close)
        letting_go.start()
        with Life(path) as second:
            assert second.kinds == []
            assert ids(second.take_all()) == ["a"]
        letting_go.join()


@pytest.mark.parametrize("key", ["start", "episode", "id", "late"])
def test_a_note_of_an_open_episode_that_lost_a_key_is_dropped(
    path: Path, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    """A letter that a disk flipped does not keep edgecam from starting."""
    with Life(path) as life:
        life.put("a")
        text = life.store.get(Table.EPISODE, "e1")
        assert text is not None
        life.store.write(Change(Table.EPISODE, "e1", text.replace(f'"{key}":', '"?":')))
    with Life(path) as again:
        assert ids(again.take_all()) == ["a"]
        assert again.store.rows(Table.EPISODE) == {}
    assert caplog.text.count("cannot be read and is dropped") == 1


def test_only_the_newest_damaged_files_are_kept(path: Path) -> None:
    """A disk that goes bad is not filled by what it spoilt."""
    path.parent.mkdir()
    file = StoreFile(path)
    for number in range(12):
        path.write_text(str(number))
        Path(f"{path}-wal").write_text("")
        file.set_aside()
    kept = {f"outbox.db.corrupt-{number}{suffix}" for number in (10, 11, 12) for suffix in ("", "-wal")}
    assert {file.name for file in path.parent.iterdir()} == kept

"""What is said of board, clock, disk, outbox and service."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from made_machine import write, write_process

from edgecam.doctor import board, outbox_file, service, storage
from edgecam.doctor.finding import Finding, Verdict
from edgecam.doctor.processes import holders, lock_holder, running_edgecams
from edgecam.doctor.subject import Subject
from edgecam.publish.store_file import Change, StoreFile, Table

TODAY = datetime(2026, 11, 24, tzinfo=UTC)


def only(findings: list[Finding], name: str) -> Finding:
    """The one of this name."""
    (found,) = [finding for finding in findings if finding.name == name]
    return found


@pytest.mark.parametrize(
    ("bits", "verdict", "said"),
    [
        ("0x0", Verdict.OK, "neither"),
        ("0x50005", Verdict.ERROR, "under-voltage now"),
        ("0x50000", Verdict.WARNING, "under-voltage since boot"),
        ("0x4", Verdict.WARNING, "throttled now"),
        ("0x80000", Verdict.WARNING, "near its limit of heat since boot"),
    ],
)
def test_the_firmwares_bits_are_told_in_words(machine: Path, bits: str, verdict: Verdict, said: str) -> None:
    """Now before then, the supply before the heat; what is not well has a remedy."""
    write(machine, "sys/devices/platform/soc/soc:firmware/get_throttled", f"{bits}\n")
    power = only(list(board.look_at_power(machine, ask=lambda: None)), "power")
    assert power.verdict is verdict
    assert said in power.found
    assert bool(power.remedy) is (verdict is not Verdict.OK)


def test_a_board_that_tells_nothing_is_no_fault(machine: Path) -> None:
    """Skipped, each by name."""
    findings = [*board.look_at_power(machine, ask=lambda: None), *board.look_at_memory(machine)]
    assert {finding.verdict for finding in findings} == {Verdict.SKIPPED}


def test_where_the_kernel_is_silent_the_firmware_is_asked(machine: Path) -> None:
    """As vcgencmd says it."""
    power = only(list(board.look_at_power(machine, ask=lambda: 0x50005)), "power")
    assert (power.verdict, power.found) == (Verdict.ERROR, "under-voltage now")


def test_heat_and_little_memory_are_warned_of(machine: Path) -> None:
    """With figures."""
    write(machine, "sys/class/thermal/thermal_zone0/temp", "82400\n")
    write(machine, "proc/meminfo", "MemTotal: 500000 kB\nMemAvailable:   61000 kB\n")
    heat = only(list(board.look_at_power(machine, ask=lambda: None)), "temperature")
    memory = only(list(board.look_at_memory(machine)), "memory")
    assert (heat.verdict, memory.verdict) == (Verdict.WARNING, Verdict.WARNING)
    assert "82 °C" in heat.found
    assert "62 MB" in memory.found


def test_an_unsynchronised_clock_is_warned_of_and_an_impossible_one_is_an_error(machine: Path) -> None:
    """A board without a real-time clock starts in the past."""
    (synced,) = board.look_at_clock(lambda: True, TODAY, machine)
    (loose,) = board.look_at_clock(lambda: False, TODAY, machine)
    (past,) = board.look_at_clock(lambda: False, datetime(1970, 1, 1, tzinfo=UTC), machine)
    assert [f.verdict for f in (synced, loose, past)] == [Verdict.OK, Verdict.WARNING, Verdict.ERROR]
    assert "real-time clock" in loose.found
    write(machine, "sys/class/rtc/rtc0/name", "rtc")
    (kept,) = board.look_at_clock(lambda: False, TODAY, machine)
    assert "real-time clock" not in kept.found


def statvfs(*, free_bytes: int = 10**10, favail: int = 1000, flag: int = 0) -> os.statvfs_result:
    """Of a made disk."""
    return os.statvfs_result((4096, 1, 10**10, free_bytes, free_bytes, 1000, favail, favail, flag, 255))


@pytest.mark.parametrize(
    ("space", "verdict", "said"),
    [
        (statvfs(), Verdict.OK, "10,000 MB free"),
        (statvfs(free_bytes=50_000_000), Verdict.WARNING, "50 MB free"),
        (statvfs(free_bytes=0), Verdict.ERROR, "0 MB free"),
        (statvfs(favail=0), Verdict.ERROR, "no inode"),
        (statvfs(flag=os.ST_RDONLY), Verdict.WARNING, "read-only"),
    ],
)
def test_a_disk_is_judged_where_the_states_will_be(
    subject: Callable[..., Subject], space: os.statvfs_result, verdict: Verdict, said: str
) -> None:
    """Also before the folder is made."""
    disk = only(list(storage.look(subject(), space=lambda _: space)), "disk")
    assert disk.verdict is verdict
    assert said in disk.found
    assert "state" in disk.found


def test_evidence_that_may_outgrow_the_disk_is_warned_of(
    subject: Callable[..., Subject], tmp_path: Path
) -> None:
    """A quota beyond what is free would fill the disk long before it makes the oldest go."""
    history = {"enabled": True, "max_mb": 400}

    def found(free_bytes: int) -> Finding:
        """On a disk with so much room."""
        space = statvfs(free_bytes=free_bytes)
        return only(list(storage.look(subject(history=history), space=lambda _: space)), "history")

    assert found(400_000_000).verdict is Verdict.OK
    short = found(399_999_000)
    assert (short.verdict, short.remedy[:24]) == (Verdict.WARNING, "lower history.max_mb; or")
    assert "400 MB are free" in short.found
    kept = tmp_path / "state" / "history" / "2026-11-24.jsonl"
    write(kept.parent, kept.name, "x" * 1000)
    assert found(399_999_000).verdict is Verdict.OK
    silent = list(storage.look(subject(), space=lambda _: statvfs(free_bytes=0)))
    assert [finding for finding in silent if finding.name == "history"] == []


def test_faults_that_the_kernel_counted_are_told(subject: Callable[..., Subject], machine: Path) -> None:
    """Of each file system that has some."""
    write(machine, "sys/fs/ext4/mmcblk0p2/errors_count", "3\n")
    write(machine, "sys/fs/ext4/sda1/errors_count", "0\n")
    found = only(list(storage.look(subject())), "file system")
    assert found.verdict is Verdict.WARNING
    assert "mmcblk0p2" in found.found


def test_the_outbox_is_counted_and_left_untouched(tmp_path: Path) -> None:
    """Also after a crash that left its log; not even a file beside it is made."""
    path = tmp_path / "outbox.db"
    assert outbox_file.look(path).verdict is Verdict.OK
    file = StoreFile(path)
    file.open()
    file.apply([Change(Table.EVENT, str(n), "{}") for n in range(3)], lasting=True)
    copies = tmp_path / "crashed"
    copies.mkdir()
    for name in ("outbox.db", "outbox.db-wal"):
        (copies / name).write_bytes((tmp_path / name).read_bytes())
    file.close()
    for place in (path, copies / "outbox.db"):
        before = sorted(place.parent.iterdir())
        found = outbox_file.look(place)
        assert found.verdict is Verdict.OK
        assert "3 events wait" in found.found
        assert sorted(place.parent.iterdir()) == before


def test_where_no_copy_of_the_outbox_can_be_made_room_is_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root has no more of it than anybody else."""
    path = tmp_path / "outbox.db"
    path.write_bytes(b"whatever it is")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    found = outbox_file.look(path)
    assert (found.verdict, found.remedy) == (
        Verdict.SKIPPED,
        "make room in /tmp: a copy of it is looked into",
    )


def test_a_damaged_outbox_is_an_error(tmp_path: Path) -> None:
    """With what edgecam will do about it."""
    path = tmp_path / "outbox.db"
    path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 40)
    found = outbox_file.look(path)
    assert found.verdict is Verdict.ERROR
    assert "aside" in found.remedy


def test_an_outbox_in_use_is_left_alone(tmp_path: Path, machine: Path) -> None:
    """Who has locked it is named, by the kernel's table of locks."""
    path = tmp_path / "outbox.db"
    path.write_bytes(b"in the midst of a change")
    about = path.stat()
    place = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
    other = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino + 1}"
    write(
        machine,
        "proc/locks",
        f"1: FLOCK  ADVISORY  WRITE 11 {other} 0 EOF\n"
        f"2: POSIX  ADVISORY  WRITE 12 {place} 1073741824 1073742335\n",
    )
    write_process(machine, 11, "other")
    write_process(machine, 12, "/opt/edgecam/current/bin/python", "/usr/bin/edgecam", "run")
    found = outbox_file.look(path, machine)
    assert found.verdict is Verdict.OK
    assert "edgecam run (pid 12)" in found.found
    assert lock_holder(tmp_path, machine) is None


def test_who_has_a_device_open_is_named(machine: Path) -> None:
    """That very device, not one whose name begins alike; a program that ends meanwhile is no fault."""
    write_process(machine, 7, "motion", files=("/dev/null", "/dev/video0"))
    write_process(machine, 8, "cheese", files=("/dev/video01", "/dev/video10"))
    write(machine, "proc/9/cmdline", "gone\0")
    assert [str(process) for process in holders(Path("/dev/video0"), machine)] == ["motion (pid 7)"]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (("/opt/edgecam/bin/python", "/opt/edgecam/bin/edgecam", "run", "--config", "x"), 1),
        (("python", "-m", "edgecam", "run"), 1),
        (("edgecam", "doctor"), 0),
        (("npm", "run", "edgecam"), 0),
    ],
)
def test_a_running_edgecam_is_known_by_its_command_line(
    machine: Path, words: tuple[str, ...], count: int
) -> None:
    """However it was started."""
    write_process(machine, 5, *words)
    assert len(running_edgecams(machine)) == count


def show(**values: str) -> str:
    """What `systemctl show` prints of a unit."""
    unit = {"Id": "edgecam.service", "LoadState": "loaded", "WatchdogUSec": "30s"} | values
    return "\n".join(f"{key}={value}" for key, value in unit.items())


@pytest.mark.parametrize(
    ("values", "verdict", "said"),
    [
        ({"ActiveState": "active", "SubState": "running", "NRestarts": "0"}, Verdict.OK, "30s"),
        ({"ActiveState": "active", "SubState": "running", "NRestarts": "4"}, Verdict.WARNING, "4 times"),
        ({"ActiveState": "active", "SubState": "running", "WatchdogUSec": "0"}, Verdict.WARNING, "watchdog"),
        (
            {"ActiveState": "failed", "SubState": "failed", "ExecMainCode": "1", "ExecMainStatus": "78"},
            Verdict.ERROR,
            "the configuration was refused",
        ),
        (
            {"ActiveState": "activating", "SubState": "auto-restart", "Result": "watchdog"},
            Verdict.ERROR,
            "ended by the watchdog",
        ),
        (
            {"ActiveState": "failed", "SubState": "failed", "ExecMainCode": "3", "ExecMainStatus": "6"},
            Verdict.ERROR,
            "signal 6",
        ),
        ({"ActiveState": "activating", "SubState": "start"}, Verdict.WARNING, "loads"),
        ({"ActiveState": "inactive", "SubState": "dead"}, Verdict.WARNING, "inactive"),
    ],
)
def test_the_units_state_is_told_with_the_meaning_of_its_end(
    values: dict[str, str], verdict: Verdict, said: str
) -> None:
    """Exit codes are edgecam's own."""
    (found,) = service.look(lambda _: show(**values))
    assert found.verdict is verdict
    assert said in found.found
    assert bool(found.remedy) is (verdict is not Verdict.OK)


def test_without_systemd_or_unit_it_is_skipped_and_instances_are_told_one_by_one() -> None:
    """A container has none; a template has several."""
    (none,) = service.look(lambda _: None)
    (absent,) = service.look(lambda _: show(LoadState="not-found"))
    assert {none.verdict, absent.verdict} == {Verdict.SKIPPED}
    blocks = [show(Id=f"edgecam@{name}.service", ActiveState="active") for name in "ab"]
    assert [f.name for f in service.look(lambda _: "\n\n".join(blocks))] == [
        "edgecam@a.service",
        "edgecam@b.service",
    ]

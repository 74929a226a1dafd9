"""The clocks: which one can be believed, and what a jump of the wall clock changes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publish_samples import AT, MS, event, later, state

from edgecam import clock
from edgecam.publish import messages
from edgecam.publish.drafts import EventDraft
from edgecam.records import ClockReading

S = 1_000_000_000
PREDATES_S = 1_000_000_000


def rtc(root: Path, name: str, hctosys: str, since_epoch_s: int) -> None:
    """A real-time clock as the kernel shows it."""
    folder = root / "sys/class/rtc" / name
    folder.mkdir(parents=True)
    (folder / "hctosys").write_text(f"{hctosys}\n")
    (folder / "since_epoch").write_text(f"{since_epoch_s}\n")


@pytest.mark.parametrize(
    ("synced", "clocks", "is_set"),
    [
        (True, [], True),
        (False, [], False),
        (False, [("1", 1_790_000_000)], True),
        (False, [("1", PREDATES_S)], False),
        (False, [("0", 1_790_000_000)], False),
        (False, [("0", 0), ("1", 1_790_000_000)], True),
    ],
)
def test_the_wall_clock_is_set_by_ntp_or_by_a_clock_with_a_battery(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clocks: list[tuple[str, int]],
    *,
    synced: bool,
    is_set: bool,
) -> None:
    """One from which the kernel set it at boot; not one that has lost its time, or that was not asked."""
    monkeypatch.setattr(clock, "wall_clock_synced", lambda: synced)
    for number, (hctosys, since_epoch_s) in enumerate(clocks):
        rtc(tmp_path, f"rtc{number}", hctosys, since_epoch_s)
    assert clock.wall_clock_set(tmp_path) is is_set


@given(st.integers(min_value=-AT.wall_ns, max_value=10 * 365 * 86400 * S), st.integers(0, 3600 * S))
def test_a_jump_of_the_wall_clock_changes_labels_only(jump_ns: int, passed_ns: int) -> None:
    """Age, lateness and order are reckoned by BOOTTIME: a payload differs in its wall times alone."""
    before = later(passed_ns)
    after = ClockReading(before.boot_ns, before.wall_ns + jump_ns, before.synced)
    plain, jumped = (messages.state(state(), at, replayed=False) for at in (before, after))
    differs = {key for key in plain if plain[key] != jumped[key]}
    assert differs <= {"ts", "since"}
    if abs(jump_ns) >= MS:
        assert "ts" in differs


@given(st.integers(min_value=-AT.wall_ns, max_value=10 * 365 * 86400 * S), st.integers(0, 3600 * S))
def test_an_event_that_waits_through_a_jump_says_how_long_it_really_waited(
    jump_ns: int, passed_ns: int
) -> None:
    """A clock that is set while the broker is away makes no event years late, nor early."""
    draft = EventDraft.of(event(), AT, event_id="e")
    before = later(passed_ns)
    after = ClockReading(before.boot_ns, before.wall_ns + jump_ns, before.synced)
    plain, jumped = (draft.render(at, replayed=True) for at in (before, after))
    assert json.dumps(plain) == json.dumps(jumped)


def test_ages_run_on_boottime_whatever_the_wall_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment at which all are read is one."""
    monkeypatch.setattr(time, "time_ns", lambda: 5)
    reading = clock.Clock().read()
    assert reading.wall_ns == 5
    assert abs(reading.boot_ns - clock.boot_ns()) < 60 * S

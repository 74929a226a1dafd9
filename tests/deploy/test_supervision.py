"""What systemd hears of a run, and when: a stand-in run, a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecam.appliance.systemd import Notifier
from edgecam.pipeline.condition import Condition, status_line
from edgecam.pipeline.supervision import Supervision
from edgecam.pipeline.vitality import CameraSigns, Signs

S = 1_000_000_000


class Run:
    """A run whose engine can be frozen."""

    def __init__(self) -> None:
        """One camera, not warm yet."""
        self.is_up = False
        self.frames = 0

    def condition(self) -> Condition:
        """One camera that works."""
        return Condition(1, [], [], [], self.frames, "mqtt://box:1883", is_connected=False)

    def signs(self) -> Signs:
        """A frame is always in hand."""
        camera = CameraSigns(self.frames, self.frames, in_flight=1, declared_within_ns=60 * S)
        return Signs({"main": camera}, publish_turns=self.frames)


class Box:
    """A supervised run, systemd's ear, and the clock."""

    def __init__(self, path: Path, ear: socket.socket) -> None:
        """A watchdog of 30 s."""
        self.run, self.ear, self.now_ns = Run(), ear, 100 * S
        self.remark: str | None = None
        notifier = Notifier({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "30000000"})
        self.supervision = Supervision(notifier, self.run, remark=lambda: self.remark)

    def live(self, seconds: int, *, frames: int = 10) -> list[str]:
        """What is heard in so many seconds with so many frames each."""
        heard = list[str]()
        for _ in range(seconds * 10):
            self.now_ns += S // 10
            self.run.frames += frames if self.now_ns % S == 0 else 0
            self.supervision.turned()
            self.supervision.tend()
            heard += self.heard()
        return heard

    def heard(self) -> Iterator[str]:
        """Since it was last asked."""
        while True:
            try:
                yield self.ear.recv(4096).decode()
            except BlockingIOError:
                return


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """Told by the test what time it is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(0)
        box = Box(tmp_path / "notify", ear)
        monkeypatch.setattr("edgecam.clock.boot_ns", lambda: box.now_ns)
        yield box


def test_ready_comes_after_the_self_tests_and_before_everything_else(box: Box) -> None:
    """Systemd holds a service for started then, and starts what comes after it."""
    assert box.live(60) == []
    box.run.is_up = True
    heard = box.live(1)
    assert heard[0] == "READY=1"
    assert heard[1] == "WATCHDOG=1"
    assert heard[2:] == ["STATUS=1 camera; no broker at mqtt://box:1883"]


def test_pings_come_at_least_twice_in_the_watchdogs_time(box: Box) -> None:
    """WATCHDOG_USEC is 30 s."""
    box.run.is_up = True
    assert 8 <= box.live(60).count("WATCHDOG=1") <= 12


def test_no_ping_while_a_frame_is_stuck_and_a_word_about_it(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    """The log and the status line say what stands still; systemd does the rest."""
    box.run.is_up = True
    box.live(10)
    stuck = box.live(60, frames=0)
    # Those of the first 15 s.
    assert stuck.count("WATCHDOG=1") <= 3
    assert stuck[-1].endswith("; stands still: engine of camera main")
    assert caplog.text.count("stands still") == 1
    assert "WATCHDOG=1" in box.live(2)


def test_the_status_line_is_told_on_change_alone(box: Box) -> None:
    """Each telling wakes systemd: a steady run tells its rate once."""
    box.run.is_up = True
    box.live(10)
    assert [word for word in box.live(60) if word.startswith("STATUS")] == []
    box.remark = "configuration refused: config.yaml:3:1: unknown key"
    assert [word for word in box.live(2) if word.startswith("STATUS")] == [
        (
            "STATUS=1 camera; 10.0 fps; no broker at mqtt://box:1883; "
            "configuration refused: config.yaml:3:1: unknown key"
        )
    ]


def test_the_line_says_what_is_wrong() -> None:
    """In the fewest words."""
    condition = Condition(
        cameras=9,
        without_picture=["a", "b", "c", "d", "e"],
        disabled=["f", "g"],
        without_engine=["h"],
        finished=0,
        broker="mqtts://house:8883",
        is_connected=True,
    )
    assert status_line(condition, rate="29.8 fps", still=["publish worker"]) == (
        "9 cameras, 5 without picture (a, b, c and 2 more), 2 disabled (f, g), 1 without engine (h); "
        "29.8 fps; broker connected; stands still: publish worker"
    )

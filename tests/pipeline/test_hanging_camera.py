"""Cameras whose drivers hang, in real threads: another opening takes over, and the books stay right."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from threading import Event, Thread

import pytest
from house import House, NoWait
from stand_ins import PICTURE, Opened, until

from edgecam import clock
from edgecam.capture.camera import Camera
from edgecam.errors import CameraLost
from edgecam.pipeline.capture_worker import CaptureWorker
from edgecam.pipeline.opening import Opening
from edgecam.pipeline.reader import DriverLimits, Reader
from edgecam.pipeline.witness import Witnesses
from edgecam.records import AgeBasis, Shot, Status
from edgecam.reports import NoticeKind

LIMITS = DriverLimits(open_s=0.1, read_s=0.1, close_s=0.1, look_s=0.02)


class HangingCamera(Opened):
    """Gives some frames, then hangs where it is told to, until it is released."""

    live = True
    description = "hanging"

    def __init__(self, *, frames: int, hangs_in: str, released_by_close: bool = False) -> None:
        self.left = frames
        self._hangs_in = hangs_in
        self._released_by_close = released_by_close
        self.release = Event()
        self.closings = 0

    def read(self, timeout_s: float) -> Shot | None:
        """A frame; the last one, if it was released."""
        if self.left == 0:
            if "read" not in self._hangs_in:
                raise CameraLost("unplugged")
            self.release.wait()
        else:
            Event().wait(min(timeout_s, 0.005))
        self.left = max(0, self.left - 1)
        return Shot(PICTURE, clock.boot_ns(), AgeBasis.ARRIVAL)

    def close(self) -> None:
        """Let go, perhaps."""
        self.closings += 1
        if self._released_by_close:
            self.release.set()
        if "close" in self._hangs_in:
            self.release.wait()
        super().close()


class Stage:
    """A house without an engine, and a capture worker that watches closely."""

    def __init__(self) -> None:
        self.house = House(lossless=False)
        self.openings: list[Camera | Exception] = []
        self.opened = 0
        self.thread: Thread | None = None
        self.worker = self.capture()

    def capture(self) -> CaptureWorker:
        """A worker, not yet started."""
        return CaptureWorker(
            self.house.lane,
            self.open,
            stall_s=3,
            stop=self.house.stop_capture,
            witness=Witnesses(),
            opening=Opening(),
            backoff=NoWait(),  # type: ignore[arg-type]
            limits=LIMITS,
        )

    def open(self) -> Camera:
        """The next of the openings; the last one again and again."""
        opening = self.openings[min(self.opened, len(self.openings) - 1)]
        self.opened += 1
        if isinstance(opening, Exception):
            # Not at once, or a test would open it thousands of times.
            Event().wait(0.01)
            raise opening
        return opening

    def play(self, *openings: Camera | Exception) -> None:
        """Begin."""
        self.openings = list(openings)
        self.thread = Thread(target=self.worker.run, daemon=True)
        self.thread.start()

    @property
    def captured(self) -> int:
        """Frames in the books."""
        return self.house.lane.ledger.report(now_ns=clock.boot_ns()).captured

    @property
    def told(self) -> list[str]:
        """Why it was lost, each time."""
        return [n.message for n in self.house.ear.notices if n.kind is NoticeKind.CAMERA_LOST]


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Its worker is stopped at the end, whatever hangs."""
    stage = Stage()
    yield stage
    stage.worker.leave()
    for camera in stage.openings:
        if isinstance(camera, HangingCamera):
            camera.release.set()
    if stage.thread is not None:
        stage.thread.join(10)
        assert not stage.thread.is_alive()


def endless() -> HangingCamera:
    """One that works."""
    return HangingCamera(frames=1_000_000, hangs_in="")


def test_a_read_that_hangs_is_freed_by_closing_and_the_camera_opened_anew(stage: Stage) -> None:
    """Lost once, back once; nothing is left behind."""
    hanging = HangingCamera(frames=2, hangs_in="read", released_by_close=True)
    stage.play(hanging, endless())
    until(lambda: stage.captured > 10)
    assert stage.house.ear.kinds == [NoticeKind.CAMERA_LOST, NoticeKind.CAMERA_BACK]
    assert stage.told == ["a: its driver hangs: read does not come back"]
    assert not stage.worker.is_wedged
    assert stage.worker._left_behind == []


@pytest.mark.parametrize("hangs_in", ["read", "close", "read and close"])
def test_what_never_comes_back_is_left_behind_and_a_fresh_camera_takes_over(
    stage: Stage, hangs_in: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a read nor a close without end holds up the next opening."""
    hanging = HangingCamera(frames=2, hangs_in=hangs_in)
    with caplog.at_level(logging.ERROR):
        stage.play(hanging, endless())
        until(lambda: stage.captured > 10)
    assert stage.house.ear.kinds == [NoticeKind.CAMERA_LOST, NoticeKind.CAMERA_BACK]
    assert len([text for text in caplog.messages if "left behind" in text]) == 1
    assert not stage.worker.is_wedged


def test_a_late_frame_of_a_reader_left_behind_is_dropped_and_its_camera_closed(stage: Stage) -> None:
    """It is in no book, brings no camera back, and gives the device back."""
    hanging = HangingCamera(frames=2, hangs_in="read")
    stage.play(hanging, CameraLost("busy"))
    until(lambda: stage.worker.is_wedged)
    assert stage.captured == 2
    hanging.release.set()
    until(lambda: not stage.worker.is_wedged)
    assert stage.captured == 2
    assert hanging.closed
    assert stage.house.ear.statuses[-1] is Status.NO_CAMERA
    assert NoticeKind.CAMERA_BACK not in stage.house.ear.kinds


def test_a_camera_is_wedged_once_a_second_opening_has_failed_too(stage: Stage) -> None:
    """Told once, with the cause; the attempts go on, and a success ends it."""
    stage.play(HangingCamera(frames=2, hangs_in="read and close"), *[CameraLost("busy")] * 20, endless())
    until(lambda: stage.worker.is_wedged)
    until(lambda: stage.captured > 10)
    assert not stage.worker.is_wedged
    assert len(stage.told) == 2
    assert "can be neither read nor closed" in stage.told[1]
    assert "busy" in stage.told[1]


def test_openings_that_hang_are_bounded(stage: Stage) -> None:
    """Four threads and no more, however long it lasts; when one comes back it is tried again."""
    cameras = [HangingCamera(frames=0, hangs_in="read and close") for _ in range(4)]
    stage.play(*cameras, endless())
    until(lambda: len(stage.worker._left_behind) == 4)
    until(lambda: stage.worker.is_wedged)
    Event().wait(0.3)
    assert stage.opened == 4
    assert len([thread for thread in threading.enumerate() if thread.name in {"capture-a", "close-a"}]) == 8
    cameras[0].release.set()
    until(lambda: stage.captured > 10)


def test_an_opening_that_hangs_is_left_behind_and_closed_when_it_comes_back(stage: Stage) -> None:
    """A device must not stay held by a camera that nobody reads."""
    late, release = endless(), Event()
    original = stage.open

    def open_camera() -> Camera:
        if stage.opened == 0:
            stage.opened += 1
            release.wait()
            return late
        return original()

    stage.worker._open_camera = open_camera
    stage.play(endless(), endless())
    until(lambda: stage.captured > 10)
    assert stage.told == ["a: its driver hangs: open does not come back"]
    release.set()
    until(lambda: late.closed)
    assert late.left == 1_000_000


def test_who_was_told_to_leave_tells_of_no_loss(stage: Stage) -> None:
    """Its driver may hang for longer than a successor waits, who has frames and would never take it back."""

    class Overtaken(HangingCamera):
        """Hangs when its worker has to leave."""

        def read(self, timeout_s: float) -> Shot | None:
            """The next step."""
            if self.left == 0:
                stage.worker.leave()
            return super().read(timeout_s)

    stage.play(Overtaken(frames=2, hangs_in="read and close"))
    assert stage.thread is not None
    stage.thread.join(10)
    assert not stage.thread.is_alive()
    assert stage.captured == 2
    assert stage.told == []
    assert stage.house.ear.statuses == []


def test_what_hangs_counts_against_a_successor_too(stage: Stage) -> None:
    """A camera that is reopened by a reload, and cannot be, is as wedged as before, and the bound holds."""
    stage.play(HangingCamera(frames=2, hangs_in="read and close"), CameraLost("busy"))
    until(lambda: stage.worker.is_wedged)
    first, stage.worker = stage.worker, stage.capture()
    first.leave()
    assert stage.thread is not None
    stage.thread.join(10)
    stage.house.stop_capture.clear()
    stage.worker.succeed(first)
    assert not stage.worker.is_wedged
    stage.thread = Thread(target=stage.worker.run, daemon=True)
    stage.thread.start()
    until(lambda: stage.worker.is_wedged)


def test_a_recording_may_take_its_time(stage: Stage) -> None:
    """A slow disk, a large picture: no driver hangs."""
    slow = HangingCamera(frames=1, hangs_in="read")
    slow.live = False
    stage.play(slow)
    until(lambda: stage.captured == 1)
    Event().wait(0.4)
    assert stage.told == []


def test_a_frame_that_waits_for_its_engine_is_no_hanging_driver(stage: Stage) -> None:
    """The reader of a recording that skips nothing waits at the slot, as long as the engine takes."""
    stage.house.lane.policy = replace(stage.house.lane.policy, lossless=True)
    camera = HangingCamera(frames=10, hangs_in="")
    stage.play(camera)
    until(lambda: stage.captured == 2)
    Event().wait(0.4)
    assert stage.told == []
    stage.house.close_slot()


def test_nothing_accumulates_over_many_openings(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A camera that comes and goes for years: neither its threads nor its openings are kept."""
    # What is logged is kept by the test's own log.
    caplog.set_level(logging.CRITICAL, logger="edgecam")
    before = threading.active_count()
    stage.play(*[HangingCamera(frames=1, hangs_in="") for _ in range(300)], endless())
    until(lambda: stage.captured > 310)
    stage.worker.leave()
    assert stage.thread is not None
    stage.thread.join(10)
    gc.collect()
    assert threading.active_count() <= before
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Reader)]

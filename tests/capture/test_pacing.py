"""Recordings are played like a camera: to schedule, without drift, and interruptibly."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from edgecam.capture.pacing import Pacer, Playback, Scheduled
from edgecam.capture.pattern import draw_pattern, read_counter
from edgecam.errors import CameraLost, EndOfRecording, UnreadableFrame
from edgecam.records import AgeBasis

MS = 1_000_000


def numbered(*due_ms: int) -> Iterator[Scheduled]:
    """Numbered frames, due at these times."""
    for number, due in enumerate(due_ms):
        yield Scheduled(due * MS, draw_pattern(number, width_px=32, height_px=32))


def playback(frames: Iterator[Scheduled], pacer: Pacer | None) -> Playback:
    """A recording of these frames."""
    return Playback(frames, pacer=pacer, live=False, description="made")


def test_each_frame_is_given_at_its_own_time(clock: Any) -> None:
    """The first at once, the others when they are due since the first."""
    start_ns = clock.now
    with playback(numbered(0, 40, 50, 1000), clock.pacer()) as camera:
        given_ms = [(clock.now - start_ns) // MS for _ in range(4) if camera.read(timeout_s=2)]
    assert given_ms == [0, 40, 50, 1000]


def test_a_frame_that_is_not_due_within_the_timeout_is_kept(clock: Any) -> None:
    """The read returns None after the timeout, and the same frame once it is due."""
    with playback(numbered(0, 100), clock.pacer()) as camera:
        camera.read(timeout_s=1)
        start_ns = clock.now
        assert camera.read(timeout_s=0.06) is None
        assert clock.now - start_ns == 60 * MS
        shot = camera.read(timeout_s=0.06)
        assert shot is not None
        assert read_counter(shot.image) == 1
        assert clock.now - start_ns == 100 * MS


def test_a_late_reader_gets_the_due_frames_at_once_and_the_schedule_stays(clock: Any) -> None:
    """Falling behind drops nothing and shifts nothing."""
    start_ns = clock.now
    with playback(numbered(0, 100, 200, 300, 400), clock.pacer()) as camera:
        camera.read(timeout_s=1)
        clock.wait(0.25)
        given_ms = [(clock.now - start_ns) // MS for _ in range(4) if camera.read(timeout_s=1)]
    assert given_ms == [250, 250, 300, 400]


def test_a_long_standstill_moves_the_schedule(clock: Any) -> None:
    """After a suspend of an hour, frames come at their pace again, not all at once."""
    with playback(numbered(0, 100, 200), clock.pacer()) as camera:
        camera.read(timeout_s=1)
        clock.wait(3600)
        woken_ns = clock.now
        given_ms = [(clock.now - woken_ns) // MS for _ in range(2) if camera.read(timeout_s=1)]
    assert given_ms == [0, 100]


def test_without_a_pacer_frames_come_as_fast_as_they_are_read() -> None:
    """Due times far away are not waited for, and no frame is lost."""
    with playback(numbered(0, 3_600_000, 7_200_000), None) as camera:
        shots = [camera.read(timeout_s=0) for _ in range(3)]
        with pytest.raises(EndOfRecording, match="made has been played to its end"):
            camera.read(timeout_s=0)
    assert [read_counter(shot.image) for shot in shots if shot] == [0, 1, 2]


def test_an_unreadable_frame_takes_its_turn_and_the_next_one_follows(clock: Any) -> None:
    """It is raised when it is due, once."""
    frames = [*numbered(0, 100, 200)]
    frames[1] = Scheduled(100 * MS, UnreadableFrame("b.jpg: damaged"))
    with playback(iter(frames), clock.pacer()) as camera:
        camera.read(timeout_s=1)
        assert camera.read(timeout_s=0.05) is None
        with pytest.raises(UnreadableFrame, match=r"b\.jpg"):
            camera.read(timeout_s=1)
        shot = camera.read(timeout_s=1)
    assert shot is not None
    assert read_counter(shot.image) == 2


def test_a_shot_is_stamped_when_it_is_given() -> None:
    """captured_ns is BOOTTIME at the end of the read, basis arrival."""
    before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    with playback(numbered(0), None) as camera:
        shot = camera.read(timeout_s=0)
    assert shot is not None
    assert before_ns <= shot.captured_ns <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert shot.basis is AgeBasis.ARRIVAL


def test_closing_ends_a_read_that_waits_in_another_thread() -> None:
    """The read returns None soon; a later one says that the camera was closed."""
    camera = playback(numbered(0, 3_600_000), Pacer())
    camera.read(timeout_s=0)
    answers: list[object] = []
    reader = threading.Thread(target=lambda: answers.append(camera.read(timeout_s=60)))
    reader.start()
    camera.close()
    camera.close()
    reader.join(timeout=5)
    assert answers == [None]
    with pytest.raises(CameraLost, match="closed"):
        camera.read(timeout_s=0)

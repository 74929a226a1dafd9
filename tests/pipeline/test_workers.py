"""The two workers and the desk, with cameras and engines that fail at chosen frames: the sum holds."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from threading import Event, Thread

import numpy as np
import pytest
from house import House
from stand_ins import CAT

from edgecam.errors import CameraLost, EngineError, SourceError
from edgecam.inference.engine import Engine
from edgecam.pipeline.ledger import Ledger
from edgecam.pipeline.witness import Witnesses
from edgecam.records import SkipCause, Status
from edgecam.reports import NoticeKind


@pytest.mark.parametrize("aide", [True, False])
def test_frames_lost_with_a_failing_engine_are_counted_and_it_is_opened_anew(*, aide: bool) -> None:
    """`engine` is a cause like any other; the state says error, then ok again, and both are noticed."""
    house = House(aide=aide)
    house.run(["f" * 6], [CAT, EngineError("gone"), CAT, EngineError("gone"), CAT, CAT])
    assert house.books() == (6, 4, {SkipCause.ENGINE: 2})
    assert house.ear.kinds.count(NoticeKind.ENGINE_FAILED) == 2
    assert house.ear.kinds.count(NoticeKind.ENGINE_BACK) == 2
    assert Status.ERROR in house.ear.statuses
    assert house.ear.statuses[-1] is Status.OK


def test_scores_that_are_not_finite_are_a_failing_engine(caplog: pytest.LogCaptureFixture) -> None:
    """A NaN in the smoothing would blind the camera for good."""
    house = House()
    with caplog.at_level(logging.ERROR):
        # The aide may find out one frame later: there have to be some left.
        house.run(["f" * 8], [CAT, np.array([np.nan, 0.5]), *[CAT] * 6])
    assert house.books() == (8, 7, {SkipCause.ENGINE: 1})
    assert "not finite" in caplog.text
    assert house.ear.states[-1].decision.label == "cat"


def test_a_lost_camera_is_opened_anew_and_its_frames_are_numbered_on() -> None:
    """The state says so, the label is taken back, both ends are noticed."""
    house = House()
    house.run(["ffl", CameraLost("still away"), SourceError("no permission yet"), "ff"])
    assert house.books() == (4, 4, {})
    assert house.ear.kinds == [NoticeKind.CAMERA_LOST, NoticeKind.CAMERA_BACK]
    assert [state.decision.status for state in house.ear.states].count(Status.NO_CAMERA) == 1
    assert [event.edge.type for event in house.ear.events][:2] == ["start", "end"]


def test_a_source_that_cannot_be_used_ends_the_run_only_at_the_first_opening() -> None:
    """A wrong path is told at once; a camera that was there, or was awaited, is waited for."""
    with pytest.raises(SourceError, match="no such"):
        House().run([SourceError("no such file")])
    house = House()
    house.run([CameraLost("unplugged at boot"), SourceError("udev is not done yet"), "f"])
    assert house.books() == (1, 1, {})


class LateLeave(Event):
    """Is set when it is looked at for the second time: while something is being opened."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = 0

    def is_set(self) -> bool:
        """See the class."""
        self._looks += 1
        return self._looks > 1


def test_who_was_told_to_leave_ends_no_run_however_its_opening_ends() -> None:
    """A reload has mended the source, or the model, while the old one was still being opened."""
    house = House()

    def refuse(_model: str) -> Engine:
        raise EngineError("refused")

    camera = house.capture_worker([SourceError("no such file")])
    engine = house.engine_worker(refuse)
    with pytest.raises(SourceError):
        house.capture_worker([SourceError("no such file")]).run()
    camera._stop, engine._stop = LateLeave(), LateLeave()
    camera.run()
    engine.run()
    assert house.ear.kinds == []


def test_unreadable_frames_are_captured_frames() -> None:
    """Cause `decode`, and the next one is fine."""
    house = House()
    house.run(["fufuf"])
    assert house.books() == (5, 3, {SkipCause.DECODE: 2})


def test_a_lost_camera_stays_lost_when_its_engine_fails_and_comes_back() -> None:
    """Two facts, one status: what is wrong with the camera counts more."""
    house = House()
    house.desk.camera_lost("unplugged")
    house.desk.engine_failed("gone")
    house.desk.engine_back()
    assert house.ear.statuses == [Status.NO_CAMERA]
    house.desk.engine_failed("gone")
    house.desk.camera_back()
    assert house.ear.statuses == [Status.NO_CAMERA, Status.ERROR]


def test_after_closing_a_desk_says_nothing_more() -> None:
    """A frame that was in a slow engine at the stop starts no episode after the goodbye."""
    house = House()
    house.run(["f"], [CAT])
    house.desk.close()
    said = len(house.ear.events), len(house.ear.states)
    result = house.ear.states[-1].result
    assert result is not None
    later = replace(result, captured_ns=result.captured_ns + 1)
    house.desk.classified(later, np.array([0, 1], np.float32))
    assert (len(house.ear.events), len(house.ear.states)) == said


def test_what_is_in_flight_at_the_stop_is_skipped_for_it_and_counts_once() -> None:
    """The sum closes even when an engine is left behind in a long inference."""
    ledger = Ledger("a", start_ns=0, witness=Witnesses())
    ledger.capture()
    ledger.close()
    ledger.skip(SkipCause.ENGINE, 1)
    stats = ledger.report(now_ns=1)
    assert (stats.captured, stats.skipped[SkipCause.SHUTDOWN], stats.skipped[SkipCause.ENGINE]) == (1, 1, 0)


def test_two_threads_that_load_at_once_keep_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """Two cameras with two models open two engines at the same moment."""
    import os

    from edgecam.inference.quiet import chatter_caught

    def load() -> None:
        for _ in range(20):
            with chatter_caught():
                time.sleep(0.001)

    threads = [Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"still here\n")
    assert "still here" in capfd.readouterr().err

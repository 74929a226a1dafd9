"""The two workers and the desk, with cameras and engines that fail at chosen frames: the sum holds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecam import clock
from edgecam.capture.camera import Camera
from edgecam.decision.decider import Decider
from edgecam.decision.watchlist import Threshold, Watchlist
from edgecam.errors import CameraLost, EndOfRecording, EngineError, SourceError, UnreadableFrame
from edgecam.inference.engine import Engine, EngineInfo
from edgecam.model.card import Card, InputCard, OutputCard, OutputKind
from edgecam.model.model import Model
from edgecam.pipeline.capture_worker import CaptureWorker
from edgecam.pipeline.desk import Desk
from edgecam.pipeline.doorbell import Doorbell
from edgecam.pipeline.engine_worker import Bench, EngineWorker
from edgecam.pipeline.lane import Lane, Rung
from edgecam.pipeline.ledger import Ledger
from edgecam.pipeline.scheduler import Policy
from edgecam.pipeline.slot import LatestSlot
from edgecam.pipeline.witness import Witnesses
from edgecam.records import AgeBasis, Image, PixelFormat, Result, Shot, SkipCause, State, Status, TensorSpec
from edgecam.records import (
    Event as EpisodeEvent,
)
from edgecam.reports import Notice, NoticeKind
from edgecam.vision.geometry import View

S = 1_000_000_000
PICTURE = Image(np.zeros((4, 4, 3), np.uint8), PixelFormat.BGR, 4, 4)
CARD = Card(
    name="made",
    description="",
    file="made.tflite",
    sha256="0" * 64,
    input=InputCard(width_px=4, height_px=4, mean=(0.0,), std=(1.0,)),
    output=OutputCard(kind=OutputKind.PROBABILITIES),
    licence="CC0-1.0",
    source="made",
    parameters=None,
    macs=None,
    self_test=None,
)
MODEL = Model("made", Path("made.tflite"), "0" * 64, CARD, ("cat", "dog"))
CAT = np.array([0.9, 0.1], np.float32)


class Ear:
    """Stands where the publisher stands, and remembers."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.events: list[EpisodeEvent] = []
        self.notices: list[Notice] = []
        self.state, self.event, self.notice = self.states.append, self.events.append, self.notices.append

    def prediction(self, _result: Result) -> None:
        """Not asked for here."""

    def send(self) -> None:
        """There is no network."""

    @property
    def statuses(self) -> list[Status]:
        """In order, repeats left out."""
        seen: list[Status] = []
        for state in self.states:
            if not seen or seen[-1] is not state.decision.status:
                seen.append(state.decision.status)
        return seen

    @property
    def kinds(self) -> list[NoticeKind]:
        """Of the notices."""
        return [notice.kind for notice in self.notices]


class Opened:
    """A context manager, as cameras and engines are."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held."""


class ScriptedCamera(Opened):
    """Gives what a script says: `f` a frame, `u` an unreadable one, `l` lost once all were decided on."""

    live = True
    description = "scripted"

    def __init__(self, script: Iterator[str], ledger: Ledger) -> None:
        self._script = script
        self._ledger = ledger

    def read(self, timeout_s: float) -> Shot | None:  # noqa: ARG002 - the script has no time
        """The next step."""
        match next(self._script, "e"):
            case "f":
                return Shot(PICTURE, clock.boot_ns(), AgeBasis.ARRIVAL)
            case "u":
                raise UnreadableFrame("torn")
            case "l":
                until(lambda: self._ledger.in_flight == 0)
                raise CameraLost("unplugged")
            case _:
                raise EndOfRecording("the end")


class ScriptedEngine(Opened):
    """Answers with a cat; fails where the script holds an exception, or answers what it holds."""

    info = EngineInfo("made", "1", "cpu", 1)
    input = TensorSpec("in", (1, 4, 4, 3), "uint8", 1.0, 0)
    output = TensorSpec("out", (1, 2), "float32")

    def __init__(self, script: Iterator[Any]) -> None:
        self._script = script

    def invoke(self, _tensor: NDArray[Any], /) -> NDArray[Any]:
        """The next answer."""
        answer = next(self._script, CAT)
        if isinstance(answer, BaseException):
            raise answer
        return np.asarray(answer, np.float32)


class NoWait:
    """A back-off that does not."""

    def next_s(self) -> float:
        """At once."""
        return 0.0

    def restart(self) -> None:
        """Nothing to forget."""


class House:
    """One camera, one engine, no network."""

    def __init__(self, *, lossless: bool = True, aide: bool = True) -> None:
        self.aide = aide
        self.ear = Ear()
        self.bell = Doorbell()
        self.stop = Event()
        watch = Watchlist(MODEL.labels, {}, watch={"cat": Threshold(hold_ns=0), "dog": Threshold(hold_ns=0)})
        decider = Decider(watch, smoothing_s=0, episode_prefix="run")
        self.desk = Desk("a", decider, self.ear, prediction_interval_ns=None)  # type: ignore[arg-type]
        self.lane = Lane(
            camera="a",
            policy=Policy(60 * S, 60 * S, lossless=lossless),
            view=View(),
            rungs=(Rung("default", watch),),
            gate=None,
            slot=LatestSlot(self.bell),
            ledger=Ledger("a", start_ns=0, witness=Witnesses()),
            desk=self.desk,
        )

    def run(self, cameras: Sequence[str | Exception], answers: Sequence[Any] = ()) -> None:
        """Play the cameras' scripts, one an opening, to the end of the last; then stop.

        An exception in place of a script is what the opening raises; so is one that a worker let through.
        """
        openings, engine_script = iter(cameras), iter(answers)

        def open_camera() -> Camera:
            opening = next(openings)
            if isinstance(opening, Exception):
                raise opening
            return ScriptedCamera(iter(opening), self.lane.ledger)

        def open_engine(_model: str) -> Engine:
            return ScriptedEngine(engine_script)

        engine = EngineWorker(
            Bench(models={"default": MODEL}, open_engine=open_engine, lanes=[self.lane], bell=self.bell),
            stop=self.stop,
            engines_changed=lambda: None,
            witness=Witnesses(),
        )
        engine._backoff = NoWait()  # type: ignore[assignment]
        capture = CaptureWorker(
            self.lane,
            open_camera,
            stall_s=3,
            stop=Event(),
            witness=Witnesses(),
            backoff=NoWait(),  # type: ignore[arg-type]
        )
        threads = [Thread(target=engine.run, daemon=True)]
        if self.aide:
            threads.append(Thread(target=engine.assist, daemon=True))
        for thread in threads:
            thread.start()
        try:
            capture.run()
            until(lambda: self.lane.ledger.in_flight == 0)
        finally:
            self.stop.set()
            self.lane.slot.close()
            for thread in threads:
                thread.join(10)
        assert not any(thread.is_alive() for thread in threads)

    def books(self) -> tuple[int, int, dict[SkipCause, int]]:
        """Captured, results, and skipped for each cause that was; the sum is checked."""
        stats = self.lane.ledger.report(now_ns=clock.boot_ns())
        assert stats.captured == stats.results + stats.late + sum(stats.skipped.values())
        return stats.captured, stats.results, {cause: n for cause, n in stats.skipped.items() if n}


def until(done: Callable[[], bool]) -> None:
    """Wait for another thread."""
    ends_s = time.monotonic() + 10
    while not done():
        assert time.monotonic() < ends_s
        time.sleep(0.001)


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
        house.run(["fff"], [CAT, np.array([np.nan, 0.5]), CAT])
    assert house.books() == (3, 2, {SkipCause.ENGINE: 1})
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

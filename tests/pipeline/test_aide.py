"""The second pair of hands: what it prepares, finishes and meets, in real threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, cast

import numpy as np
import pytest
from house import House
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from stand_ins import CAT, ScriptedEngine, until

from edgecam import clock
from edgecam.errors import EngineError
from edgecam.inference.engine import Engine
from edgecam.pipeline.aide import Aide
from edgecam.pipeline.chain import Inferred, Prepared
from edgecam.records import SkipCause

HOUR_NS = 3600 * 1_000_000_000
FRAME, NEXT = cast("Prepared", "a frame"), cast("Prepared", "the next one")
SEEN = cast("Inferred", "what was seen in a frame")


class Work:
    """What the aide is given to do: remembers, and does what a test wants."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.begun = Event()
        self.go_on = Event()
        self.go_on.set()
        self.prepare_fault: Exception | None = None
        self.finish_fault: Exception | None = None
        self.aide = Aide(prepare=self._prepare, finish=self._finish)
        self.thread = Thread(target=self.aide.run, daemon=True)

    def _prepare(self, free_ns: int) -> Prepared | None:
        self.begun.set()
        assert self.go_on.wait(10)
        self.done.append(f"prepare {free_ns}")
        if self.prepare_fault is not None:
            raise self.prepare_fault
        return FRAME

    def _finish(self, inferred: Inferred) -> None:
        assert inferred is SEEN
        assert self.go_on.wait(10)
        self.done.append("finish")
        if self.finish_fault is not None:
            raise self.finish_fault

    @contextmanager
    def at_work(self) -> Iterator[Aide]:
        """Its thread runs, and has ended afterwards."""
        self.thread.start()
        until(lambda: self.aide._running)
        yield self.aide
        self.go_on.set()
        self.aide.close()
        self.thread.join(10)
        assert not self.thread.is_alive()


def now(aide: Aide, work: Work, *, free_ns: int = 7) -> None:
    """Order a frame, and wait until the aide has begun."""
    work.begun.clear()
    aide.look_ahead(begin_ns=0, free_ns=free_ns)
    assert work.begun.wait(10)


def test_what_was_begun_is_collected_once() -> None:
    """The engine waits for its end; the frame is for when the engine is free."""
    work = Work()
    with work.at_work() as aide:
        now(aide, work, free_ns=7)
        assert aide.collect() is FRAME
        assert aide.collect() is None
    assert work.done == ["prepare 7"]


def test_what_was_not_begun_is_cancelled() -> None:
    """An engine that is early takes the freshest frame itself."""
    work = Work()
    with work.at_work() as aide:
        aide.look_ahead(begin_ns=clock.boot_ns() + HOUR_NS, free_ns=7)
        assert aide.collect() is None
    assert work.done == []


def test_a_new_order_takes_the_place_of_the_last() -> None:
    """There is one engine, and one next frame."""
    work = Work()
    with work.at_work() as aide:
        aide.look_ahead(begin_ns=clock.boot_ns() + HOUR_NS, free_ns=1)
        now(aide, work, free_ns=2)
        assert aide.collect() is FRAME
    assert work.done == ["prepare 2"]


def test_what_is_done_with_comes_before_what_is_to_come() -> None:
    """Results keep the order of their frames, and the older one is published first."""
    work = Work()
    with work.at_work() as aide:
        work.go_on.clear()
        aide.hand_over(SEEN)
        aide.look_ahead(begin_ns=0, free_ns=7)
        work.go_on.set()
        assert work.begun.wait(10)
        assert aide.collect() is FRAME
    assert work.done == ["finish", "prepare 7"]


@pytest.mark.parametrize("job", ["prepare", "finish"])
def test_what_the_aide_meets_is_raised_in_the_engines_thread_once(job: str) -> None:
    """Its own thread goes on: the engine is opened anew, and has an aide again."""
    work, fault = Work(), EngineError("gone")
    setattr(work, f"{job}_fault", fault)
    with work.at_work() as aide:
        if job == "prepare":
            now(aide, work)
        else:
            aide.hand_over(SEEN)
        with pytest.raises(EngineError) as raised:
            aide.collect()
        assert raised.value is fault
        assert aide.collect() is None
        work.prepare_fault = None
        now(aide, work)
        assert aide.collect() is FRAME


def test_a_frame_that_was_prepared_beside_a_fault_is_not_lost() -> None:
    """Who drains gets both: each frame must meet its fate."""
    work = Work()
    work.finish_fault = EngineError("not finite")
    with work.at_work() as aide:
        aide.hand_over(SEEN)
        now(aide, work)
        with pytest.raises(EngineError):
            aide.collect()
        assert aide.drain() == (FRAME, None)
        assert aide.drain() == (None, None)


def test_closing_finishes_what_was_handed_over() -> None:
    """A result that is there is told, whatever ends meanwhile."""
    work = Work()
    with work.at_work() as aide:
        work.go_on.clear()
        aide.hand_over(SEEN)
    assert work.done == ["finish"]


def test_closing_does_not_wait_for_an_order_that_was_not_begun() -> None:
    """It may be for a moment far away; `at_work` sees the thread end."""
    work = Work()
    with work.at_work() as aide:
        aide.look_ahead(begin_ns=clock.boot_ns() + HOUR_NS, free_ns=7)
    assert work.done == []


def test_without_its_thread_nothing_is_prepared_and_nobody_waits() -> None:
    """An engine worker may be run alone; and the aide's thread may come when all is over."""
    work = Work()
    work.aide.look_ahead(begin_ns=0, free_ns=7)
    assert work.aide.collect() is None
    work.aide.close()
    work.aide.run()
    assert work.done == []


class AheadEngine(ScriptedEngine):
    """Takes until the aide has the next frame ready, or so long that none can be there."""

    def __init__(self, house: House, script: Iterator[Any]) -> None:
        super().__init__(script)
        self._house = house
        self.ahead = 0
        """How often the next frame was ready."""

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """The next answer."""
        assert self._house.worker is not None
        aide, ends_s = self._house.worker._aide, time.monotonic() + 0.01
        while aide._prepared is None and aide._fault is None and time.monotonic() < ends_s:
            time.sleep(0.0002)
        self.ahead += aide._prepared is not None
        return super().invoke(tensor)


def test_a_saturated_engine_finds_its_next_frame_ready_and_results_keep_their_order() -> None:
    """That is what the aide is for; and a subscriber never hears of a frame after a later one."""
    house = House()
    engine = AheadEngine(house, iter(()))
    house.run(["f" * 40], open_engine=lambda _model: engine)
    assert engine.ahead > 10
    assert [result.seq for result in house.fates.results] == list(range(1, 41))


ANSWERS: dict[str, Callable[[], Any]] = {
    "seen": lambda: CAT,
    "infer fails": lambda: EngineError("gone"),
    "finish fails": lambda: np.array([np.nan, 0.5], np.float32),
    "infer is a bug": lambda: RuntimeError("a bug"),
    "finish is a bug": lambda: np.zeros((1, 3), np.float32),
}
BUGS = ("infer is a bug", "finish is a bug")


@given(
    frames=st.text("fffffb", min_size=1, max_size=12),
    answers=st.lists(st.sampled_from(["seen", "seen", "seen", *ANSWERS]), max_size=12),
    aide=st.booleans(),
    lossless=st.booleans(),
)
@example(frames="ffffffff", answers=["seen"] * 3 + ["finish fails", "seen"], aide=True, lossless=True)
@example(frames="ffffffff", answers=["seen"] * 3 + ["infer fails", "seen"], aide=True, lossless=True)
@example(frames="ffffffff", answers=["seen"] * 3 + ["finish is a bug", "seen"], aide=True, lossless=True)
@example(frames="ffffffff", answers=["seen"] * 3 + ["infer is a bug", "seen"], aide=True, lossless=False)
@example(frames="ffffbfff", answers=["seen"] * 8, aide=True, lossless=True)
@example(frames="ffb", answers=["seen", "infer fails"], aide=True, lossless=True)
@settings(max_examples=40, deadline=None)
def test_whatever_fails_where_each_frame_has_one_fate_and_the_engines_thread_learns_of_it(
    frames: str, answers: list[str], *, aide: bool, lossless: bool
) -> None:
    """A failing engine is opened anew, a bug ends the run; with the aide and without it."""
    house = House(aide=aide, lossless=lossless)
    met: list[str] = []

    def script() -> Iterator[Any]:
        for answer in answers:
            met.append(answer)
            yield ANSWERS[answer]()

    answered = script()
    house.run([frames], open_engine=lambda _model: AheadEngine(house, answered))
    seqs = house.fates.seqs
    assert len(set(seqs)) == len(seqs)
    told = [result.seq for result in house.fates.results]
    assert told == sorted(told)
    if house.fault is None:
        assert seqs == list(range(1, len(frames) + 1))
        assert not set(met) & set(BUGS)
        assert "b" not in frames or not lossless
    else:
        assert not isinstance(house.fault, EngineError)
        assert set(met) & set(BUGS) or "b" in frames
    house.lane.ledger.close()
    assert min(house.books()[2].values(), default=1) > 0


@pytest.mark.parametrize("aide", [True, False])
def test_a_frame_that_cannot_be_prepared_is_booked_and_ends_the_run(*, aide: bool) -> None:
    """Cause `engine`, whoever prepares it; no frame is in flight for ever."""
    house = House(aide=aide)
    house.run(["ffffb"], open_engine=lambda _model: AheadEngine(house, iter(())))
    assert house.fault is not None
    assert not isinstance(house.fault, EngineError)
    assert (5, SkipCause.ENGINE) in house.fates.skips
    assert house.fates.seqs == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("at", [1, 5])
def test_a_stop_while_the_engine_runs_ends_it_after_what_is_at_hand(at: int) -> None:
    """The slot is closed, the frame in the engine is told of, and so is the one that was prepared."""
    house = House()

    class Stopping(AheadEngine):
        def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
            answer = super().invoke(tensor)
            if len(house.fates.results) >= at:
                house.stop_capture.set()
                house.stop.set()
                house.close_slot()
            return answer

    house.run(["f" * 1000], open_engine=cast("Callable[[str], Engine]", lambda _: Stopping(house, iter(()))))
    captured, results, skipped = house.books()
    assert results >= at
    assert set(skipped) <= {SkipCause.SHUTDOWN}
    assert house.fates.seqs == list(range(1, captured + 1))


def test_a_stop_while_the_engine_waits_ends_it() -> None:
    """No frame ever comes; `House.run` sees the threads end."""
    house = House()
    house.run([""])
    assert house.books() == (0, 0, {})

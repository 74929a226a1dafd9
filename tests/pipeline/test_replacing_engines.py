"""Engines that are tried, and that have to go, by a reload: what hangs, and what only takes its time."""

from __future__ import annotations

from threading import Event, Thread

import pytest
from house import House
from stand_ins import ScriptedEngine, until

from edgecam.errors import EngineError, WedgedError
from edgecam.inference.engine import Engine
from edgecam.pipeline import deadline, engine_crew
from edgecam.pipeline.engine_crew import EngineCrew
from edgecam.pipeline.trial import try_engine
from edgecam.pipeline.waiting import StoppingError
from edgecam.pipeline.witness import Witnesses


def test_an_engine_is_closed_again_when_it_was_tried() -> None:
    """Two of a model at once are more than a small board may hold."""
    engine = ScriptedEngine(iter(()))
    try_engine(lambda: engine, model="m")
    assert engine.closed


def test_an_engine_that_does_not_open_is_a_fault_of_the_new_configuration() -> None:
    """As the library tells it."""

    def open_engine() -> Engine:
        raise EngineError("no such operator")

    with pytest.raises(EngineError, match="no such operator"):
        try_engine(open_engine, model="m")


def test_an_engine_that_hangs_when_it_is_tried_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The main loop goes on, by the configuration that it had; should it come back, it is closed."""
    monkeypatch.setattr(deadline, "FIRST_NS", 50_000_000)
    engine, release = ScriptedEngine(iter(())), Event()

    def open_engine() -> Engine:
        release.wait()
        return engine

    with pytest.raises(EngineError, match="opening the engine of m does not come back"):
        try_engine(open_engine, model="m")
    release.set()
    until(lambda: engine.closed)


def test_a_stop_does_not_wait_for_an_engine_that_is_tried() -> None:
    """The service manager waits 15 s for a stop, and an engine may take a minute to open."""
    engine, release = ScriptedEngine(iter(())), Event()

    def open_engine() -> Engine:
        release.wait()
        return engine

    with pytest.raises(StoppingError):
        try_engine(open_engine, model="m", is_stopping=lambda: True)
    release.set()
    until(lambda: engine.closed)


def crew_of(house: House, done: Event, *, is_stopping: bool = False) -> EngineCrew:
    """Of one engine, which has to go."""
    assert house.worker is not None
    crew = EngineCrew(
        witness=Witnesses([]),
        fail=lambda _: None,
        engines_changed=lambda: None,
        is_stopping=lambda: is_stopping,
        patient=False,
    )
    crew.engines, crew._kin, crew._done = {"m": house.worker}, {"m": "kin"}, {"m": done}
    return crew


def opening_slowly() -> tuple[House, Event, Event, Thread]:
    """A house whose engine is being opened until it is let."""
    house, release, done = House(), Event(), Event()

    def open_engine(_model: str) -> Engine:
        release.wait()
        return ScriptedEngine(iter(()))

    house.worker = worker = house.engine_worker(open_engine)

    def run() -> None:
        worker.run()
        done.set()

    thread = Thread(target=run, daemon=True)
    thread.start()
    until(lambda: worker.calls.allowed_ns > 0)
    return house, release, done, thread


def test_an_engine_that_is_still_being_opened_may_take_its_time_to_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two reloads shortly after each other, on a slow board: that is no reason to end the process."""
    monkeypatch.setattr(engine_crew, "_LEAVE_S", 0.0)
    house, release, done, thread = opening_slowly()
    assert house.worker is not None
    leave = house.worker.leave

    def open_late() -> None:
        Event().wait(0.1)
        release.set()

    def leave_and_open() -> None:
        leave()
        Thread(target=open_late, daemon=True).start()

    monkeypatch.setattr(house.worker, "leave", leave_and_open)
    crew_of(house, done)._dismiss_all_but([])
    thread.join(10)
    assert done.is_set()


def test_an_engine_that_does_not_go_in_the_time_that_it_may_take_is_wedged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its tensors are its own: no other one can take its place."""
    monkeypatch.setattr(engine_crew, "_LEAVE_S", 0.0)
    monkeypatch.setattr(deadline, "FIRST_NS", 50_000_000)
    house, release, done, thread = opening_slowly()
    with pytest.raises(WedgedError, match="the engine of m hangs"):
        crew_of(house, done)._dismiss_all_but([])
    release.set()
    thread.join(10)


def test_a_stop_does_not_wait_for_an_engine_that_has_to_go() -> None:
    """It is stopped with all others then, which has deadlines of its own."""
    house, release, done, thread = opening_slowly()
    with pytest.raises(StoppingError):
        crew_of(house, done, is_stopping=True)._dismiss_all_but([])
    release.set()
    thread.join(10)

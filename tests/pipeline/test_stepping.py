"""A camera with a ladder at its engine, on a made clock: down when it is too slow, up again, and told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from itertools import groupby

import numpy as np
import pytest
from house import House
from stand_ins import CAT, MS, PICTURE, MadeClock, PacedCamera, S, TimedEngine

from edgecam import clock
from edgecam.errors import EngineError
from edgecam.inference.engine import Engine
from edgecam.pipeline.chain import Picked, Prepared
from edgecam.pipeline.engine_worker import EngineWorker
from edgecam.pipeline.lane import Rules, Rung
from edgecam.records import AgeBasis, Frame, Result, SkipCause, StageTimes, Status
from edgecam.reports import NoticeKind, NoticeLevel

LADDER = ("default", "light")
CALM_NS = 7 * S


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> MadeClock:
    """The clock of all workers."""
    made = MadeClock()
    monkeypatch.setattr(clock, "boot_ns", made.boot_ns)
    return made


class Shelf:
    """Opens timed engines, and remembers in which order."""

    def __init__(self, made: MadeClock, takes_ms: Callable[[str], float]) -> None:
        self.opened: list[str] = []
        self.broken: set[str] = set()
        self.answers: dict[str, list[object]] = {}
        self._made = made
        self._takes_ms = takes_ms

    def open(self, model: str) -> Engine:
        """An engine, or EngineError."""
        self.opened.append(model)
        if model in self.broken:
            raise EngineError(f"{model} is broken")
        return TimedEngine(self._made, lambda: self._takes_ms(model), self.answers.pop(model, []))


def loaded_until_calm(made: MadeClock) -> Callable[[str], float]:
    """300 and 10 ms at first, a tenth of it later."""
    return lambda model: (
        {"default": 300, "middle": 90, "light": 10}[model] * (1.0 if made.boot_ns() < CALM_NS else 0.1)
    )


def run(house: House, made: MadeClock, shelf: Shelf, *, frames: int) -> None:
    """So many frames at 150 ms each."""
    camera = PacedCamera([PICTURE] * frames, house.lane.ledger, made, period_ms=150)
    house.run([camera], open_engine=shelf.open)
    assert house.fates.seqs == list(range(1, frames + 1))


def house_with(*models: str) -> House:
    """A camera with that ladder and 100 ms."""
    return House(models=models, lossless=False, aide=False, budget_ns=100 * MS)


def steps(house: House) -> list[tuple[object, object]]:
    """From and to, as subscribers are told."""
    told = [notice for notice in house.ear.notices if notice.kind is NoticeKind.LADDER_STEP]
    assert all(notice.data["camera"] == "a" for notice in told)
    return [(notice.data["from"], notice.data["to"]) for notice in told]


def test_a_camera_goes_down_when_its_engine_is_too_slow_and_up_again(made: MadeClock) -> None:
    """Both steps are noticed, `info` is told anew, each result names its model; going up opens nothing."""
    house, shelf = house_with(*LADDER), Shelf(made, loaded_until_calm(made))
    run(house, made, shelf, frames=300)
    assert steps(house) == [("default", "light"), ("light", "default")]
    assert [notice.level for notice in house.ear.notices] == [NoticeLevel.WARNING, NoticeLevel.INFO]
    assert house.in_use == ["default", "light", "default"]
    assert shelf.opened == ["default", "light"]
    models = [model for model, _ in groupby(result.model for result in house.fates.results)]
    assert models == ["default", "light", "default"]
    late = [result for result in house.fates.results if result.late]
    assert {result.model for result in late} == {"default"}
    assert len(late) == 3


def test_a_lighter_model_is_not_opened_before_it_is_needed(made: MadeClock) -> None:
    """A camera that keeps its budget pays for one model."""
    house, shelf = house_with(*LADDER), Shelf(made, lambda _model: 30)
    run(house, made, shelf, frames=50)
    assert shelf.opened == ["default"]


def test_a_lighter_model_that_cannot_be_opened_is_refused_and_told(
    made: MadeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Once: the camera works on with what it has, late, and is not said to have failed."""
    house, shelf = house_with(*LADDER), Shelf(made, lambda _model: 300)
    shelf.broken.add("light")
    with caplog.at_level(logging.ERROR):
        run(house, made, shelf, frames=200)
    assert shelf.opened == ["default", "light"]
    assert [record.getMessage() for record in caplog.records] == [
        "no ladder step camera=a from=default to=light fault=light is broken"
    ]
    assert [(notice.level, notice.data) for notice in house.ear.notices] == [
        (NoticeLevel.ERROR, {"camera": "a", "from": "default", "to": "default", "refused": "light"})
    ]
    assert house.ear.statuses == [Status.OK]
    assert house.fates.results[-1].model == "default"


def test_a_rung_that_cannot_be_opened_is_passed_over(made: MadeClock) -> None:
    """The one below it may do."""
    house = house_with("default", "middle", "light")
    shelf = Shelf(made, lambda model: {"default": 300, "light": 10}[model])
    shelf.broken.add("middle")
    run(house, made, shelf, frames=100)
    assert shelf.opened == ["default", "middle", "light"]
    assert steps(house) == [("default", "default"), ("default", "light")]


def test_an_engine_that_fails_is_opened_anew_on_the_rung_that_is_in_use(made: MadeClock) -> None:
    """The heavier model is not loaded for nothing, and the camera stays where it was."""
    house, shelf = house_with(*LADDER), Shelf(made, lambda model: {"default": 300, "light": 10}[model])
    shelf.answers["light"] = [CAT, CAT, EngineError("gone")]
    run(house, made, shelf, frames=60)
    assert shelf.opened == ["default", "light", "light"]
    assert house.in_use == ["default", "light", "light"]
    assert [cause for _, cause in house.fates.skips].count(SkipCause.ENGINE) == 1
    assert house.fates.results[-1].model == "light"


def test_a_recording_that_skips_nothing_keeps_its_model(made: MadeClock) -> None:
    """It has no budget to keep: each frame is old, and none is lost for it."""
    house = House(models=LADDER, lossless=True, aide=False, budget_ns=100 * MS)
    shelf = Shelf(made, lambda _model: 300)
    run(house, made, shelf, frames=30)
    assert shelf.opened == ["default"]
    assert len(house.fates.results) == 30


def test_other_rules_leave_a_camera_on_the_rung_that_is_open(made: MadeClock) -> None:
    """The ladder may be ahead of the engine, when that failed before it could open the next model."""
    house, shelf = house_with(*LADDER), Shelf(made, lambda _model: 300)
    worker = house.engine_worker(shelf.open)
    weigh_late(house, worker, prepared_on(house.lane.rungs[0]))
    lane = house.lane
    rules = Rules(lane.policy, lane.view, lane.rungs, gate=None, smoothing_s=0, prediction_interval_ns=None)
    with ExitStack() as engines:
        worker._open_all(engines)
        worker.revise({"a": rules}, prefer_freshness=False)
        worker._take_up_revisions()
        assert worker._chain_of("a") is worker._chains["default"]
        worker._rungs.climb(lambda model: worker._chains.open(model, engines), changed=lambda: None)
        assert worker._chain_of("a") is worker._chains["light"]


def prepared_on(rung: Rung) -> Prepared:
    """A frame for the engine of a rung."""
    return Prepared(
        Picked(Frame("a", 1, PICTURE, 0, "arrival"), probe=False, glance=None),  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        rung,
        tensor=np.zeros(1),
        preprocess_ns=0,
    )


def weigh_late(house: House, worker: EngineWorker, prepared: Prepared) -> Result:
    """Three late results, which step the ladder down."""
    stages = StageTimes(0, 300 * MS, 0)
    late = Result("a", 1, 0, AgeBasis.ARRIVAL, 300 * MS, 100 * MS, (), "default", "made/cpu", stages)
    for second in range(3):
        worker._rungs.weigh(house.lane, prepared, late, now_ns=second * S, is_strained=False)
    assert [step.after for _, step in worker._rungs._steps] == [1]
    return late


def test_a_result_of_the_rung_before_says_nothing_of_the_new_one(made: MadeClock) -> None:
    """The aide may finish one more while the step waits for the engine's thread to make it."""
    house, shelf = house_with(*LADDER), Shelf(made, lambda _model: 300)
    worker = house.engine_worker(shelf.open)
    prepared = prepared_on(house.lane.rungs[0])
    late = weigh_late(house, worker, prepared)
    ladder = worker._rungs._ladders["a"]
    before = list(ladder._recent)
    worker._rungs.weigh(house.lane, prepared, late, now_ns=4 * S, is_strained=False)
    assert list(ladder._recent) == before == []

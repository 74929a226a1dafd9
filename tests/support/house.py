"""One camera, one engine and their desk in real threads, without network, for tests of the workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

from stand_ins import Ear, Fates, S, ScriptedCamera, ScriptedEngine, until

from edgecam import clock
from edgecam.capture.camera import Camera
from edgecam.config.hours import ALWAYS, Schedule
from edgecam.decision.decider import Decider
from edgecam.decision.watchlist import Threshold, Watchlist
from edgecam.inference.engine import Engine
from edgecam.model.card import Card, InputCard, OutputCard, OutputKind
from edgecam.model.model import Model
from edgecam.pipeline.capture_worker import CaptureWorker
from edgecam.pipeline.desk import Desk
from edgecam.pipeline.doorbell import Doorbell
from edgecam.pipeline.engine_worker import EngineWorker
from edgecam.pipeline.lane import Lane, Rung
from edgecam.pipeline.ledger import Ledger
from edgecam.pipeline.opening import Opening
from edgecam.pipeline.scheduler import Policy
from edgecam.pipeline.slot import LatestSlot
from edgecam.pipeline.station import Station
from edgecam.pipeline.witness import Witnesses
from edgecam.records import SkipCause
from edgecam.vision.geometry import View
from edgecam.vision.motion import GateRules, MotionGate

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


class NoWait:
    """A back-off that does not."""

    def next_s(self) -> float:
        """At once."""
        return 0.0

    def restart(self) -> None:
        """Nothing to forget."""


class House:
    """One camera, one engine, no network."""

    def __init__(
        self,
        *,
        lossless: bool = True,
        aide: bool = True,
        models: Sequence[str] = ("default",),
        budget_ns: int = 60 * S,
        gate: GateRules | None = None,
    ) -> None:
        self.aide = aide
        self.ear = Ear()
        self.fates = Fates()
        self.bell = Doorbell()
        self.stop, self.stop_capture = Event(), Event()
        self.schedule, self.local_now = ALWAYS, clock.local_now
        self.in_use: list[str] = []
        """The camera's model, each time that something changed."""
        self.fault: BaseException | None = None
        """What ended the engine's thread."""
        self.worker: EngineWorker | None = None
        """The engine's, once it runs."""
        watch = Watchlist(MODEL.labels, {}, watch={"cat": Threshold(hold_ns=0), "dog": Threshold(hold_ns=0)})
        decider = Decider(watch, smoothing_s=0, episode_prefix="run")
        self.desk = Desk("a", decider, self.ear, prediction_interval_ns=None)  # type: ignore[arg-type]
        self.lane = Lane(
            camera="a",
            policy=Policy(budget_ns, max(2 * S, budget_ns), lossless=lossless),
            view=View(),
            rungs=tuple(Rung(model, watch) for model in models),
            gate=None if gate is None else MotionGate(gate),
            slot=LatestSlot(self.bell),
            ledger=Ledger("a", start_ns=0, witness=self.fates),
            desk=self.desk,
        )

    def works(self, schedule: Schedule, local_now: Callable[[], datetime]) -> None:
        """The camera's hours, and the wall clock that they go by."""
        self.schedule, self.local_now = schedule, local_now

    @property
    def idle(self) -> bool:
        """Every frame has met its fate."""
        return self.lane.ledger.in_flight == 0

    def engine_worker(self, open_engine: Callable[[str], Engine]) -> EngineWorker:
        """The worker, not yet started."""
        worker = EngineWorker(
            Station(
                models=dict.fromkeys((rung.model for rung in self.lane.rungs), MODEL),
                open_engine=open_engine,
                lanes=[self.lane],
                bell=self.bell,
                prefer_freshness=False,
            ),
            stop=self.stop,
            engines_changed=lambda: self.in_use.append(worker.rungs["a"].model),
            witness=Witnesses(),
        )
        worker._backoff = NoWait()  # type: ignore[assignment]
        return worker

    def capture_worker(self, cameras: Iterable[str | Exception | Camera]) -> CaptureWorker:
        """The worker, not yet started; see `run`."""
        openings = iter(cameras)

        def open_camera() -> Camera:
            opening = next(openings)
            if isinstance(opening, Exception):
                raise opening
            return ScriptedCamera(opening, self.lane.ledger) if isinstance(opening, str) else opening

        return CaptureWorker(
            self.lane,
            open_camera,
            stall_s=3,
            stop=self.stop_capture,
            witness=Witnesses(),
            opening=self.opening(),
            backoff=NoWait(),  # type: ignore[arg-type]
        )

    def opening(self) -> Opening:
        """Its hours; who waits for them waits as `stop_capture` does, on a made clock."""
        opening = Opening(self.schedule, local_now=self.local_now, clock_set=lambda: True)
        opening.wait = self.stop_capture.wait  # type: ignore[assignment,method-assign]
        return opening

    def run(
        self,
        cameras: Iterable[str | Exception | Camera],
        answers: Iterable[Any] = (),
        *,
        open_engine: Callable[[str], Engine] | None = None,
    ) -> None:
        """Play the cameras' scripts, one an opening, to the end of the last; then stop.

        An exception in place of a script is what the opening raises; so is one that a worker let through.
        """
        engine_script = iter(answers)
        engine = self.engine_worker(open_engine or (lambda _model: ScriptedEngine(engine_script)))
        self.worker = engine
        threads = [Thread(target=self._guarded, args=(engine.run,), daemon=True)]
        if self.aide:
            threads.append(Thread(target=engine.assist, daemon=True))
        for thread in threads:
            thread.start()
        try:
            self.capture_worker(cameras).run()
            until(lambda: self.idle or self.fault is not None)
        finally:
            self.stop.set()
            self.close_slot()
            for thread in threads:
                thread.join(10)
        assert not any(thread.is_alive() for thread in threads)

    def _guarded(self, work: Callable[[], None]) -> None:
        """As a runner does: a worker that dies ends the run."""
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - for the test to see
            self.fault = error
            self.stop_capture.set()
            self.close_slot()

    def close_slot(self) -> None:
        """What a runner does before it joins its threads."""
        left = self.lane.slot.close()
        if left is not None:
            self.lane.ledger.skip(SkipCause.SHUTDOWN, left.seq)

    def books(self) -> tuple[int, int, dict[SkipCause, int]]:
        """Captured, results, and skipped for each cause that was; the sum is checked."""
        stats = self.lane.ledger.report(now_ns=clock.boot_ns())
        assert stats.captured == stats.results + stats.late + sum(stats.skipped.values())
        return stats.captured, stats.results, {cause: n for cause, n in stats.skipped.items() if n}

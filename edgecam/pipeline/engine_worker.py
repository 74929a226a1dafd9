"""The worker of one loaded model: choose a frame, run the chain on it, hand the result to its desk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from threading import Condition, Event

import numpy as np

from edgecam import clock
from edgecam.backoff import Backoff
from edgecam.errors import EngineError
from edgecam.inference.engine import Engine, EngineInfo
from edgecam.model.model import Model
from edgecam.pipeline.estimate import ServiceTime
from edgecam.pipeline.lane import Lane
from edgecam.pipeline.scheduler import Scheduler, Skip, Waiting
from edgecam.records import Frame, Prediction, Result, SkipCause, StageTimes
from edgecam.vision.postprocess import Postprocessor
from edgecam.vision.preprocess import Preprocessor

log = logging.getLogger(__name__)

_FIRST_RETRY_S = 1.0
_LONGEST_RETRY_S = 60.0


class EngineWorker:
    """Serves the cameras of one model; its thread owns the interpreter."""

    def __init__(
        self,
        name: str,
        model: Model,
        open_engine: Callable[[], Engine],
        lanes: Sequence[Lane],
        *,
        wake: Condition,
        stop: Event,
        engine_ready: Callable[[], None],
    ) -> None:
        """Build a worker.

        Args:
            name: the model's name in the configuration.
            model: what is run.
            open_engine: opens and tests its engine.
            lanes: the cameras that it serves.
            wake: the condition of their slots.
            stop: the signal to stop; set it, then notify `wake`.
            engine_ready: called each time an engine has passed its self-test.
        """
        self.engine_info: EngineInfo | None = None
        """What really runs; None before the first engine is ready."""
        self._name = name
        self._model = model
        self._open_engine = open_engine
        self._lanes = {lane.camera: lane for lane in lanes}
        self._wake = wake
        self._engine_ready = engine_ready
        self._stop = stop
        self._estimates = {camera: ServiceTime() for camera in self._lanes}
        policies = {lane.camera: lane.policy for lane in lanes}
        self._scheduler = Scheduler(policies, start_ns=clock.boot_ns())
        self._backoff = Backoff(first_s=_FIRST_RETRY_S, cap_s=_LONGEST_RETRY_S)

    def run(self) -> None:
        """Serve until stopped.

        Raises:
            EngineError: the engine cannot be opened at the start; later failures are retried.
        """
        while not self._stop.is_set():
            try:
                with self._open_engine() as engine:
                    self.engine_info = engine.info
                    self._engine_ready()
                    for lane in self._lanes.values():
                        lane.desk.engine_back()
                    self._serve(engine)
            except EngineError as fault:
                if self.engine_info is None:
                    raise
                log.error("engine failed model=%s fault=%s", self._name, fault)  # noqa: TRY400 - foreseen
                for lane in self._lanes.values():
                    lane.desk.engine_failed(str(fault))
                self._stop.wait(self._backoff.next_s())

    def _serve(self, engine: Engine) -> None:
        postprocess = Postprocessor(self._model.card.output, engine.output, self._model.labels)
        preprocessors = {
            lane.camera: Preprocessor(self._model.card.input, engine.input, lane.view)
            for lane in self._lanes.values()
        }
        while (picked := self._next_frame()) is not None:
            frame, probe = picked
            lane = self._lanes[frame.camera]
            try:
                result, prediction = self._run_chain(frame, engine, preprocessors[frame.camera], postprocess)
            except BaseException:
                lane.ledger.skip(SkipCause.ENGINE)
                raise
            self._estimates[frame.camera].record(result.stages.total_ns, probe=probe)
            self._backoff.restart()
            # Booked last: a recording has ended only when its last frame was decided on.
            lane.desk.classified(result, prediction)
            lane.ledger.finish(result)

    def _next_frame(self) -> tuple[Frame, bool] | None:
        """Wait for a frame that should be run, skipping those that should not; None: stop."""
        with self._wake:
            while not self._stop.is_set():
                now_ns = clock.boot_ns()
                choice = self._scheduler.choose(self._waiting(), now_ns=now_ns)
                if choice is None:
                    self._wake.wait()
                    continue
                lane = self._lanes[choice.camera]
                frame = lane.slot.take()
                if isinstance(choice, Skip):
                    lane.ledger.skip(choice.cause)
                elif frame is not None:
                    self._scheduler.ran(Waiting(frame.camera, frame.captured_ns), now_ns=now_ns)
                    return frame, choice.probe
        return None

    def _waiting(self) -> Iterator[Waiting]:
        for camera, lane in self._lanes.items():
            frame = lane.slot.peek()
            if frame is not None:
                yield Waiting(camera, frame.captured_ns, self._estimates[camera].expected_ns)

    def _run_chain(
        self, frame: Frame, engine: Engine, preprocess: Preprocessor, postprocess: Postprocessor
    ) -> tuple[Result, Prediction]:
        """Preprocess, infer, postprocess: one chain on one frame."""
        began_ns = clock.boot_ns()
        tensor = preprocess(frame.image)
        prepared_ns = clock.boot_ns()
        output = engine.invoke(tensor)
        inferred_ns = clock.boot_ns()
        prediction = postprocess(output)
        if not np.isfinite(prediction.probabilities).all():
            raise EngineError("the network's scores are not finite")
        finished_ns = clock.boot_ns()
        result = Result(
            camera=frame.camera,
            seq=frame.seq,
            captured_ns=frame.captured_ns,
            basis=frame.basis,
            finished_ns=finished_ns,
            budget_ns=self._lanes[frame.camera].policy.budget_ns,
            top=prediction.top,
            model=self._name,
            engine=engine.info.name,
            stages=StageTimes(
                preprocess_ns=prepared_ns - began_ns,
                infer_ns=inferred_ns - prepared_ns,
                postprocess_ns=finished_ns - inferred_ns,
            ),
        )
        return result, prediction

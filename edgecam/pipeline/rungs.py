"""Which model of its ladder each camera of an engine worker uses, and how it comes to another one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock

from edgecam.errors import EngineError
from edgecam.inference.isolated import Change
from edgecam.pipeline.chain import Prepared
from edgecam.pipeline.ladder import Ladder, Step
from edgecam.pipeline.lane import Lane, Rung
from edgecam.records import Result


class Rungs:
    """The rungs in use and the ladders that lead from one to another."""

    def __init__(self, lanes: Iterable[Lane], lock: Lock) -> None:
        """Args: the cameras; the lock under which a camera gets another rung."""
        self._lanes = list(lanes)
        self.in_use = {lane.camera: lane.rungs[0] for lane in self._lanes}
        """By camera."""
        self._lock = lock
        self._ladders = {
            lane.camera: Ladder(len(lane.rungs), budget_ns=lane.policy.budget_ns) for lane in self._lanes
        }
        self._steps: list[tuple[Lane, Step]] = []
        self._unsettled: deque[str] = deque()
        """Models that another engine serves, of which the ladders have not heard yet."""

    def revise(self, lane: Lane) -> None:
        """The lane follows other rules now."""
        self._ladders[lane.camera].set_budget(lane.policy.budget_ns)
        # Not the ladder's: that one may be left to be opened yet, if an engine failed in between.
        in_use = self.in_use[lane.camera].model
        self.in_use[lane.camera] = next(rung for rung in lane.rungs if rung.model == in_use)

    def engine_changed(self, model: str, change: Change, before: Change | None) -> None:
        """Another engine serves a model from now on; from any thread, and `settle` follows."""
        for lane in self._lanes:
            if self.in_use[lane.camera].model != model:
                continue
            if change.why:
                lane.desk.engine_fell_back(model, change)
            elif before is not None and before.why:
                lane.desk.engine_taken_back(model, change)
        self._unsettled.append(model)

    @property
    def is_settled(self) -> bool:
        """False: `settle` has something to do."""
        return not self._unsettled

    def settle(self) -> None:
        """Let the ladders know of engines that have changed; while nothing is weighed."""
        while self._unsettled:
            model = self._unsettled.popleft()
            for lane in self._lanes:
                for place, rung in enumerate(lane.rungs):
                    if rung.model == model:
                        self._ladders[lane.camera].forget(place)

    def weigh(
        self, lane: Lane, prepared: Prepared, result: Result, *, now_ns: int, is_strained: bool
    ) -> None:
        """Whether the camera should have another model from now on; who owns the engines will `climb`."""
        ladder = self._ladders[lane.camera]
        # The rung in use may still be the one that the ladder has left already.
        if lane.policy.lossless or prepared.rung is not lane.rungs[ladder.rung]:
            return
        stages = result.stages
        step = ladder.observe(
            stages.preprocess_ns + stages.infer_ns + stages.postprocess_ns,
            age_ns=result.finished_ns - result.captured_ns,
            bad=result.late or prepared.picked.probe,
            now_ns=now_ns,
            strained=is_strained,
        )
        if step is not None:
            self._steps.append((lane, step))

    def climb(self, open_model: Callable[[str], None], changed: Callable[[], None]) -> None:
        """Go where the ladders lead.

        Args:
            open_model: opens the engine of a model, if it is not open; raises EngineError.
            changed: called when a camera has another rung.
        """
        while self._steps:
            lane, step = self._steps.pop()
            rung: Rung = lane.rungs[step.after]
            before = lane.rungs[step.before].model
            try:
                open_model(rung.model)
            except EngineError as fault:
                self._ladders[lane.camera].refuse(step)
                lane.desk.step_refused(before=before, after=rung.model, why=str(fault))
                continue
            with self._lock:
                self.in_use[lane.camera] = rung
            lane.desk.ladder_stepped(step, before=before, after=rung.model)
            changed()

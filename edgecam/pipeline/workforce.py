"""Everybody who works on frames: who starts, who stops, and who comes and goes with a new configuration."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection, Mapping
from functools import partial
from threading import Event

from edgecam.config.hours import ALWAYS
from edgecam.config.loader import LoadedConfig
from edgecam.errors import WedgedError
from edgecam.pipeline.assembly import CameraPlan, Plan
from edgecam.pipeline.build import (
    build_capture,
    build_engine,
    build_lane,
    families,
    kinship,
    open_model,
    rules_of,
)
from edgecam.pipeline.capture_worker import CaptureWorker
from edgecam.pipeline.engine_worker import EngineWorker
from edgecam.pipeline.evidence import Evidence
from edgecam.pipeline.lane import Lane, Rules
from edgecam.pipeline.opening import Opening
from edgecam.pipeline.snapshots import Snapshots
from edgecam.pipeline.threads import Crew
from edgecam.pipeline.trial import try_engine
from edgecam.pipeline.witness import Witness
from edgecam.publish.publisher import Publisher
from edgecam.records import Reason, SkipCause

log = logging.getLogger(__name__)

# An engine finishes what it is at, however long that may take; one that then does not go is wedged.
_LEAVE_S = 20.0
# A camera that does not close is left behind, and its successor tries.
_HANDOVER_S = 15.0


class Workforce:
    """Owns the lanes and their workers; from one thread, but the maps are replaced and never changed."""

    def __init__(
        self,
        loaded: LoadedConfig,
        plan: Plan,
        publisher: Publisher,
        *,
        snapshots: Snapshots | None,
        evidence: Evidence | None,
        witness: Witness,
        fail: Callable[[BaseException], None],
        engines_changed: Callable[[], None],
    ) -> None:
        """Build everybody.

        Args:
            loaded: the configuration.
            plan: what `assemble` made of it.
            publisher: for all that is decided.
            snapshots: None: none are made.
            evidence: None: none is kept.
            witness: sees every frame pass.
            fail: told of what ended a worker.
            engines_changed: called when an engine is ready, or a camera has another model.
        """
        self._publisher = publisher
        self._evidence = evidence
        self._witness = witness
        self._engines_changed = engines_changed
        self._run_id = secrets.token_hex(4)
        self._capture_crew, self._engine_crew = Crew(fail), Crew(fail)
        self._kin: dict[str, object] = {}
        self._done: dict[str, Event] = {}
        """When a worker's threads have ended, by thread."""
        self._ended: set[str] = set()
        self.openings: Mapping[str, Opening] = {}
        """By camera."""
        self.lanes: Mapping[str, Lane] = {}
        """By camera."""
        self.engines: Mapping[str, EngineWorker] = {}
        """By the name of the first model that it serves."""
        self.captures: Mapping[str, CaptureWorker] = {}
        """By camera."""
        self._is_running = False
        self._set_up(loaded, plan, snapshots=snapshots, reopened=())

    def start(self) -> None:
        """Start all of them, from the decisions back to the cameras."""
        self._is_running = True
        for lane in self.lanes.values():
            lane.desk.open()
        self._engines_changed()
        for name in self.engines:
            self._start_engine(name)
        for camera in self.captures:
            self._start_capture(camera)

    def try_engines(self, loaded: LoadedConfig, plan: Plan) -> None:
        """Open and test the engines that `apply` would start; raises EngineError."""
        for family in families(plan.cameras):
            if kinship(loaded, plan, family) not in self._kin.values():
                for model in dict.fromkeys(camera.rungs[0].model for camera in family):
                    timeout_ms = loaded.config.models[model].timeout_ms
                    try_engine(
                        partial(open_model, loaded, plan, model),
                        model=model,
                        timeout_ns=None if timeout_ms is None else timeout_ms * 1_000_000,
                    )

    def apply(
        self,
        loaded: LoadedConfig,
        plan: Plan,
        *,
        snapshots: Snapshots | None,
        reopened: Collection[str],
    ) -> None:
        """Work by another configuration: who can stay does, and goes by the new rules from its next frame on.

        Args:
            loaded: the configuration.
            plan: what `assemble` made of it.
            snapshots: None: none are made.
            reopened: the cameras that are to be closed and opened anew.

        Raises:
            WedgedError: an engine that is to go hangs.
        """
        staying = {camera.camera for camera in plan.cameras}
        for camera, worker in self.captures.items():
            if camera in reopened or camera not in staying:
                worker.leave()
        self._dismiss_engines([kinship(loaded, plan, family) for family in families(plan.cameras)])
        for camera in self.lanes.keys() - staying:
            self._close_lane(self.lanes[camera])
        self._set_up(loaded, plan, snapshots=snapshots, reopened=reopened)
        self._engines_changed()

    @property
    def is_warm(self) -> bool:
        """True once every engine has passed its self-test."""
        return all(engine.engine_infos for engine in self.engines.values())

    @property
    def has_ended(self) -> bool:
        """True once all recordings were played, each to the fate of its last frame."""
        for camera, lane in self.lanes.items():
            played = self._done[f"capture-{camera}"].is_set()
            if camera not in self._ended and played and lane.ledger.in_flight == 0:
                self._ended.add(camera)
                if len(self._ended) < len(self.lanes):
                    lane.desk.camera_ended()
        return len(self._ended) == len(self.lanes)

    def stop(self, *, capture_s: float, engine_s: float) -> None:
        """Stop in the order of a frame's life, each step with a deadline."""
        for capture in self.captures.values():
            capture.leave()
        self._close_slots()
        self._capture_crew.join(timeout_s=capture_s)
        for engine in self.engines.values():
            engine.leave()
        # Once more: a straggler may have laid one down.
        self._close_slots()
        self._engine_crew.join(timeout_s=engine_s)
        for lane in self.lanes.values():
            lane.desk.close()
            lane.ledger.close()

    def _set_up(
        self, loaded: LoadedConfig, plan: Plan, *, snapshots: Snapshots | None, reopened: Collection[str]
    ) -> None:
        """Lanes, engines and cameras as the plan has them; who is there already stays."""
        rules = {camera.camera: rules_of(camera, loaded.config.mqtt.predictions) for camera in plan.cameras}
        before = self.lanes
        self.lanes = {
            camera: before.get(camera) or self._new_lane(camera, rules[camera], snapshots) for camera in rules
        }
        for lane in self.lanes.values():
            lane.snapshots = snapshots
        self._set_up_engines(loaded, plan, rules)
        self._ended &= rules.keys() - set(reopened)
        captures = dict[str, CaptureWorker]()
        self.openings = {camera: self.openings.get(camera) or Opening(ALWAYS) for camera in rules}
        for camera in plan.cameras:
            self.openings[camera.camera].set_schedule(camera.schedule)
            is_kept = camera.camera in before and camera.camera not in reopened
            earlier = self.captures.get(camera.camera)
            captures[camera.camera] = (
                earlier if is_kept and earlier else self._new_capture(loaded, camera, earlier)
            )
        found, self.captures = self.captures, captures
        for name, worker in captures.items():
            if self._is_running and found.get(name) is not worker:
                self._start_capture(name)

    def _set_up_engines(self, loaded: LoadedConfig, plan: Plan, rules: Mapping[str, Rules]) -> None:
        prefer_freshness = loaded.config.prefer == "freshness"
        engines, kin = dict[str, EngineWorker](), dict[str, object]()
        for family in families(plan.cameras):
            own = kinship(loaded, plan, family)
            followed = {camera.camera: rules[camera.camera] for camera in family}
            kept = next((name for name, other in self._kin.items() if other == own), None)
            if kept is not None:
                self.engines[kept].revise(followed, prefer_freshness=prefer_freshness)
                engines[kept], kin[kept] = self.engines[kept], own
                continue
            lanes = [self.lanes[camera] for camera in followed]
            for lane in lanes:
                lane.follow(rules[lane.camera])
            name = family[0].rungs[0].model
            engines[name], kin[name] = self._new_engine(loaded, plan, lanes), own
        found, self.engines, self._kin = self.engines, engines, kin
        for name, engine in engines.items():
            if self._is_running and found.get(name) is not engine:
                self._start_engine(name)

    def _new_lane(self, camera: str, rules: Rules, snapshots: Snapshots | None) -> Lane:
        lane = build_lane(
            camera,
            rules,
            self._publisher,
            run_id=self._run_id,
            witness=self._witness,
            snapshots=snapshots,
            evidence=self._evidence,
        )
        if self._is_running:
            lane.desk.open()
        return lane

    def _new_engine(self, loaded: LoadedConfig, plan: Plan, lanes: list[Lane]) -> EngineWorker:
        return build_engine(
            loaded,
            plan,
            lanes,
            engines_changed=self._engines_changed,
            witness=self._witness,
            patient=self._is_running,
        )

    def _new_capture(
        self, loaded: LoadedConfig, camera: CameraPlan, earlier: CaptureWorker | None
    ) -> CaptureWorker:
        worker = build_capture(
            loaded,
            camera,
            self.lanes[camera.camera],
            self.openings[camera.camera],
            witness=self._witness,
            patient=self._is_running,
        )
        if earlier is not None:
            worker.succeed(earlier)
        return worker

    def _start_engine(self, name: str) -> None:
        engine, thread = self.engines[name], f"engine-{name}"
        self._done[thread] = self._engine_crew.start(thread, engine.run)
        self._engine_crew.start(f"{thread}-aide", engine.assist)

    def _start_capture(self, camera: str) -> None:
        """After the worker before it has let go of the camera."""
        worker, thread = self.captures[camera], f"capture-{camera}"
        before = self._done.get(thread)

        def work() -> None:
            if before is not None and not before.wait(_HANDOVER_S):
                log.warning("camera is still held, trying all the same camera=%s", camera)
            worker.run()

        self._done[thread] = self._capture_crew.start(thread, work)

    def _dismiss_engines(self, wanted: Collection[object]) -> None:
        """Those that serve no family of now; each finishes its frame first."""
        going = [name for name in self.engines if self._kin[name] not in wanted]
        for name in going:
            self.engines[name].leave()
        for name in going:
            allowed_s = self.engines[name].calls.allowed_ns / 1e9
            if not self._done[f"engine-{name}"].wait(_LEAVE_S + allowed_s):
                raise WedgedError(f"the engine of {name} hangs and cannot be replaced: start edgecam again")

    def _close_lane(self, lane: Lane) -> None:
        """The camera is no more: its episode ends, its books are closed."""
        self._skip_what_waits(lane)
        lane.desk.close(Reason.RECONFIGURED)
        lane.ledger.close()
        log.info("camera removed camera=%s", lane.camera)

    def _close_slots(self) -> None:
        for lane in self.lanes.values():
            self._skip_what_waits(lane)

    def _skip_what_waits(self, lane: Lane) -> None:
        left = lane.slot.close()
        if left is not None:
            lane.ledger.skip(SkipCause.SHUTDOWN, left.seq)

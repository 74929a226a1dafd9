"""Everybody who works on frames: who starts, who stops, and who comes and goes with a new configuration."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection, Mapping

from edgecam.config.loader import LoadedConfig
from edgecam.pipeline.assembly import Plan
from edgecam.pipeline.build import build_lane, rules_of
from edgecam.pipeline.camera_crew import CameraCrew
from edgecam.pipeline.capture_worker import CaptureWorker
from edgecam.pipeline.engine_crew import EngineCrew
from edgecam.pipeline.engine_worker import EngineWorker
from edgecam.pipeline.evidence import Evidence
from edgecam.pipeline.lane import Lane, Rules
from edgecam.pipeline.opening import Opening
from edgecam.pipeline.snapshots import Snapshots
from edgecam.pipeline.witness import Witness
from edgecam.publish.publisher import Publisher
from edgecam.records import Reason, SkipCause

log = logging.getLogger(__name__)


class Workforce:
    """Owns the lanes and the crews at both of their ends; from one thread.

    The maps are replaced and never changed, for whoever looks.
    """

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
        is_stopping: Callable[[], bool],
        patient: bool,
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
            is_stopping: the run is to end; nothing is waited for any more.
            patient: what cannot be used at the start does not end the run, but is tried again.
        """
        self._publisher = publisher
        self._evidence = evidence
        self._witness = witness
        self._engines_changed = engines_changed
        self._run_id = secrets.token_hex(4)
        self._cameras = CameraCrew(witness=witness, fail=fail, patient=patient)
        self._engines = EngineCrew(
            witness=witness,
            fail=fail,
            engines_changed=engines_changed,
            is_stopping=is_stopping,
            patient=patient,
        )
        self._ended: set[str] = set()
        self.lanes: Mapping[str, Lane] = {}
        """By camera."""
        self._is_running = False
        self._set_up(loaded, plan, snapshots=snapshots)

    def start(self) -> None:
        """Start all of them, from the decisions back to the cameras."""
        self._is_running = True
        for lane in self.lanes.values():
            lane.desk.open()
        self._engines_changed()
        self._engines.start()
        self._cameras.start()

    def try_engines(self, loaded: LoadedConfig, plan: Plan) -> None:
        """Open and test the engines that `apply` would start; raises EngineError, StoppingError."""
        self._engines.try_new(loaded, plan)

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
            StoppingError: the run is to end.
        """
        going = self.lanes.keys() - {camera.camera for camera in plan.cameras}
        reopened = {*reopened, *self._cameras.with_other_networks(plan)}
        self._cameras.dismiss(going | set(reopened))
        self._engines.dismiss(loaded, plan)
        for camera in going:
            self._close_lane(self.lanes[camera])
        self._set_up(loaded, plan, snapshots=snapshots, reopened=reopened)
        self._engines_changed()

    @property
    def openings(self) -> Mapping[str, Opening]:
        """By camera."""
        return self._cameras.openings

    @property
    def captures(self) -> Mapping[str, CaptureWorker]:
        """By camera."""
        return self._cameras.captures

    @property
    def engines(self) -> Mapping[str, EngineWorker]:
        """By the name of the first model that each serves."""
        return self._engines.engines

    @property
    def is_up(self) -> bool:
        """True once every engine has passed its self-test, or is declared to have failed and tried again."""
        return self._engines.have_begun

    @property
    def is_settled(self) -> bool:
        """True once nothing that cannot be used can end the run any more."""
        return self.is_up and self._cameras.have_begun

    @property
    def has_ended(self) -> bool:
        """True once all recordings were played, each to the fate of its last frame."""
        for camera, lane in self.lanes.items():
            is_over = self._cameras.has_played(camera) and lane.ledger.in_flight == 0
            if camera not in self._ended and is_over:
                self._ended.add(camera)
                if len(self._ended) < len(self.lanes):
                    lane.desk.camera_ended()
        return len(self._ended) == len(self.lanes)

    def stop(self, *, capture_s: float, engine_s: float) -> None:
        """Stop in the order of a frame's life, each step with a deadline."""
        self._cameras.dismiss(self.captures)
        self._close_slots()
        self._cameras.join(timeout_s=capture_s)
        self._engines.dismiss_all()
        # Once more: a straggler may have laid one down.
        self._close_slots()
        self._engines.join(timeout_s=engine_s)
        for lane in self.lanes.values():
            lane.desk.close()
            lane.ledger.close()

    def _set_up(
        self,
        loaded: LoadedConfig,
        plan: Plan,
        *,
        snapshots: Snapshots | None,
        reopened: Collection[str] = (),
    ) -> None:
        """Lanes, engines and cameras as the plan has them; who is there already stays."""
        rules = {camera.camera: rules_of(camera, loaded.config.mqtt.predictions) for camera in plan.cameras}
        before = self.lanes
        self.lanes = {
            camera: before.get(camera) or self._new_lane(camera, rules[camera], snapshots) for camera in rules
        }
        for lane in self.lanes.values():
            lane.snapshots = snapshots
        self._engines.set_up(loaded, plan, self.lanes, rules)
        self._ended &= rules.keys() - set(reopened)
        self._cameras.set_up(loaded, plan, self.lanes, reopened=reopened)

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

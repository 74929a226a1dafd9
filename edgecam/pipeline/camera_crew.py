"""The capture workers: who starts, who goes, and who takes a camera over from whom."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from threading import Event

from edgecam.capture.camera import SensorNetwork
from edgecam.config.hours import ALWAYS
from edgecam.config.loader import LoadedConfig
from edgecam.pipeline.assembly import CameraPlan, Plan
from edgecam.pipeline.build import build_capture
from edgecam.pipeline.capture_worker import CaptureWorker
from edgecam.pipeline.lane import Lane
from edgecam.pipeline.opening import Opening
from edgecam.pipeline.threads import Crew
from edgecam.pipeline.witness import Witness

log = logging.getLogger(__name__)

# A camera that does not close is left behind, and its successor tries.
_HANDOVER_S = 15.0
_LOOK_S = 0.1


class CameraCrew:
    """Used from one thread, but the maps are replaced and never changed."""

    def __init__(self, *, witness: Witness, fail: Callable[[BaseException], None], patient: bool) -> None:
        """Args: who sees each capture; who hears what ended a worker; whether the first ones are patient."""
        self._witness = witness
        self._crew = Crew(fail)
        self._patient = patient
        self._is_running = False
        self._done: dict[str, Event] = {}
        """When a worker's thread has ended, by camera."""
        self.openings: Mapping[str, Opening] = {}
        """By camera."""
        self.captures: Mapping[str, CaptureWorker] = {}
        """By camera."""
        self._networks: Mapping[str, SensorNetwork | None] = {}
        """What their sensors run."""

    def set_up(
        self, loaded: LoadedConfig, plan: Plan, lanes: Mapping[str, Lane], *, reopened: Collection[str] = ()
    ) -> None:
        """Cameras as the plan has them; who is there already stays, unless it is to be reopened."""
        found, captures = self.captures, dict[str, CaptureWorker]()
        self.openings = {
            camera.camera: self.openings.get(camera.camera) or Opening(ALWAYS) for camera in plan.cameras
        }
        for camera in plan.cameras:
            name, earlier = camera.camera, found.get(camera.camera)
            self.openings[name].set_schedule(camera.schedule)
            if earlier is None or name in reopened:
                captures[name] = self._new(loaded, camera, lanes[name], earlier)
            else:
                captures[name] = earlier
        self.captures = captures
        self._networks = {camera.camera: camera.network for camera in plan.cameras}
        for name, worker in captures.items():
            if self._is_running and found.get(name) is not worker:
                self._start(name)

    def with_other_networks(self, plan: Plan) -> set[str]:
        """The cameras whose sensor is to run something else, or nothing any more."""
        return {
            camera.camera
            for camera in plan.cameras
            if camera.camera in self.captures and camera.network != self._networks.get(camera.camera)
        }

    def start(self) -> None:
        """Start those that are set up, and from now on whoever comes."""
        self._is_running = True
        for camera in self.captures:
            self._start(camera)

    def dismiss(self, cameras: Collection[str]) -> None:
        """Let these leave soon; nobody is waited for."""
        for camera in cameras:
            self.captures[camera].leave()

    def join(self, *, timeout_s: float) -> None:
        """Wait for whoever was dismissed."""
        self._crew.join(timeout_s=timeout_s)

    def has_played(self, camera: str) -> bool:
        """True once its worker has ended: its recording was played."""
        return self._done[camera].is_set()

    @property
    def have_begun(self) -> bool:
        """True once no camera can end the run any more because its source cannot be used."""
        return all(worker.has_begun for worker in self.captures.values())

    def _new(
        self, loaded: LoadedConfig, camera: CameraPlan, lane: Lane, earlier: CaptureWorker | None
    ) -> CaptureWorker:
        worker = build_capture(
            loaded,
            camera,
            lane,
            self.openings[camera.camera],
            witness=self._witness,
            patient=self._is_running or self._patient,
        )
        if earlier is not None:
            worker.succeed(earlier)
        return worker

    def _start(self, camera: str) -> None:
        """After the worker before it has let go of the camera."""
        worker, before = self.captures[camera], self._done.get(camera)

        def work() -> None:
            if before is not None and not _wait(before, worker):
                log.warning("camera is still held, trying all the same camera=%s", camera)
            worker.run()

        self._done[camera] = self._crew.start(f"capture-{camera}", work)


def _wait(before: Event, worker: CaptureWorker) -> bool:
    """False: who was before holds the camera still; whoever is told to leave meanwhile need not know."""
    looks = range(round(_HANDOVER_S / _LOOK_S))
    return any(before.wait(_LOOK_S) or worker.is_leaving for _ in looks)

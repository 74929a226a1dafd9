"""Starts the workers and stops them: the only place that makes the frame path's threads."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

import cv2

from edgecam.config.certificates import read_tls
from edgecam.config.loader import LoadedConfig
from edgecam.config.schema import SnapshotsConfig
from edgecam.pipeline.announcing import home_assistant_announcements
from edgecam.pipeline.assembly import Plan
from edgecam.pipeline.build import build_workers
from edgecam.pipeline.remote import Remote
from edgecam.pipeline.reporting import Reporter
from edgecam.pipeline.snapshots import Snapshots
from edgecam.pipeline.threads import Crew
from edgecam.pipeline.uplink import Uplink
from edgecam.pipeline.witness import Witness, Witnesses
from edgecam.publish.commands import Command
from edgecam.records import SkipCause
from edgecam.reports import CameraStats

log = logging.getLogger(__name__)

# Together within the 10 s that a stop may take.
_CAPTURE_STOP_S = 2.5
_ENGINE_STOP_S = 1.5
_SNAPSHOTS_STOP_S = 0.5
_PUBLISH_STOP_S = 4.2
_LOOK_S = 0.1
_SWITCH_INTERVAL_S = 0.0005


class Runner:
    """One run of edgecam: `start`, `wait`, `stop`, in this order, from one thread."""

    def __init__(
        self,
        loaded: LoadedConfig,
        plan: Plan,
        *,
        device: str,
        password: str | None,
        outbox: Path | None = None,
        witnesses: Sequence[Witness] = (),
    ) -> None:
        """Build everything.

        Args:
            loaded: the configuration.
            plan: what `assemble` made of it.
            device: this box in topics.
            password: for the broker.
            outbox: the file in which events outlive this run; None: they end with it.
            witnesses: see every frame pass.
        """
        self._over = Event()
        self._stop_requested = False
        self._failure: BaseException | None = None
        self.stop_capture, self.stop_engines = Event(), Event()
        self._capture_crew, self._engine_crew = Crew(self._fail), Crew(self._fail)
        self._snapshot_crew = Crew(self._fail)
        witness = Witnesses(witnesses)
        announced = loaded.config.mqtt.home_assistant.enabled
        self._uplink = Uplink(
            loaded.config.mqtt,
            device=device,
            password=password,
            tls=read_tls(loaded.config.mqtt, loaded.folder),
            heartbeat=self._heartbeat,
            fail=self._fail,
            announcements=home_assistant_announcements(loaded.config, device=device) if announced else None,
            cameras=[camera.camera for camera in plan.cameras],
            outbox=outbox,
            witness=witness if witnesses else None,
        )
        self._reporter = Reporter(plan, self._uplink.publisher)
        mqtt = loaded.config.mqtt
        self._snapshots = _snapshots(plan, self._uplink, mqtt.snapshots) if mqtt.snapshots.enabled else None
        self._workers = build_workers(
            loaded, plan, self._uplink.publisher, self, witness, snapshots=self._snapshots
        )
        self._remote = Remote(
            self._uplink.topics,
            self._uplink.publisher,
            allowed=[Command(word) for word in mqtt.commands],
            openings={camera: worker.opening for camera, worker in self._workers.captures.items()},
            switches=self._uplink.store,
            snapshots=self._snapshots,
        )
        for topic_filter in self._remote.filters:
            self._uplink.listen(topic_filter, self._remote.hear)
        self._played: dict[str, Event] = {}
        self._ended: set[str] = set()

    def start(self) -> None:
        """Start from the network back to the cameras, so that nobody hands on into the void.

        Raises:
            BrokerError: the embedded broker cannot be started.
        """
        # The engine has its own threads; OpenCV's would only take the cores from it.
        cv2.setNumThreads(1)
        # A thread that comes back from the network's kernels waits so long for one that runs Python.
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        # What was loaded stays: the garbage collector need not walk through it while frames wait.
        gc.collect()
        gc.freeze()
        self._uplink.start()
        self._remote.open()
        if self._snapshots is not None:
            self._snapshot_crew.start("snapshots", self._snapshots.run)
        for lane in self._workers.lanes.values():
            lane.desk.open()
        self.engines_changed()
        for name, engine in self._workers.engines.items():
            self._engine_crew.start(f"engine-{name}", engine.run)
            self._engine_crew.start(f"engine-{name}-aide", engine.assist)
        for camera, worker in self._workers.captures.items():
            self._played[camera] = self._capture_crew.start(f"capture-{camera}", worker.run)

    def wait(self, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Until `request_stop`, or until all recordings have been played; `meanwhile` is called now and then.

        Raises:
            BaseException: whatever ended a worker.
        """
        while not self._over.wait(_LOOK_S) and not self._stop_requested:
            meanwhile()
            self._uplink.tend()
            self._look_for_ended_recordings()
            if len(self._ended) == len(self._workers.lanes):
                break
        if self._failure is not None:
            raise self._failure

    def request_stop(self) -> None:
        """End `wait` soon; for signal handlers, which may interrupt `wait` while it holds a lock."""
        self._stop_requested = True

    def stop(self) -> None:
        """Stop in the order of a frame's life, each step with a deadline."""
        log.info("stopping")
        gc.unfreeze()
        self.stop_capture.set()
        for worker in self._workers.captures.values():
            worker.opening.wake()
        self._close_slots()
        self._capture_crew.join(timeout_s=_CAPTURE_STOP_S)
        self.stop_engines.set()
        # Once more: it wakes an engine that waits for a frame.
        self._close_slots()
        self._engine_crew.join(timeout_s=_ENGINE_STOP_S)
        for lane in self._workers.lanes.values():
            lane.desk.close()
            lane.ledger.close()
        if self._snapshots is not None:
            self._snapshots.close()
            self._snapshot_crew.join(timeout_s=_SNAPSHOTS_STOP_S)
        cameras = self._reporter.tell_stats(self._workers.lanes)
        self._uplink.stop(timeout_s=_PUBLISH_STOP_S)
        for name, books in cameras.items():
            _log_books(name, books)

    def _close_slots(self) -> None:
        for lane in self._workers.lanes.values():
            left = lane.slot.close()
            if left is not None:
                lane.ledger.skip(SkipCause.SHUTDOWN, left.seq)

    def _look_for_ended_recordings(self) -> None:
        """A recording has ended once its last frame has met its fate."""
        for camera, played in self._played.items():
            lane = self._workers.lanes[camera]
            if camera not in self._ended and played.is_set() and lane.ledger.in_flight == 0:
                self._ended.add(camera)
                if len(self._ended) < len(self._workers.lanes):
                    lane.desk.camera_ended()

    def _fail(self, error: BaseException) -> None:
        """A worker died of this; the first one counts."""
        if self._failure is None:
            self._failure = error
        self._over.set()

    def _heartbeat(self) -> None:
        """Called by the publish worker."""
        for lane in self._workers.lanes.values():
            lane.desk.heartbeat()
        self._reporter.tell_stats(self._workers.lanes)

    def engines_changed(self) -> None:
        """An engine has become ready, or a camera has another model: called by the engine workers."""
        self._reporter.tell_info(self._workers.engines)


def _snapshots(plan: Plan, uplink: Uplink, config: SnapshotsConfig) -> Snapshots:
    views = {camera.camera: camera.view for camera in plan.cameras}
    return Snapshots(uplink.publisher, views, keep_s=config.keep_s)


def _log_books(camera: str, books: CameraStats) -> None:
    """Every captured frame's fate, as the last word."""
    skipped = " ".join(f"{cause}={count}" for cause, count in books.skipped.items() if count)
    log.info(
        "frames camera=%s captured=%d results=%d late=%d skipped: %s",
        camera, books.captured, books.results, books.late, skipped or "none",
    )  # fmt: skip

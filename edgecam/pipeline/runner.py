"""One run: starts the network and the workers, lets them go by another configuration, stops them."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from threading import Event

import cv2

from edgecam.config.certificates import read_tls
from edgecam.config.changes import Change, Effect
from edgecam.config.loader import LoadedConfig
from edgecam.pipeline.assembly import Plan
from edgecam.pipeline.condition import Condition, condition_of, signs_of
from edgecam.pipeline.engine_worker import EngineWorker
from edgecam.pipeline.extras import Extras, announcements
from edgecam.pipeline.remote import Remote
from edgecam.pipeline.reporting import Reporter
from edgecam.pipeline.uplink import Uplink
from edgecam.pipeline.vitality import Signs
from edgecam.pipeline.wedges import look_for_wedges, tell_of_wedges
from edgecam.pipeline.witness import Witness, Witnesses
from edgecam.pipeline.workforce import Workforce
from edgecam.publish.commands import Command, Reply
from edgecam.publish.publisher import Publisher
from edgecam.publish.topics import Topics
from edgecam.reports import CameraStats, Notice, Reading

log = logging.getLogger(__name__)

# Together, with those of the extras, within the 10 s that a stop may take.
_CAPTURE_STOP_S = 2.5
_ENGINE_STOP_S = 1.5
_PUBLISH_STOP_S = 3.7
# What it has to say is no answer to anybody: without it the broker's will says enough.
_ABANDON_S = 1.5
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
        instance: str = "",
        outbox: Path | None = None,
        history: Path | None = None,
        witnesses: Sequence[Witness] = (),
        reload: Callable[[Reply], None] | None = None,
        patient: bool = False,
    ) -> None:
        """Build everything.

        Args:
            loaded: the configuration.
            plan: what `assemble` made of it.
            device: this box in topics.
            password: for the broker.
            instance: tells several edgecams of one device apart.
            outbox: the file in which events outlive this run; None: they end with it.
            history: the folder of the evidence; None: none is kept, whatever the configuration says.
            witnesses: see every frame pass.
            reload: told that somebody afar wants the configuration read anew; None: that cannot be.
            patient: what cannot be used at the start does not end the run, but is tried again.
        """
        self._over = Event()
        self._stop_requested = False
        self._failure: BaseException | None = None
        self._device, self._password = device, password
        self._extras = Extras(
            loaded.config, history, tell=self.tell, read=self.read, engines=self._engines, fail=self._fail
        )
        evidence, metering = self._extras.evidence, self._extras.metering
        witness = Witnesses([*witnesses, *([metering] if metering else [])])
        self._uplink = Uplink(
            loaded.config.mqtt,
            device=device,
            password=password,
            tls=read_tls(loaded.config.mqtt, loaded.folder),
            heartbeat=self._heartbeat,
            fail=self._fail,
            announcements=announcements(loaded.config, device),
            cameras=[camera.camera for camera in plan.cameras],
            outbox=outbox,
            witness=witness if witnesses else None,
            instance=instance,
            decided=evidence.decided if evidence else None,
        )
        self._reporter = Reporter(
            plan,
            self._uplink.publisher,
            board=self._extras.board.stats,
            history=evidence.stats if evidence else None,
        )
        mqtt = loaded.config.mqtt
        snapshots = self._extras.make_snapshots(mqtt.snapshots, plan, self._uplink.publisher)
        self._workers = Workforce(
            loaded,
            plan,
            self._uplink.publisher,
            snapshots=snapshots,
            evidence=evidence,
            witness=witness,
            fail=self._fail,
            engines_changed=self.engines_changed,
            is_stopping=lambda: self._stop_requested,
            patient=patient,
        )
        self._remote = Remote(
            self._uplink.topics,
            self._uplink.publisher,
            allowed=[Command(word) for word in mqtt.commands],
            openings=self._workers.openings,
            switches=self._uplink.store,
            snapshots=snapshots,
            reload=reload,
        )
        for topic_filter in self._remote.filters:
            self._uplink.listen(topic_filter, self._remote.hear)

    def start(self) -> None:
        """Start from the network back to the cameras, so that nobody hands on into the void."""
        # The engine has its own threads; OpenCV's would only take the cores from it.
        cv2.setNumThreads(1)
        # A thread that comes back from the network's kernels waits so long for one that runs Python.
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        # What was loaded stays: the garbage collector need not walk through it while frames wait.
        gc.collect()
        gc.freeze()
        self._uplink.start()
        self._remote.open()
        self._extras.start()
        self._workers.start()

    def wait(self, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Until `request_stop`, or until all recordings have been played; `meanwhile` is called now and then.

        Raises:
            BaseException: whatever ended a worker.
            WedgedError: something hangs beyond repair.
        """
        while not self._over.wait(_LOOK_S) and not self._stop_requested:
            meanwhile()
            self._uplink.tend()
            look_for_wedges(self._workers.engines, self._workers.captures, self._workers.lanes)
            if self._workers.has_ended:
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
        self._extras.stop_watching()
        self._workers.stop(capture_s=_CAPTURE_STOP_S, engine_s=_ENGINE_STOP_S)
        self._extras.stop_keeping()
        cameras = self._reporter.tell_stats(self._workers.lanes)
        self._uplink.stop(timeout_s=_PUBLISH_STOP_S)
        for name, books in cameras.items():
            _log_books(name, books)

    def abandon(self) -> None:
        """In the place of `stop`, where something hangs: the last words, for which nothing is waited long."""
        tell_of_wedges(self._workers.engines)
        self._uplink.say_goodbye(timeout_s=_ABANDON_S)

    @property
    def is_up(self) -> bool:
        """True once every engine has passed its self-test, or is declared to have failed and tried again."""
        return self._workers.is_up

    @property
    def is_settled(self) -> bool:
        """True once nothing that cannot be used can end the run any more."""
        return self._workers.is_settled

    @property
    def publisher(self) -> Publisher:
        """For notices and answers."""
        return self._uplink.publisher

    def apply(
        self,
        loaded: LoadedConfig,
        plan: Plan,
        *,
        device: str,
        password: str | None,
        found: Collection[Change],
        applied: Callable[[], None],
    ) -> None:
        """Go on by another configuration; from the thread that waits.

        Args:
            loaded: the configuration.
            plan: what `assemble` made of it.
            device: this box in topics.
            password: for the broker.
            found: what differs from the one before.
            applied: called when it is done, but for a new session with the broker.

        Raises:
            ConfigError: a certificate cannot be used; nothing was changed.
            EngineError: an engine cannot be opened; nothing was changed.
            WedgedError: an engine that is to be replaced hangs.
            StoppingError: the run is to end, with the one or the other.
        """
        tls = read_tls(loaded.config.mqtt, loaded.folder)
        self._workers.try_engines(loaded, plan)
        mqtt = loaded.config.mqtt
        self._extras.revise_snapshots(mqtt.snapshots, plan, self._uplink.publisher)
        snapshots = self._extras.snapshots
        reopened = {
            change.keys[1]
            for change in found
            if change.effect is Effect.CAMERA and change.keys[1] in self._workers.lanes
        }
        self._reporter.revise(plan)
        self._workers.apply(loaded, plan, snapshots=snapshots, reopened=reopened)
        self._remote.revise(
            Topics(mqtt.base, device),
            allowed=[Command(word) for word in mqtt.commands],
            openings=self._workers.openings,
            snapshots=snapshots,
        )
        applied()
        cameras = [camera.camera for camera in plan.cameras]
        told = announcements(loaded.config, device)
        if password == self._password and all(change.effect is not Effect.LINK for change in found):
            self._uplink.revise(mqtt, cameras=cameras, announcements=told)
        else:
            self._uplink.remake(
                mqtt,
                device=device,
                password=password,
                tls=tls,
                cameras=cameras,
                announcements=told,
                handlers=dict.fromkeys(self._remote.filters, self._remote.hear),
            )
            for lane in self._workers.lanes.values():
                lane.desk.heartbeat()
        self._password = password
        self._remote.open()
        self.engines_changed()

    def read(self) -> Reading:
        """How all of it is now; for any thread, once all is built."""
        workers, uplink = self._workers, self._uplink
        return self._reporter.read(workers.lanes, workers.engines, uplink.status, publish_turns=uplink.turns)

    def condition(self) -> Condition:
        """How it does, in counts."""
        return condition_of(self._workers, self._uplink)

    def signs(self) -> Signs:
        """What shows whether frames are finishing."""
        return signs_of(self._workers, self._uplink)

    def tell(self, notice: Notice) -> None:
        """Publish a notice; for any thread, once all is built."""
        self._uplink.publisher.notice(notice)

    def _engines(self) -> Collection[EngineWorker]:
        """Those of now."""
        return self._workers.engines.values()

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


def _log_books(camera: str, books: CameraStats) -> None:
    """Every captured frame's fate, as the last word."""
    skipped = ",".join(f"{cause}:{count}" for cause, count in books.skipped.items() if count)
    log.info(
        "frames camera=%s captured=%d results=%d late=%d skipped=%s",
        camera, books.captured, books.results, books.late, skipped or "none",
    )  # fmt: skip

"""What a run has beside its frame path: the board's watch, and what only its configuration asks for.

Each has a thread of its own, and none of them makes a frame wait.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from edgecam.config.schema import Config, SnapshotsConfig
from edgecam.pipeline.announcing import home_assistant_announcements
from edgecam.pipeline.assembly import Plan
from edgecam.pipeline.board_watch import BoardWatch
from edgecam.pipeline.engine_worker import EngineWorker
from edgecam.pipeline.evidence import Evidence
from edgecam.pipeline.snapshots import Snapshots
from edgecam.pipeline.threads import Crew
from edgecam.publish.messages import Payload
from edgecam.publish.publisher import Publisher
from edgecam.reports import Notice, Reading

if TYPE_CHECKING:
    from edgecam.pipeline.metering import Metering

_SNAPSHOTS_STOP_S = 0.5
_HISTORY_STOP_S = 0.5
_METRICS_STOP_S = 0.2


class Extras:
    """Board's watch, metrics, evidence and snapshots; started and stopped around the workers.

    Args:
        config: says which there are.
        history: the folder of the evidence; None: none is kept, whatever the configuration says.
        tell: publishes a notice; called once they are started.
        read: how the run is now, for metrics; likewise.
        engines: those of now, for the board's watch.
        fail: told of an exception that ends one of their threads.
    """

    def __init__(
        self,
        config: Config,
        history: Path | None,
        *,
        tell: Callable[[Notice], None],
        read: Callable[[], Reading],
        engines: Callable[[], Collection[EngineWorker]],
        fail: Callable[[BaseException], None],
    ) -> None:
        self.board = BoardWatch(tell, engines)
        self.metering = _metering(config, read, tell)
        """Metrics for Prometheus; None: there are none."""
        keeps = history is not None and config.history.enabled
        self.evidence = Evidence(history, config.history, tell) if history is not None and keeps else None
        """Events and their pictures, kept in files; None: none are."""
        self.snapshots: Snapshots | None = None
        """Pictures for subscribers; None: there are none."""
        self._board_crew, self._metrics_crew = Crew(fail), Crew(fail)
        self._evidence_crew, self._snapshot_crew = Crew(fail), Crew(fail)

    def make_snapshots(self, config: SnapshotsConfig, plan: Plan, publisher: Publisher) -> Snapshots | None:
        """Snapshots, if they are asked for; they are not started."""
        if config.enabled:
            views = {camera.camera: camera.view for camera in plan.cameras}
            self.snapshots = Snapshots(publisher, views, keep_s=config.keep_s)
        return self.snapshots

    def revise_snapshots(self, config: SnapshotsConfig, plan: Plan, publisher: Publisher) -> None:
        """Let them go by another configuration, which may begin or end them."""
        if self.snapshots is not None and config.enabled:
            views = {camera.camera: camera.view for camera in plan.cameras}
            self.snapshots.revise(views, keep_s=config.keep_s)
        elif self.snapshots is not None:
            # Its thread takes back what is shown, and ends.
            self.snapshots.close()
            self.snapshots = None
        elif self.make_snapshots(config, plan, publisher) is not None:
            self._start_snapshots()

    def start(self) -> None:
        """Before the workers: all that these hand things to."""
        self._start_snapshots()
        if self.evidence is not None:
            self._evidence_crew.start("history", self.evidence.run)
        if self.metering is not None:
            self._metrics_crew.start("metrics", self.metering.run)
        self._board_crew.start("board", self.board.run)

    def stop_watching(self) -> None:
        """Before the workers stop: those who look at them."""
        self.board.close()
        if self.metering is not None:
            self.metering.close()
            self._metrics_crew.join(timeout_s=_METRICS_STOP_S)

    def stop_keeping(self) -> None:
        """After the workers have stopped: those whom they hand things to."""
        if self.snapshots is not None:
            self.snapshots.close()
            self._snapshot_crew.join(timeout_s=_SNAPSHOTS_STOP_S)
        if self.evidence is not None:
            self.evidence.close()
            self._evidence_crew.join(timeout_s=_HISTORY_STOP_S)

    def _start_snapshots(self) -> None:
        if self.snapshots is not None:
            self._snapshot_crew.start("snapshots", self.snapshots.run)


def announcements(config: Config, device: str) -> dict[str, Payload] | None:
    """For Home Assistant; None: it is not told of us."""
    return home_assistant_announcements(config, device=device) if config.mqtt.home_assistant.enabled else None


def _metering(config: Config, read: Callable[[], Reading], tell: Callable[[Notice], None]) -> Metering | None:
    if not config.metrics.enabled:
        return None
    # It loads Prometheus' library.
    from edgecam.pipeline.metering import Metering

    return Metering(config.metrics, read, tell)

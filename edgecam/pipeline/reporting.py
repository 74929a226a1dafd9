"""What a run tells of itself: `info` and `stats`."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from threading import Lock

import cv2
import numpy as np

import edgecam
from edgecam import clock
from edgecam.inference.engine import EngineInfo
from edgecam.inference.isolated import Change
from edgecam.model.model import Model
from edgecam.pipeline.assembly import Plan
from edgecam.pipeline.engine_worker import EngineWorker
from edgecam.pipeline.lane import Lane
from edgecam.publish.publisher import Publisher
from edgecam.publish.wire import LinkStatus
from edgecam.reports import (
    BoardStats,
    CameraInfo,
    CameraReading,
    CameraStats,
    HistoryStats,
    Info,
    LinkReading,
    ModelInfo,
    Reading,
    Stats,
)


class Reporter:
    """Gathers what the workers know and hands it to the publisher."""

    def __init__(
        self,
        plan: Plan,
        publisher: Publisher,
        *,
        board: Callable[[], BoardStats],
        history: Callable[[], HistoryStats] | None,
    ) -> None:
        """Args: what runs, who publishes it, how board and evidence do; the uptime begins now."""
        self._plan = plan
        self._board = board
        self._history = history
        self._publisher = publisher
        self._started_ns = clock.boot_ns()
        self._telling = Lock()
        """An older `info` must not overtake a newer one: several engines may tell at once."""

    def revise(self, plan: Plan) -> None:
        """This is what runs from now on."""
        self._plan = plan

    def tell_stats(self, lanes: Mapping[str, Lane]) -> dict[str, CameraStats]:
        """Publish how well it runs; the books of each camera."""
        now_ns = clock.boot_ns()
        cameras = {name: lane.ledger.report(now_ns=now_ns) for name, lane in lanes.items()}
        uptime_s = (now_ns - self._started_ns) / 1e9
        history = self._read_history()
        self._publisher.stats(Stats(uptime_s=uptime_s, cameras=cameras, board=self._board(), history=history))
        return cameras

    def tell_info(self, engines: Mapping[str, EngineWorker]) -> None:
        """Publish what runs here; a model appears once its engine is ready."""
        with self._telling:
            self._publisher.info(self._info(engines))

    def read(
        self,
        lanes: Mapping[str, Lane],
        engines: Mapping[str, EngineWorker],
        link: LinkStatus,
        *,
        publish_turns: int,
    ) -> Reading:
        """How all of it is at this moment; publishes nothing, and begins no new window of `stats`."""
        cameras = {
            name: CameraReading(status=lane.desk.status, counts=lane.ledger.counts())
            for name, lane in list(lanes.items())
        }
        return Reading(
            uptime_s=(clock.boot_ns() - self._started_ns) / 1e9,
            info=self._info(engines),
            cameras=cameras,
            mqtt=self._publisher.mqtt_stats(),
            link=LinkReading(encrypted=link.encrypted, connected_s=link.connected_s, failure=link.failure),
            board=self._board(),
            history=self._read_history(),
            publish_turns=publish_turns,
        )

    def _read_history(self) -> HistoryStats | None:
        return None if self._history is None else self._history()

    def _info(self, engines: Mapping[str, EngineWorker]) -> Info:
        # While the configuration changes, engines may have what the plan has not, and the reverse.
        plan = self._plan
        models = {
            name: _model_info(plan.models[name], engine, worker.changes.get(name))
            for worker in engines.values()
            for name, engine in list(worker.engine_infos.items())
            if name in plan.models
        }
        in_use = {camera: rung.model for worker in engines.values() for camera, rung in worker.rungs.items()}
        cameras = {
            camera.camera: CameraInfo(
                source=camera.source.shown,
                model=in_use[camera.camera],
                ladder=tuple(rung.model for rung in camera.rungs),
                budget_ms=camera.policy.budget_ns // 1_000_000,
            )
            for camera in plan.cameras
            if camera.camera in in_use
        }
        versions = {
            "edgecam": edgecam.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
        }
        return Info(versions=versions, models=models, cameras=cameras)


def _model_info(model: Model, engine: EngineInfo, change: Change | None) -> ModelInfo:
    return ModelInfo(
        name=model.name,
        sha256=model.sha256,
        classes=len(model.labels),
        runtime=engine.runtime,
        runtime_version=engine.version,
        delegate=engine.delegate,
        threads=engine.threads,
        fallback=(change.why or None) if change else None,
        delegated=change.delegated if change else None,
        operators=change.operators if change else None,
    )

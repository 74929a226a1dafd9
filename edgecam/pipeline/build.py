"""Builds the workers of a run and what they share; starts nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Condition, Event

from edgecam import clock
from edgecam.capture.camera import CameraSettings, open_camera
from edgecam.config.loader import LoadedConfig
from edgecam.config.schema import CameraConfig
from edgecam.decision.decider import Decider
from edgecam.inference.engine import open_engine
from edgecam.pipeline.assembly import CameraPlan, Plan
from edgecam.pipeline.capture_worker import CaptureWorker
from edgecam.pipeline.desk import Desk
from edgecam.pipeline.engine_worker import EngineWorker
from edgecam.pipeline.lane import Lane
from edgecam.pipeline.ledger import Ledger
from edgecam.pipeline.slot import LatestSlot
from edgecam.publish.publisher import Publisher


@dataclass(frozen=True, slots=True)
class Workers:
    """Everybody who works on frames."""

    lanes: Mapping[str, Lane]
    """By camera."""
    engines: Mapping[str, EngineWorker]
    """By the model's name in the configuration."""
    captures: Mapping[str, CaptureWorker]
    """By camera."""


def build_workers(
    loaded: LoadedConfig,
    plan: Plan,
    publisher: Publisher,
    *,
    stop_capture: Event,
    stop_engines: Event,
    engine_ready: Callable[[], None],
) -> Workers:
    """One engine worker per model, one capture worker and one lane per camera."""
    run_id = secrets.token_hex(4)
    lanes: dict[str, Lane] = {}
    engines: dict[str, EngineWorker] = {}
    for name, model in plan.models.items():
        wake = Condition()
        served = {
            camera.camera: _lane(loaded, camera, publisher, wake=wake, run_id=run_id)
            for camera in plan.cameras
            if camera.model == name
        }
        threads = loaded.config.models[name].threads
        engines[name] = EngineWorker(
            name,
            model,
            partial(open_engine, model, threads=None if threads == "auto" else threads),
            list(served.values()),
            wake=wake,
            stop=stop_engines,
            engine_ready=engine_ready,
        )
        lanes |= served
    captures = {
        camera.camera: _capture_worker(camera, lanes[camera.camera], folder=loaded.folder, stop=stop_capture)
        for camera in plan.cameras
    }
    return Workers(lanes=lanes, engines=engines, captures=captures)


def camera_settings(config: CameraConfig, *, folder: Path) -> CameraSettings:
    """What the configuration asks of a camera."""
    return CameraSettings(
        size_px=config.size,
        fps=config.fps,
        paced=config.playback == "camera",
        loop=config.loop,
        controls=config.controls,
        folder=folder,
    )


def _capture_worker(plan: CameraPlan, lane: Lane, *, folder: Path, stop: Event) -> CaptureWorker:
    settings = camera_settings(plan.config, folder=folder)
    return CaptureWorker(
        lane, partial(open_camera, plan.source, settings), stall_s=settings.stall_s, stop=stop
    )


def _lane(
    loaded: LoadedConfig, plan: CameraPlan, publisher: Publisher, *, wake: Condition, run_id: str
) -> Lane:
    predictions = loaded.config.mqtt.predictions
    decider = Decider(
        plan.watchlist,
        smoothing_s=plan.config.smoothing_s,
        episode_prefix=f"{run_id}-{plan.camera}",
    )
    interval_ns = int(1e9 / predictions.max_hz) if predictions.enabled else None
    return Lane(
        camera=plan.camera,
        policy=plan.policy,
        view=plan.view,
        slot=LatestSlot(wake),
        ledger=Ledger(start_ns=clock.boot_ns()),
        desk=Desk(plan.camera, decider, publisher, prediction_interval_ns=interval_ns),
    )

"""Builds the workers of a run and what they share; starts nothing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Protocol

from edgecam import clock
from edgecam.capture.camera import CameraSettings, open_camera
from edgecam.config.loader import LoadedConfig
from edgecam.config.schema import CameraConfig
from edgecam.decision.decider import Decider
from edgecam.inference.engine import Engine, open_engine
from edgecam.pipeline.assembly import CameraPlan, Plan
from edgecam.pipeline.capture_worker import CaptureWorker
from edgecam.pipeline.desk import Desk
from edgecam.pipeline.doorbell import Doorbell
from edgecam.pipeline.engine_worker import EngineWorker, Station
from edgecam.pipeline.lane import Lane
from edgecam.pipeline.ledger import Ledger
from edgecam.pipeline.opening import Opening
from edgecam.pipeline.slot import LatestSlot
from edgecam.pipeline.snapshots import Snapshots
from edgecam.pipeline.witness import Witness
from edgecam.publish.publisher import Publisher
from edgecam.vision.motion import MotionGate


@dataclass(frozen=True, slots=True)
class Workers:
    """Everybody who works on frames."""

    lanes: Mapping[str, Lane]
    """By camera."""
    engines: Mapping[str, EngineWorker]
    """By the name of the first model that it serves."""
    captures: Mapping[str, CaptureWorker]
    """By camera."""


class Signals(Protocol):
    """How the workers hear of the end, and tell of what is new."""

    stop_capture: Event
    stop_engines: Event

    def engines_changed(self) -> None:
        """An engine is ready, or a camera has another model."""


def build_workers(
    loaded: LoadedConfig,
    plan: Plan,
    publisher: Publisher,
    signals: Signals,
    witness: Witness,
    *,
    snapshots: Snapshots | None = None,
) -> Workers:
    """One engine worker per family of cameras, one capture worker and one lane per camera."""
    run_id = secrets.token_hex(4)
    lanes: dict[str, Lane] = {}
    engines: dict[str, EngineWorker] = {}
    for family in families(plan.cameras):
        bell = Doorbell()
        served = [
            _lane(loaded, camera, publisher, snapshots, bell=bell, run_id=run_id, witness=witness)
            for camera in family
        ]
        models = {rung.model: plan.models[rung.model] for camera in family for rung in camera.rungs}
        station = Station(
            models=models,
            open_engine=partial(_open_engine, loaded, plan),
            lanes=served,
            bell=bell,
            prefer_freshness=loaded.config.prefer == "freshness",
        )
        engines[next(iter(models))] = EngineWorker(
            station, stop=signals.stop_engines, engines_changed=signals.engines_changed, witness=witness
        )
        lanes |= {lane.camera: lane for lane in served}
    captures = {
        camera.camera: _capture_worker(
            camera, lanes[camera.camera], loaded.folder, signals.stop_capture, witness
        )
        for camera in plan.cameras
    }
    return Workers(lanes=lanes, engines=engines, captures=captures)


def families(cameras: Sequence[CameraPlan]) -> list[list[CameraPlan]]:
    """The cameras that share a model, directly or by way of others: one engine worker serves them."""
    found: list[tuple[set[str], list[CameraPlan]]] = []
    for camera in cameras:
        models, members = {rung.model for rung in camera.rungs}, [camera]
        related = [family for family in found if family[0] & models]
        for family in related:
            found.remove(family)
            models |= family[0]
            members = family[1] + members
        found.append((models, members))
    return [members for _, members in found]


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


def _open_engine(loaded: LoadedConfig, plan: Plan, name: str) -> Engine:
    threads = loaded.config.models[name].threads
    return open_engine(plan.models[name], threads=None if threads == "auto" else threads)


def _capture_worker(
    plan: CameraPlan, lane: Lane, folder: Path, stop: Event, witness: Witness
) -> CaptureWorker:
    settings = camera_settings(plan.config, folder=folder)
    return CaptureWorker(
        lane,
        partial(open_camera, plan.source, settings),
        stall_s=settings.stall_s,
        opening=Opening(plan.schedule),
        stop=stop,
        witness=witness,
    )


def _lane(
    loaded: LoadedConfig,
    plan: CameraPlan,
    publisher: Publisher,
    snapshots: Snapshots | None,
    *,
    bell: Doorbell,
    run_id: str,
    witness: Witness,
) -> Lane:
    predictions = loaded.config.mqtt.predictions
    decider = Decider(
        plan.rungs[0].watchlist,
        smoothing_s=plan.config.smoothing_s,
        episode_prefix=f"{run_id}-{plan.camera}",
    )
    interval_ns = int(1e9 / predictions.max_hz) if predictions.enabled else None
    return Lane(
        camera=plan.camera,
        policy=plan.policy,
        view=plan.view,
        rungs=plan.rungs,
        gate=None if plan.gate is None else MotionGate(plan.gate),
        slot=LatestSlot(bell),
        ledger=Ledger(plan.camera, start_ns=clock.boot_ns(), witness=witness),
        desk=Desk(plan.camera, decider, publisher, prediction_interval_ns=interval_ns),
        snapshots=snapshots,
    )

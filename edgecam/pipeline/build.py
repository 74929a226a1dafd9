"""Builds workers and what they share; starts nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Event

from edgecam import clock
from edgecam.capture.camera import CameraSettings, SensorNetwork, open_camera
from edgecam.config.loader import LoadedConfig
from edgecam.config.schema import CameraConfig, PredictionsConfig
from edgecam.decision.decider import Decider
from edgecam.inference.engine import Engine, open_engine
from edgecam.inference.isolated import Change
from edgecam.pipeline.assembly import CameraPlan, Plan
from edgecam.pipeline.capture_worker import CaptureWorker
from edgecam.pipeline.delegation import wish_of, with_delegate
from edgecam.pipeline.desk import Desk
from edgecam.pipeline.doorbell import Doorbell
from edgecam.pipeline.engine_worker import EngineWorker
from edgecam.pipeline.evidence import Evidence
from edgecam.pipeline.lane import Lane, Rules
from edgecam.pipeline.ledger import Ledger
from edgecam.pipeline.opening import Opening
from edgecam.pipeline.slot import LatestSlot
from edgecam.pipeline.snapshots import Snapshots
from edgecam.pipeline.station import Station
from edgecam.pipeline.witness import Witness
from edgecam.publish.publisher import Publisher
from edgecam.vision.motion import MotionGate


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


def camera_settings(
    config: CameraConfig,
    *,
    folder: Path,
    wants_pictures: bool = False,
    network: SensorNetwork | None = None,
) -> CameraSettings:
    """What the configuration asks of a camera, and of its main stream where pictures are wanted."""
    return CameraSettings(
        size_px=config.size,
        main_size_px=config.main_size if wants_pictures else None,
        fps=config.fps,
        paced=config.playback == "camera",
        loop=config.loop,
        controls=config.controls,
        folder=folder,
        network=network,
    )


def kinship(loaded: LoadedConfig, plan: Plan, family: Sequence[CameraPlan]) -> object:
    """What an engine worker is made for; a family with an equal one can keep the worker that it has."""
    ladders = {camera.camera: tuple(rung.model for rung in camera.rungs) for camera in family}
    names = {name for ladder in ladders.values() for name in ladder}
    configs = {name: loaded.config.models[name] for name in names}
    return ladders, {
        name: (
            config.engine,
            config.providers,
            wish_of(config, loaded.folder),
            config.threads,
            config.timeout_ms,
            plan.models[name],
        )
        for name, config in configs.items()
    }


def open_model(loaded: LoadedConfig, plan: Plan, name: str) -> Engine:
    """The engine of a model, on the CPU if that is where its runtime has it; raises EngineError."""
    config, model = loaded.config.models[name], plan.models[name]

    def open_with(threads: int | None) -> Engine:
        return open_engine(model, engine=config.engine, threads=threads, providers=config.providers)

    if config.threads != "auto":
        return open_with(config.threads)
    if plan.threads is None:
        return open_with(None)
    # A lighter model is opened when frames are late already.
    is_first = any(camera.rungs[0].model == name for camera in plan.cameras)
    return plan.threads.open(model, open_with, may_measure=is_first)


def open_served(loaded: LoadedConfig, plan: Plan, told: Callable[[str, Change], None], name: str) -> Engine:
    """The same with its accelerator, if there is one; `told` hears what serves the model, from any thread."""
    config = loaded.config.models[name]
    return with_delegate(
        open_model(loaded, plan, name),
        plan.models[name],
        wish_of(config, loaded.folder),
        timeout_ms=config.timeout_ms,
        told=partial(told, name),
    )


def rules_of(camera: CameraPlan, predictions: PredictionsConfig) -> Rules:
    """What the camera's frames go by."""
    return Rules(
        policy=camera.policy,
        view=camera.view,
        rungs=camera.rungs,
        gate=camera.gate,
        smoothing_s=camera.config.smoothing_s,
        prediction_interval_ns=int(1e9 / predictions.max_hz) if predictions.enabled else None,
    )


def build_lane(
    camera: str,
    rules: Rules,
    publisher: Publisher,
    *,
    run_id: str,
    witness: Witness,
    snapshots: Snapshots | None,
    evidence: Evidence | None,
) -> Lane:
    """One camera's lane; its slot is nobody's until an engine is built for it."""
    decider = Decider(
        rules.rungs[0].watchlist, smoothing_s=rules.smoothing_s, episode_prefix=f"{run_id}-{camera}"
    )
    return Lane(
        camera=camera,
        policy=rules.policy,
        view=rules.view,
        rungs=rules.rungs,
        gate=None if rules.gate is None else MotionGate(rules.gate),
        slot=LatestSlot(Doorbell()),
        ledger=Ledger(camera, start_ns=clock.boot_ns(), witness=witness),
        desk=Desk(camera, decider, publisher, prediction_interval_ns=rules.prediction_interval_ns),
        snapshots=snapshots,
        evidence=evidence,
    )


def build_engine(
    loaded: LoadedConfig,
    plan: Plan,
    lanes: Sequence[Lane],
    *,
    engines_changed: Callable[[], None],
    witness: Witness,
    patient: bool,
) -> EngineWorker:
    """The engine worker of a family; the lanes' slots are replaced by some that ring at its door."""
    bell = Doorbell()
    for lane in lanes:
        slot = LatestSlot(bell)
        lane.slot.hand_on(slot)
        lane.slot = slot

    def told(model: str, change: Change) -> None:
        worker.engine_changed(model, change)

    models = {rung.model: plan.models[rung.model] for lane in lanes for rung in lane.rungs}
    timeouts_ms = {name: loaded.config.models[name].timeout_ms for name in models}
    station = Station(
        models=models,
        open_engine=partial(open_served, loaded, plan, told),
        lanes=lanes,
        bell=bell,
        prefer_freshness=loaded.config.prefer == "freshness",
        timeouts_ns={name: 1_000_000 * limit for name, limit in timeouts_ms.items() if limit is not None},
    )
    worker = EngineWorker(
        station, stop=Event(), engines_changed=engines_changed, witness=witness, patient=patient
    )
    return worker


def build_capture(
    loaded: LoadedConfig,
    camera: CameraPlan,
    lane: Lane,
    opening: Opening,
    *,
    witness: Witness,
    patient: bool,
) -> CaptureWorker:
    """The capture worker of a camera."""
    settings = camera_settings(
        camera.config,
        folder=loaded.folder,
        wants_pictures=loaded.config.wants_pictures,
        network=camera.network,
    )
    return CaptureWorker(
        lane,
        partial(open_camera, camera.source, settings),
        stall_s=settings.stall_s,
        opening=opening,
        stop=Event(),
        witness=witness,
        patient=patient,
        upload_s=settings.upload_s,
    )

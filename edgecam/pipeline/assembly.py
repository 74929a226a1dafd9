"""From a checked configuration to what the workers need; everything that can be refused is refused here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgecam.config.loader import LoadedConfig
from edgecam.config.schema import CameraConfig, ModelConfig
from edgecam.config.source import Source, parse_source
from edgecam.decision.watchlist import Threshold, UnknownNameError, Watchlist
from edgecam.errors import ConfigError, Problem
from edgecam.model.model import Model
from edgecam.model.store import bare_model, find_model, load_model
from edgecam.pipeline.scheduler import Policy
from edgecam.vision.geometry import View


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """One camera, ready to be started."""

    camera: str
    config: CameraConfig
    source: Source
    model: str
    """Its name in the configuration."""
    policy: Policy
    view: View
    watchlist: Watchlist


@dataclass(frozen=True, slots=True)
class Plan:
    """All that will be started."""

    models: Mapping[str, Model]
    """By their names in the configuration; only those that a camera uses."""
    cameras: Sequence[CameraPlan]


def assemble(loaded: LoadedConfig) -> Plan:
    """Load the models and resolve every name.

    Raises:
        ModelError: a model cannot be used.
        ConfigError: a watched, ignored or grouped label does not exist; all of them at once.
    """
    config = loaded.config
    used = {camera.model[0] for camera in config.cameras.values()}
    models = {name: _load(loaded, config.models[name]) for name in config.models if name in used}
    problems: list[Problem] = []
    groups = {name: _groups(loaded, name, model, problems) for name, model in models.items()}
    cameras = [
        _plan_camera(loaded, name, models[camera.model[0]], groups[camera.model[0]], problems)
        for name, camera in config.cameras.items()
    ]
    if problems:
        raise ConfigError(problems)
    return Plan(models=models, cameras=[camera for camera in cameras if camera is not None])


def view_of(config: CameraConfig) -> View:
    """How the camera is mounted."""
    return View(
        rotate=config.rotate,
        flip_horizontal=config.flip in {"horizontal", "both"},
        flip_vertical=config.flip in {"vertical", "both"},
        roi=config.roi,
    )


def _load(loaded: LoadedConfig, config: ModelConfig) -> Model:
    path = find_model(config.path, folder=loaded.folder)
    return bare_model(path) if path.is_file() else load_model(path)


def _groups(
    loaded: LoadedConfig, name: str, model: Model, problems: list[Problem]
) -> dict[str, Sequence[int]]:
    """The model's groups and the user's own, which win."""
    indices: dict[str, list[int]] = {}
    for index, label in enumerate(model.labels):
        indices.setdefault(label, []).append(index)
    groups: dict[str, Sequence[int]] = dict(model.groups)
    for group, labels in loaded.config.models[name].groups.items():
        keys = ("models", name, "groups", group)
        for label in labels:
            if label not in indices:
                near = difflib.get_close_matches(label, indices, n=1)
                hint = f'; did you mean "{near[0]}"?' if near else ""
                problems.append(loaded.problem(keys, f'the model has no label "{label}"{hint}'))
        groups[group] = [index for label in labels for index in indices.get(label, [])]
    return groups


def _plan_camera(
    loaded: LoadedConfig,
    name: str,
    model: Model,
    groups: Mapping[str, Sequence[int]],
    problems: list[Problem],
) -> CameraPlan | None:
    config, camera = loaded.config, loaded.config.cameras[name]
    source = parse_source(camera.source)
    watch = {
        label: Threshold(enter=w.enter, exit=w.exit, hold_ns=int(w.hold_s * 1e9))
        for label, w in camera.watch.items()
    }
    try:
        watchlist = Watchlist(model.labels, groups, watch=watch, ignore=camera.ignore)
    except UnknownNameError as error:
        keys = ("watch", error.name) if error.name in watch else ("ignore",)
        problems.append(loaded.problem(("cameras", name, *keys), str(error)))
        return None
    policy = Policy(
        budget_ns=(camera.budget_ms or config.budget_ms) * 1_000_000,
        starve_ns=int(config.starve_s * 1e9),
        min_interval_ns=int(1e9 / camera.max_fps) if camera.max_fps else 0,
        lossless=camera.playback == "fast" and not source.live,
    )
    return CameraPlan(
        camera=name,
        config=camera,
        source=source,
        model=camera.model[0],
        policy=policy,
        view=view_of(camera),
        watchlist=watchlist,
    )

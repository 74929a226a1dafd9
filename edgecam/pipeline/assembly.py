"""From a checked configuration to what the workers need; everything that can be refused is refused here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edgecam.capture.camera import SensorNetwork
from edgecam.config.hours import ALWAYS, Schedule, parse_window
from edgecam.config.loader import LoadedConfig
from edgecam.config.schema import CameraConfig
from edgecam.config.source import Source, parse_source
from edgecam.decision.watchlist import Threshold, UnknownNameError, Watchlist, unknown
from edgecam.errors import ConfigError, ModelError, Problem
from edgecam.inference.engines import seen_by, strange_engine
from edgecam.inference.threads import ThreadChoice
from edgecam.model.model import Model
from edgecam.model.store import GROUPS_FILE, LABELS_FILE, bare_model, find_model, load_model
from edgecam.pipeline.delegation import strange_wishes
from edgecam.pipeline.lane import Rung
from edgecam.pipeline.on_sensor import network_of, strange_networks
from edgecam.pipeline.scheduler import Policy
from edgecam.vision.geometry import View
from edgecam.vision.motion import GateRules

# How long the motion gate stays open after the last motion: what has come to rest is to be looked at without
# the blur, and what stops and goes on is one thing.
_LINGER_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """One camera, ready to be started."""

    camera: str
    config: CameraConfig
    source: Source
    rungs: tuple[Rung, ...]
    """Its ladder, best first."""
    policy: Policy
    view: View
    gate: GateRules | None
    schedule: Schedule
    network: SensorNetwork | None = None
    """What runs on its sensor; None: nothing does."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that will be started."""

    models: Mapping[str, Model]
    """By their names in the configuration; only those that a camera uses."""
    cameras: Sequence[CameraPlan]
    threads: ThreadChoice | None = field(default=None, compare=False)
    """Of engines whose threads are `auto`; None: by the number of cores alone."""


def assemble(loaded: LoadedConfig) -> Plan:
    """Load the models and resolve every name.

    Raises:
        ModelError: a model cannot be used.
        ConfigError: a watched, ignored or grouped label does not exist, or not on every rung of a ladder, or
            no engine has the name that is asked for; all of them at once.
    """
    config = loaded.config
    used = {name for camera in config.cameras.values() for name in camera.model}
    models = {name: _load(loaded, name) for name in config.models if name in used}
    problems: list[Problem] = []
    for name, model in models.items():
        problems += [*_strange_engine(loaded, name, model), *_strange_delegate(loaded, name, model)]
    groups = {name: _groups(loaded, name, model, problems) for name, model in models.items()}
    cameras = [_plan_camera(loaded, name, models, groups, problems) for name in config.cameras]
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


def _load(loaded: LoadedConfig, name: str) -> Model:
    config = loaded.config.models[name]
    try:
        path = find_model(config.path, folder=loaded.folder)
        return seen_by(config.engine, bare_model(path) if path.is_file() else load_model(path))
    except ModelError as error:
        problem = loaded.problem(("models", name, "path"), str(error))
        raise ModelError(str(problem), problem) from error


def _strange_engine(loaded: LoadedConfig, name: str, model: Model) -> Iterator[Problem]:
    config = loaded.config.models[name]
    for key, text in strange_engine(config.engine, config.providers, model.path):
        yield loaded.problem(("models", name, key), text)


def _strange_delegate(loaded: LoadedConfig, name: str, model: Model) -> Iterator[Problem]:
    for key, text in strange_wishes(loaded.config.models[name], model):
        yield loaded.problem(("models", name, key), text)


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
                text = unknown(label, indices, kind="label", listed=_listed(model, LABELS_FILE))
                problems.append(loaded.problem(keys, text))
        groups[group] = [index for label in labels for index in indices.get(label, [])]
    return groups


def _plan_camera(
    loaded: LoadedConfig,
    name: str,
    models: Mapping[str, Model],
    groups: Mapping[str, Mapping[str, Sequence[int]]],
    problems: list[Problem],
) -> CameraPlan | None:
    camera = loaded.config.cameras[name]
    source = parse_source(camera.source)
    strange = strange_networks(loaded.config, camera, models)
    problems += [loaded.problem(("cameras", name, key), text) for key, text in strange]
    rungs = _plan_rungs(loaded, name, models, groups, problems)
    if rungs is None:
        return None
    return CameraPlan(
        camera=name,
        config=camera,
        source=source,
        rungs=rungs,
        policy=_policy(loaded, camera, live=source.live),
        view=view_of(camera),
        gate=_gate(camera),
        schedule=_schedule(camera),
        network=network_of(loaded.config, camera, models),
    )


def _plan_rungs(
    loaded: LoadedConfig,
    name: str,
    models: Mapping[str, Model],
    groups: Mapping[str, Mapping[str, Sequence[int]]],
    problems: list[Problem],
) -> tuple[Rung, ...] | None:
    """The ladder, with the same watched names on each rung; None, and a problem, if that cannot be."""
    camera = loaded.config.cameras[name]
    watch = {
        label: Threshold(enter=w.enter, exit=w.exit, hold_ns=int(w.hold_s * 1e9))
        for label, w in camera.watch.items()
    }
    rungs: list[Rung] = []
    for model in camera.model:
        try:
            watchlist = Watchlist(models[model].labels, groups[model], watch=watch, ignore=camera.ignore)
        except UnknownNameError as error:
            problems += _unknown_names(loaded, name, model, models[model], error)
        else:
            rungs.append(Rung(model, watchlist))
    if len(rungs) < len(camera.model):
        return None
    best = rungs[0]
    strange = [rung.model for rung in rungs if rung.watchlist.names != best.watchlist.names]
    if strange:
        text = (
            f"expected a ladder of models with the same labels, or labels and groups in watch that each of "
            f'them has; "{strange[0]}" has other labels than "{best.model}"'
        )
        problems.append(loaded.problem(("cameras", name, "model"), text))
        return None
    return tuple(rungs)


def _unknown_names(
    loaded: LoadedConfig, camera_name: str, model_name: str, model: Model, error: UnknownNameError
) -> Iterator[Problem]:
    """Each at the place where it was written; in a ladder with the name of the model that lacks it."""
    camera = loaded.config.cameras[camera_name]
    of_model = "" if len(camera.model) == 1 else f"{model_name}: "
    listed = _listed(model, LABELS_FILE, GROUPS_FILE)
    for name in error.names:
        keys = ("watch", name) if name in camera.watch else ("ignore", list(camera.ignore).index(name))
        text = f"{of_model}{unknown(name, error.known, listed=listed)}"
        yield loaded.problem(("cameras", camera_name, *keys), text)


def _listed(model: Model, *files: str) -> str:
    """Those of a model's files that are there: a bare model has none."""
    paths = (model.path.with_name(file) for file in files)
    return " and ".join(str(path) for path in paths if path.is_file())


def _policy(loaded: LoadedConfig, camera: CameraConfig, *, live: bool) -> Policy:
    config = loaded.config
    return Policy(
        budget_ns=(camera.budget_ms or config.budget_ms) * 1_000_000,
        starve_ns=int(config.starve_s * 1e9),
        min_interval_ns=int(1e9 / camera.max_fps) if camera.max_fps else 0,
        lossless=camera.playback == "fast" and not live,
        weight=camera.weight,
    )


def _gate(camera: CameraConfig) -> GateRules | None:
    if camera.gate == "none":
        return None
    return GateRules(camera.gate_area, int(camera.gate_max_s * 1e9), _LINGER_NS)


def _schedule(camera: CameraConfig) -> Schedule:
    if camera.schedule == "always":
        return ALWAYS
    return Schedule(tuple(parse_window(text) for text in camera.schedule))

"""A recording of scores through several settings of a camera at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from edgecam.config.loader import load_config
from edgecam.decision.watchlist import Watchlist
from edgecam.errors import ConfigError, Problem, UsageError
from edgecam.evaluation.recording import Recording
from edgecam.evaluation.replay import Replay, Replayer
from edgecam.evaluation.truth import Interval
from edgecam.evaluation.truth_file import read_truth
from edgecam.evaluation.variants import Variant
from edgecam.model.model import Model
from edgecam.pipeline.assembly import CameraPlan, Plan, assemble


@dataclass(frozen=True, slots=True)
class Setting:
    """One way for the camera to decide."""

    variant: Variant
    """What makes it differ from the others."""
    camera: CameraPlan
    model: Model
    """The best of the camera's ladder."""

    @property
    def watchlist(self) -> Watchlist:
        """What is reported, and from which scores on."""
        return self.camera.rungs[0].watchlist


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of a recording under each setting."""

    replays: tuple[Replay, ...]
    """In the order of the settings."""
    truth: tuple[Interval, ...] | None
    shortfall: float
    """By how much a watched score may have been higher than recorded, 0..1, the mean of all frames."""
    most_short: float
    """The same of the worst frame."""


def read_settings(
    config: Path | None,
    variants: Sequence[Variant],
    *,
    sets: Sequence[str],
    camera: str | None,
    recorded: str | None = None,
    environ: Mapping[str, str],
) -> list[Setting]:
    """The camera under each variant of its configuration, checked as for a run.

    Args:
        config: the file; None: as `load_config` finds it.
        variants: from `variants_of`.
        sets: `key=value` texts that hold for all of them.
        camera: which one; None: the only one, or else the one that was recorded.
        recorded: the camera that was recorded, if that is known.
        environ: the environment variables.

    Raises:
        ConfigError, ModelError: a variant does not hold.
        UsageError: there is no such camera, or there are several to choose from.
    """
    settings = []
    for variant in variants:
        try:
            of_variant = [f"{key}={value}" for key, value in variant.items()]
            plan = assemble(load_config(config, sets=[*sets, *of_variant], environ=environ))
        except ConfigError as error:
            raise _with_variant(error, variant) from error
        chosen = pick_camera(plan, camera, otherwise=recorded)
        settings.append(Setting(variant, chosen, plan.models[chosen.rungs[0].model]))
    return settings


def pick_camera(plan: Plan, name: str | None, *, otherwise: str | None = None) -> CameraPlan:
    """The camera of this name; if none is named, the only one, or of several the other name's.

    Raises:
        UsageError: there is none, or there are several.
    """
    names = [camera.camera for camera in plan.cameras]
    if name is None and len(names) > 1 and otherwise in names:
        name = otherwise
    found = [camera for camera in plan.cameras if name in {None, camera.camera}]
    if len(found) == 1:
        return found[0]
    said = f"there is no camera {name}" if name is not None else "there are several cameras"
    raise UsageError(f"{said}; give one of them with --camera: {', '.join(names)}")


def compare_settings(
    recording: Recording,
    settings: Sequence[Setting],
    *,
    truth: Path | None,
    told: Callable[[int], None] | None = None,
) -> Comparison:
    """Let each setting decide on every frame; the recording is read once, and never whole in memory.

    Args:
        recording: from `open_recording`.
        settings: from `read_settings`, one at least; all of one camera.
        truth: the CSV of what was to be seen; None: nobody knows.
        told: hears how many frames are done.

    Raises:
        SourceError: a line of one of the files makes no sense, or is of another model.
    """
    first = settings[0]
    frames = recording.frames(first.model.labels, camera=first.camera.camera)
    opening = next(frames)
    intervals = None if truth is None else _truth(truth, recording, settings, start_ns=opening.at_ns)
    replayers = [
        Replayer(setting.watchlist, smoothing_s=setting.camera.config.smoothing_s) for setting in settings
    ]
    watchlists = list({setting.watchlist.names: setting.watchlist for setting in settings}.values())
    total = most = 0.0
    count = 0
    for count, seen in enumerate(chain([opening], frames), 1):
        short = max(seen.shortfall(watchlist) for watchlist in watchlists)
        total, most = total + short, max(most, short)
        for replayer in replayers:
            replayer.take(seen)
        if told is not None:
            told(count)
    return Comparison(tuple(one.end() for one in replayers), intervals, total / count, most)


def _truth(
    path: Path, recording: Recording, settings: Sequence[Setting], *, start_ns: int
) -> tuple[Interval, ...]:
    watched = dict.fromkeys(_names(settings))
    return tuple(read_truth(path, watched=watched, start_ns=start_ns, has_dates=recording.origin is None))


def _names(settings: Sequence[Setting]) -> Iterator[str]:
    for setting in settings:
        yield from setting.watchlist.names


def _with_variant(error: ConfigError, variant: Variant) -> ConfigError:
    """The same, with the values that are tried."""
    if not variant:
        return error
    tried = ", ".join(f"{key}={value}" for key, value in variant.items())
    return ConfigError(
        [
            Problem(
                "--vary" if problem.path in variant else problem.where,
                problem.path,
                f"{problem.text} (with {tried})",
            )
            for problem in error.problems
        ]
    )

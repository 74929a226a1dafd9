"""What differs between two configurations, and what each difference costs a run. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from edgecam.config.schema import Config

Keys = tuple[str, ...]


class Effect(StrEnum):
    """What has to be done for a changed key to count, from the least to the most."""

    LIVE = "live"
    """It counts from the next frame or message on."""
    CAMERA = "camera"
    """The camera is closed and opened anew."""
    MODEL = "model"
    """The engine that has this model is opened anew."""
    LINK = "link"
    """The session with the broker is made anew; nothing that waits for it is lost."""
    RESTART = "restart"
    """It counts when edgecam is started again."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    keys: Keys
    """The path to it: a single value, or a whole entry of a map that came or went."""
    effect: Effect

    @property
    def path(self) -> str:
        """Dotted, `cameras.main.fps`."""
        return ".".join(self.keys)


# Every key of the schema; `*` is any key of a map. What is not named here has its block's effect.
EFFECTS = {
    "device": Effect.LINK,
    "budget_ms": Effect.LIVE,
    "starve_s": Effect.LIVE,
    "prefer": Effect.LIVE,
    "watch_file": Effect.LIVE,
    # A camera that comes or goes has its worker started or ended.
    "cameras.*": Effect.CAMERA,
    "cameras.*.source": Effect.CAMERA,
    "cameras.*.size": Effect.CAMERA,
    "cameras.*.main_size": Effect.CAMERA,
    "cameras.*.fps": Effect.CAMERA,
    "cameras.*.playback": Effect.CAMERA,
    "cameras.*.loop": Effect.CAMERA,
    "cameras.*.controls": Effect.CAMERA,
    "cameras.*.rotate": Effect.LIVE,
    "cameras.*.flip": Effect.LIVE,
    "cameras.*.roi": Effect.LIVE,
    "cameras.*.model": Effect.MODEL,
    "cameras.*.budget_ms": Effect.LIVE,
    "cameras.*.max_fps": Effect.LIVE,
    "cameras.*.weight": Effect.LIVE,
    "cameras.*.gate": Effect.LIVE,
    "cameras.*.gate_area": Effect.LIVE,
    "cameras.*.gate_max_s": Effect.LIVE,
    "cameras.*.schedule": Effect.LIVE,
    "cameras.*.watch": Effect.LIVE,
    "cameras.*.ignore": Effect.LIVE,
    "cameras.*.smoothing_s": Effect.LIVE,
    # Of itself it does nothing: a camera has to name it.
    "models.*": Effect.LIVE,
    "models.*.path": Effect.MODEL,
    "models.*.engine": Effect.MODEL,
    "models.*.providers": Effect.MODEL,
    "models.*.delegate": Effect.MODEL,
    "models.*.delegate_options": Effect.MODEL,
    "models.*.threads": Effect.MODEL,
    "models.*.timeout_ms": Effect.MODEL,
    "models.*.groups": Effect.LIVE,
    "mqtt.url": Effect.LINK,
    "mqtt.base": Effect.LINK,
    "mqtt.protocol": Effect.LINK,
    "mqtt.username": Effect.LINK,
    "mqtt.password_file": Effect.LINK,
    "mqtt.tls": Effect.LINK,
    "mqtt.heartbeat_s": Effect.LIVE,
    "mqtt.predictions": Effect.LIVE,
    "mqtt.snapshots": Effect.LIVE,
    # What is heard is agreed on with the broker when the session begins.
    "mqtt.commands": Effect.LINK,
    "mqtt.outbox": Effect.RESTART,
    "mqtt.home_assistant": Effect.LINK,
    "history": Effect.RESTART,
    "metrics": Effect.RESTART,
    "log": Effect.LIVE,
}


def changes(old: Config, new: Config) -> list[Change]:
    """Every difference, in the order of the schema, and what follows for keys that are as they were."""
    found = [
        *_differences((), old.model_dump(mode="json"), new.model_dump(mode="json")),
        *_main_sizes(old, new),
    ]
    return [Change(keys, effect_of(keys)) for keys in dict.fromkeys(found)]


def effect_of(keys: Keys) -> Effect:
    """What a change of this key, or inside it, costs; raises KeyError if the schema has no such key."""
    for length in range(len(keys), 0, -1):
        if (pattern := _pattern(keys[:length])) in EFFECTS:
            return EFFECTS[pattern]
    raise KeyError(".".join(keys))


def _main_sizes(old: Config, new: Config) -> Iterator[Keys]:
    """Those that come to count, or cease to: a main stream runs only while somebody wants its pictures."""
    if old.wants_pictures != new.wants_pictures:
        for camera, config in new.cameras.items():
            if config.main_size is not None and camera in old.cameras:
                yield ("cameras", camera, "main_size")


def _pattern(keys: Keys) -> str:
    """The path as `EFFECTS` has it."""
    named = (
        key if place != 1 or keys[0] not in {"cameras", "models"} else "*" for place, key in enumerate(keys)
    )
    return ".".join(named)


def _differences(keys: Keys, old: Any, new: Any) -> Iterator[Keys]:
    """The paths of what differs; what came or went is one difference, whatever it holds."""
    if old == new:
        return
    if not isinstance(old, dict) or not isinstance(new, dict):
        yield keys
        return
    for key in dict.fromkeys([*new, *old]):
        if key in old and key in new:
            yield from _differences((*keys, key), old[key], new[key])
        else:
            yield (*keys, key)

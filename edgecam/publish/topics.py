"""The names of the topics, and back again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DeviceTopic(StrEnum):
    """Last level of a topic that speaks for the whole device; no camera may have such an id."""

    AVAILABILITY = "availability"
    INFO = "info"
    STATS = "stats"
    NOTICE = "notice"


class CameraTopic(StrEnum):
    """Last level of a camera's topic."""

    STATE = "state"
    EVENT = "event"
    PREDICTION = "prediction"


class ControlTopic(StrEnum):
    """As `CameraTopic`, of what is no JSON."""

    SNAPSHOT = "snapshot"
    ENABLED = "enabled"


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic that one device publishes on: `<base>/<device>/…`."""

    base: str
    """May have several levels: `house/edgecam`."""
    device: str

    @property
    def availability(self) -> str:
        """`online` or `offline`, retained."""
        return self._device(DeviceTopic.AVAILABILITY)

    @property
    def info(self) -> str:
        """What runs here, retained."""
        return self._device(DeviceTopic.INFO)

    @property
    def stats(self) -> str:
        """How well it runs."""
        return self._device(DeviceTopic.STATS)

    @property
    def notice(self) -> str:
        """What an operator should know."""
        return self._device(DeviceTopic.NOTICE)

    def state(self, camera: str) -> str:
        """What the camera shows now, retained."""
        return f"{self.base}/{self.device}/{camera}/{CameraTopic.STATE}"

    def event(self, camera: str) -> str:
        """Both ends of each episode."""
        return f"{self.base}/{self.device}/{camera}/{CameraTopic.EVENT}"

    def prediction(self, camera: str) -> str:
        """What the network said of each frame."""
        return f"{self.base}/{self.device}/{camera}/{CameraTopic.PREDICTION}"

    def snapshot(self, camera: str) -> str:
        """A JPEG of the last event, retained."""
        return f"{self.base}/{self.device}/{camera}/{ControlTopic.SNAPSHOT}"

    def enabled(self, camera: str) -> str:
        """The camera's switch, `ON` or `OFF`, retained."""
        return f"{self.base}/{self.device}/{camera}/{ControlTopic.ENABLED}"

    def enabled_set(self, camera: str) -> str:
        """Where the switch is set; `+` for the camera: any."""
        return f"{self.enabled(camera)}/set"

    def command(self, verb: str) -> str:
        """Where a command is given."""
        return f"{self.base}/{self.device}/cmd/{verb}"

    def response(self, verb: str) -> str:
        """Where it is answered, if the requester names no other topic."""
        return f"{self.command(verb)}/response"

    def _device(self, name: DeviceTopic) -> str:
        return f"{self.base}/{self.device}/{name}"


@dataclass(frozen=True, slots=True)
class Address:
    """A topic taken apart."""

    device: str
    camera: str | None
    """None for a topic of the whole device."""
    name: DeviceTopic | CameraTopic


def parse_topic(topic: str, *, base: str) -> Address | None:
    """The parts of a topic under `base`; None when it is none that this version knows."""
    prefix = f"{base}/"
    if not topic.startswith(prefix):
        return None
    match topic.removeprefix(prefix).split("/"):
        case [device, name] if name in set(DeviceTopic):
            return Address(device=device, camera=None, name=DeviceTopic(name))
        case [device, camera, name] if name in set(CameraTopic):
            return Address(device=device, camera=camera, name=CameraTopic(name))
        case _:
            return None


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a topic is meant by a filter (MQTT 5.0, section 4.7)."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    # A wildcard at the front does not mean the broker's own topics.
    if topic.startswith("$") and not topic_filter.startswith("$"):
        return False
    for number, level in enumerate(wanted):
        if level == "#":
            return True
        if number >= len(levels) or level not in ("+", levels[number]):
            return False
    return len(wanted) == len(levels)

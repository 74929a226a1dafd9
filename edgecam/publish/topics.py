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

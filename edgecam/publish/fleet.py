"""The newest of each device and camera, from the messages of a fleet. Pure; time is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from edgecam.publish.received import (
    AvailabilityMessage,
    EventMessage,
    InfoMessage,
    Message,
    StateMessage,
    StatsMessage,
)


@dataclass(slots=True)
class CameraView:
    """The newest of one camera."""

    state: StateMessage | None = None
    event: EventMessage | None = None
    """The newest end of an episode; None for one who came later: events are not retained."""
    heard_s: float | None = None
    """When `state` was last heard live, on the caller's clock; None: only what the broker had retained."""

    def is_fresh(self, now_s: float, *, within_s: float) -> bool:
        """Was a state heard within that time? A device beats every `mqtt.heartbeat_s`: take three of them."""
        return self.heard_s is not None and now_s - self.heard_s <= within_s


@dataclass(slots=True)
class DeviceView:
    """The newest of one device."""

    online: bool | None = None
    """None: it has not said."""
    info: InfoMessage | None = None
    stats: StatsMessage | None = None
    cameras: dict[str, CameraView] = field(default_factory=dict)
    """By id."""


class Fleet:
    """What all devices show now; `take` each message.

    Bounded, since a stranger may invent devices without end: what goes beyond is counted in `ignored`.
    """

    def __init__(self, *, max_devices: int = 10_000, max_cameras: int = 64) -> None:
        self._max_devices = max_devices
        self._max_cameras = max_cameras
        self._devices: dict[str, DeviceView] = {}
        self.ignored = 0
        """Messages of devices and cameras beyond the bounds."""

    @property
    def devices(self) -> Mapping[str, DeviceView]:
        """By id."""
        return MappingProxyType(self._devices)

    def take(self, message: Message, *, at_s: float) -> None:
        """Remember what is newest; `at_s` is when it was heard, on a clock that never jumps."""
        device = self._devices.get(message.device)
        if device is None:
            if len(self._devices) >= self._max_devices:
                self.ignored += 1
                return
            device = self._devices[message.device] = DeviceView()
        match message:
            case AvailabilityMessage():
                device.online = message.online
            case InfoMessage():
                device.info = message
            case StatsMessage():
                device.stats = message
            case StateMessage():  # an event is one, too
                self._take_state(device, message, at_s)

    def _take_state(self, device: DeviceView, message: StateMessage, at_s: float) -> None:
        camera = device.cameras.get(message.camera)
        if camera is None:
            if len(device.cameras) >= self._max_cameras:
                self.ignored += 1
                return
            camera = device.cameras[message.camera] = CameraView()
        if isinstance(message, EventMessage):
            camera.event = message
            return
        camera.state = message
        if not message.retained:
            camera.heard_s = at_s

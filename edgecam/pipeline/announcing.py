"""From the configuration to what Home Assistant is told."""

from __future__ import annotations

import edgecam
from edgecam.config.schema import CameraConfig, Config, MqttConfig
from edgecam.publish.discovery import announcements
from edgecam.publish.entities import Appliance, WatchedCamera
from edgecam.publish.messages import Payload


def home_assistant_announcements(config: Config, *, device: str) -> dict[str, Payload]:
    """The announcements by topic, also while `mqtt.home_assistant` is off."""
    appliance = Appliance(
        device=device,
        base=config.mqtt.base,
        version=edgecam.__version__,
        heartbeat_s=config.mqtt.heartbeat_s,
        cameras=[_watched(name, camera, config.mqtt) for name, camera in config.cameras.items()],
    )
    return announcements(appliance, prefix=config.mqtt.home_assistant.prefix)


def _watched(name: str, camera: CameraConfig, mqtt: MqttConfig) -> WatchedCamera:
    return WatchedCamera(
        name,
        [label for label in camera.watch if label not in camera.ignore],
        has_switch="enabled" in mqtt.commands,
        has_snapshot=mqtt.snapshots.enabled,
    )

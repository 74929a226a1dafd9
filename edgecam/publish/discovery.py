"""What Home Assistant is told, so that it needs no set-up: device-based MQTT discovery. Pure.

A message describes one device, so there is one for the appliance and one for each camera under it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from edgecam.publish.entities import Appliance, WatchedCamera, appliance_entities, camera_entities
from edgecam.publish.messages import Payload
from edgecam.publish.topics import Topics


def birth_topic(prefix: str) -> str:
    """Where Home Assistant says `online` when it has started."""
    return f"{prefix}/status"


def announcement_topics(prefix: str, device: str) -> str:
    """The filter for every announcement of a device, also those of cameras that it no longer has."""
    return f"{prefix}/device/{device}/+/config"


def is_announcement(topic: str, *, prefix: str, device: str) -> bool:
    """Is it one of edgecam's own, of all that the filter lets through?"""
    start, end = f"{prefix}/device/{device}/", "/config"
    name = topic.removeprefix(start).removesuffix(end)
    return topic == f"{start}{name}{end}" and (name == "edgecam" or name.startswith("edgecam-"))


def announcements(appliance: Appliance, *, prefix: str) -> dict[str, Payload]:
    """The retained messages by topic; the appliance first, as the cameras refer to it."""
    folder = f"{prefix}/device/{appliance.device}"
    return {f"{folder}/edgecam/config": _appliance(appliance)} | {
        f"{folder}/edgecam-{camera.id}/config": _camera(appliance, camera) for camera in appliance.cameras
    }


def _appliance(appliance: Appliance) -> Payload:
    identity = f"edgecam.{appliance.device}"
    device = {
        **_device(appliance, identity),
        "name": f"edgecam {appliance.device}",
        "model": "appliance",
    }
    return _announcement(appliance, device, appliance_entities(appliance), identity=identity)


def _camera(appliance: Appliance, camera: WatchedCamera) -> Payload:
    identity = f"edgecam.{appliance.device}.{camera.id}"
    device = {
        **_device(appliance, identity),
        "name": f"{appliance.device} {camera.id}",
        "model": "camera",
        "via_device": f"edgecam.{appliance.device}",
    }
    return _announcement(appliance, device, camera_entities(appliance, camera), identity=identity)


def _device(appliance: Appliance, identity: str) -> Payload:
    return {"identifiers": [identity], "manufacturer": "edgecam", "sw_version": appliance.version}


def _announcement(
    appliance: Appliance, device: Payload, entities: Mapping[str, Payload], *, identity: str
) -> Payload:
    """The whole message; identity and key together are never another entity's, and never change."""
    return {
        "device": device,
        "origin": {"name": "edgecam", "sw_version": appliance.version},
        "availability": [{"topic": Topics(appliance.base, appliance.device).availability}],
        "availability_mode": "all",
        "qos": 1,
        "components": {
            key: {
                **entity,
                "unique_id": f"{identity}.{key}",
                "default_entity_id": _entity_id(device, entity),
            }
            for key, entity in entities.items()
        },
    }


def _entity_id(device: Payload, entity: Payload) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", f"{device['name']} {entity['name']}".lower()).strip("_")
    return f"{entity['platform']}.{name}"

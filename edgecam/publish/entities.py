"""Home Assistant's entities for an appliance and its cameras: which topic, by which template. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from edgecam.publish.messages import Payload
from edgecam.publish.topics import Topics
from edgecam.records import Status
from edgecam.reports import Limit

NOTHING = "nothing"
"""The state of a camera's label sensor when nothing watched is seen."""
LATE_EVENT_S = 10
"""An event that waited longer than this for the broker is history: Home Assistant is not to act on it."""
_MISSED_HEARTBEATS = 3
"""After so many a state is no longer believed: the process hangs, though it is connected."""

# The firmware's bits (`BoardStats.throttled`) that hold now: 1 to 3.
_SLOWED_DOWN = 0b1110


@dataclass(frozen=True, slots=True)
class WatchedCamera:
    """A camera as Home Assistant sees it."""

    id: str
    watched: Sequence[str] = ()
    """The labels and groups in `watch`, in order; empty: every label of the model."""
    has_switch: bool = False
    """It is switched on `<camera>/enabled/set`."""
    has_snapshot: bool = False
    """It publishes `<camera>/snapshot`."""


@dataclass(frozen=True, slots=True)
class Appliance:
    """All that the announcements say."""

    device: str
    base: str
    version: str
    """Of edgecam."""
    heartbeat_s: float
    cameras: Sequence[WatchedCamera]


def appliance_entities(appliance: Appliance) -> dict[str, Payload]:
    """How the board and the way to the broker do, by key."""
    stats = Topics(appliance.base, appliance.device).stats
    measured = _diagnostic(state_topic=stats, state_class="measurement", **_fresh(appliance))
    problem = _diagnostic(state_topic=stats, device_class="problem", **_fresh(appliance))
    return {
        "temperature": _sensor(
            "Temperature",
            "{{ value_json.temperature_c }}",
            **measured, device_class="temperature", unit_of_measurement="°C", suggested_display_precision=0,
        ),
        "under_voltage": _binary("Under-voltage", _limited(Limit.UNDER_VOLTAGE), **problem),
        "throttled": _binary("Throttled", _bits(_SLOWED_DOWN), **problem),
        "memory": _sensor(
            "Memory",
            "{{ (value_json.memory_bytes / 1048576) | round(1) if value_json.memory_bytes else none }}",
            **measured, device_class="data_size", unit_of_measurement="MiB", suggested_display_precision=0,
        ),
        "outbox": _sensor("Events waiting", "{{ value_json.mqtt.outbox }}", **measured),
        "lost": _sensor(
            "Events lost", "{{ value_json.mqtt.lost }}", **measured | {"state_class": "total_increasing"}
        ),
        "protocol": _sensor(
            "MQTT version",
            "{{ value_json.mqtt.protocol }}",
            **_diagnostic(state_topic=stats, **_fresh(appliance)),
        ),
    }  # fmt: skip


def camera_entities(appliance: Appliance, camera: WatchedCamera) -> dict[str, Payload]:
    """What a camera sees and how it does, by key; a key never changes its meaning."""
    return (
        _seen(appliance, camera)
        | {
            f"watched.{quote(label, safe='')}": _occupancy(appliance, camera, label)
            for label in camera.watched
        }
        | _health(appliance, camera)
        | _optional(appliance, camera)
    )


def _seen(appliance: Appliance, camera: WatchedCamera) -> dict[str, Payload]:
    """What the camera sees."""
    topics = Topics(appliance.base, appliance.device)
    state = topics.state(camera.id)
    enumerated: Payload = {}
    if camera.watched and NOTHING not in camera.watched:
        enumerated = {"device_class": "enum", "options": [*camera.watched, NOTHING]}
    return {
        "label": _sensor(
            "Label",
            f"{{{{ (value_json.label or '{NOTHING}') if value_json.status == '{Status.OK}' else none }}}}",
            state_topic=state, json_attributes_topic=state, icon="mdi:eye", **enumerated, **_fresh(appliance),
        ),
        "score": _sensor(
            "Score",
            "{{ (value_json.score * 100) | round(1) if value_json.score is not none else none }}",
            state_topic=state, state_class="measurement", unit_of_measurement="%",
            suggested_display_precision=0, icon="mdi:percent", **_fresh(appliance),
        ),
        "event": {
            "platform": "event",
            "name": "Event",
            "event_types": ["start", "end"],
            "icon": "mdi:motion-sensor",
            "state_topic": topics.event(camera.id),
            "value_template": f"{{{{ value if value_json.delayed_s <= {LATE_EVENT_S} else '' }}}}",
        },
    }  # fmt: skip


def _occupancy(appliance: Appliance, camera: WatchedCamera, label: str) -> Payload:
    """Is this label what is seen? Unknown while the camera cannot tell."""
    # A JSON string is a string of Jinja, whatever the label holds.
    is_seen = f"value_json.label == {json.dumps(label, ensure_ascii=False)}"
    return _binary(
        label[:1].upper() + label[1:],
        f"{{{{ ('ON' if {is_seen} else 'OFF') if value_json.status == '{Status.OK}' else none }}}}",
        state_topic=Topics(appliance.base, appliance.device).state(camera.id),
        device_class="occupancy",
        **_fresh(appliance),
    )


def _health(appliance: Appliance, camera: WatchedCamera) -> dict[str, Payload]:
    """How well the camera works."""
    topics = Topics(appliance.base, appliance.device)
    of_state = _diagnostic(state_topic=topics.state(camera.id), **_fresh(appliance))
    of_stats = _diagnostic(state_topic=topics.stats, **_fresh(appliance))
    figures = f"value_json.cameras['{camera.id}']"
    fps: Payload = {
        "state_class": "measurement", "unit_of_measurement": "fps", "suggested_display_precision": 1,
        "icon": "mdi:filmstrip",
    }  # fmt: skip
    return {
        "connected": _binary(
            "Connected",
            f"{{{{ {{'{Status.OK}': 'ON', '{Status.NO_CAMERA}': 'OFF'}}.get(value_json.status) }}}}",
            **of_state, device_class="connectivity",
        ),
        "status": _sensor(
            "Status",
            "{{ value_json.status }}",
            **of_state, device_class="enum", options=[status.value for status in Status],
        ),
        "age": _sensor(
            "Age of results",
            f"{{{{ {figures}.age_ms.p50 }}}}",
            **of_stats, device_class="duration", state_class="measurement", unit_of_measurement="ms",
            suggested_display_precision=0,
        ),
        "fps_in": _sensor("Frame rate", f"{{{{ {figures}.fps_in }}}}", **of_stats, **fps),
        "fps_out": _sensor("Result rate", f"{{{{ {figures}.fps_out }}}}", **of_stats, **fps),
        "skipped": _sensor(
            "Frames skipped",
            f"{{{{ {figures}.skipped.values() | sum }}}}",
            **of_stats, state_class="total_increasing", icon="mdi:debug-step-over",
            json_attributes_topic=topics.stats,
            json_attributes_template=f"{{{{ {figures}.skipped | tojson }}}}",
        ),
    }  # fmt: skip


def _optional(appliance: Appliance, camera: WatchedCamera) -> dict[str, Payload]:
    """What only some configurations have."""
    topics = Topics(appliance.base, appliance.device)
    components: dict[str, Payload] = {}
    if camera.has_switch:
        components["enabled"] = {
            "platform": "switch",
            "name": "Enabled",
            "icon": "mdi:cctv",
            "state_topic": topics.enabled(camera.id),
            "command_topic": topics.enabled_set(camera.id),
        }
    if camera.has_snapshot:
        components["snapshot"] = {
            "platform": "image",
            "name": "Snapshot",
            "content_type": "image/jpeg",
            "image_topic": topics.snapshot(camera.id),
        }
    return components


def _sensor(name: str, template: str, **more: object) -> Payload:
    return {"platform": "sensor", "name": name, "value_template": template, **more}


def _binary(name: str, template: str, **more: object) -> Payload:
    return {"platform": "binary_sensor", "name": name, "value_template": template, **more}


def _diagnostic(**more: object) -> Payload:
    return {"entity_category": "diagnostic", **more}


def _fresh(appliance: Appliance) -> Payload:
    return {"expire_after": math.ceil(_MISSED_HEARTBEATS * appliance.heartbeat_s)}


def _limited(limit: Limit) -> str:
    """Does it hold now? Unknown where the board does not tell."""
    limits = "value_json.limits"
    return f"{{{{ ('ON' if '{limit}' in {limits}.now else 'OFF') if {limits} is not none else none }}}}"


def _bits(mask: int) -> str:
    """Is one of these bits set? Unknown where the board does not tell."""
    bits = "value_json.throttled"
    return f"{{{{ ('ON' if {bits} | bitwise_and({mask}) else 'OFF') if {bits} is not none else none }}}}"

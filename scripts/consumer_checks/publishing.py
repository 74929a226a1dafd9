"""What edgecam publishes, sent to a broker."""

from __future__ import annotations

import time
from typing import Any

from mosquitto import Mosquitto
from publish_samples import AT, event, later

from edgecam.publish import messages
from edgecam.publish.drafts import EventDraft
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.topics import Topics
from edgecam.publish.wire import Acknowledged, parse_broker
from edgecam.reports import Notice, NoticeKind, NoticeLevel

TOPICS = Topics("edgecam", "door")
S = 1_000_000_000

Sent = tuple[str, dict[str, Any] | bytes]


def an_event(event_id: str, *, label: str = "cat", end: bool = False, delayed_s: int = 0) -> Sent:
    """One end of an episode."""
    body = EventDraft.of(event(end=end), AT, event_id=event_id).render(later(delayed_s * S), replayed=False)
    return TOPICS.event("main"), body | {"label": label}


def a_notice(level: NoticeLevel, message: str) -> Sent:
    """What an operator should know."""
    told = Notice(NoticeKind.CAMERA_LOST, level, message, {"camera": "main"})
    return TOPICS.notice, messages.notice(told, AT)


def publish(broker: Mosquitto, *sent: Sent) -> None:
    """Send it, each accepted before the next."""
    with MqttLink(parse_broker(broker.url), client_id="door") as link:
        while not link.connected:
            link.step(0.1)
        for topic, payload in sent:
            data = payload if isinstance(payload, bytes) else messages.encode(payload)
            link.publish(topic, data, qos=1, retain=False)
            ends_s = time.monotonic() + 10
            while not any(isinstance(one, Acknowledged) for one in link.step(1)):
                if time.monotonic() > ends_s:
                    raise SystemExit("check-consumers: the broker does not answer")

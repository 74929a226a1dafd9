"""The typed subscriber, for other people's Python.

::

    from edgecam.client import EventMessage, Subscriber

    with Subscriber("mqtt://localhost") as messages:
        for message in messages:
            if isinstance(message, EventMessage) and message.event_type == "start":
                print(message.camera, message.label, message.score)
"""

from __future__ import annotations

import logging
import re
import threading
import uuid
from types import TracebackType
from typing import Self

from edgecam.config.rules import ID_PATTERN, check_base
from edgecam.errors import UsageError
from edgecam.publish.fleet import CameraView, DeviceView, Fleet
from edgecam.publish.inbox import Inbox
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.received import (
    AvailabilityMessage,
    CameraFigures,
    CameraMessage,
    EventMessage,
    InfoMessage,
    Message,
    NoticeMessage,
    PredictionMessage,
    Spread,
    StateMessage,
    StatsMessage,
    parse_message,
)
from edgecam.publish.repeats import Repeats
from edgecam.publish.topics import CameraTopic, DeviceTopic, parse_topic
from edgecam.publish.wire import LinkStatus, LinkTiming, Protocol, Received, parse_broker
from edgecam.tls import NO_FILES, TlsError, TlsFiles, make_context

__all__ = [
    "AvailabilityMessage",
    "CameraFigures",
    "CameraMessage",
    "CameraView",
    "DeviceView",
    "EventMessage",
    "Fleet",
    "InfoMessage",
    "LinkStatus",
    "Message",
    "NoticeMessage",
    "PredictionMessage",
    "Spread",
    "StateMessage",
    "StatsMessage",
    "Subscriber",
    "TlsFiles",
]

log = logging.getLogger(__name__)

_STEP_S = 0.5
# A stranger may invent topics without end.
_MOST_TOLD_TOPICS = 1000
# More than an outbox holds by default: a device may send all of it again.
_REMEMBERED_IDS = 20_000
# A snapshot of a large sensor fits.
_MAX_PACKET_BYTES = 16 * 1024 * 1024


class Subscriber:
    """Iterates over what devices publish; connects, and connects again, in a thread of its own.

    `device` and `camera` may be `+`: all of them. A malformed payload is counted and logged once per topic.
    An event that comes again is dropped by its id. The inbox is bounded: who reads too slowly loses the
    oldest predictions first.

    With a `group`, subscribers of the same name share the events: each goes to one of them (MQTT 5). They
    hear nothing but events: no retained states; no order per camera; a repeat may go to another member.
    """

    def __init__(
        self,
        url: str,
        *,
        base: str = "edgecam",
        device: str = "+",
        camera: str = "+",
        username: str | None = None,
        password: str | None = None,
        tls: TlsFiles = NO_FILES,
        protocol: Protocol = Protocol.AUTO,
        group: str | None = None,
        max_messages: int = 1000,
        timing: LinkTiming | None = None,
    ) -> None:
        """Prepare; raises UsageError for what is no URL, no topic prefix, no id, no group, no certificate."""
        try:
            address = parse_broker(url, username=username, password=password, tls=tls)
            if tls != NO_FILES:
                make_context(tls)
        except ValueError as error:
            raise UsageError(f"broker: {error}") from None
        except TlsError as error:
            raise UsageError(str(error)) from None
        _check_filter(base=base, device=device, camera=camera)
        if group is not None:
            protocol = _check_group(group, protocol)
        self._base = base
        self._link = MqttLink(
            address,
            client_id=f"edgecam-sub-{uuid.uuid4().hex[:10]}",
            protocol=protocol,
            subscriptions=_subscriptions(f"{base}/{device}", camera, group),
            timing=timing,
            max_packet_bytes=_MAX_PACKET_BYTES,
        )
        self._inbox = Inbox(max_messages)
        self._repeats = Repeats(_REMEMBERED_IDS)
        self._faulty_topics: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edgecam-subscriber", daemon=True)
        self._failure: BaseException | None = None
        self.malformed = 0
        """Payloads that could not be read."""
        self.repeats = 0
        """Events that came again."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message:
        message = self.get()
        if message is None:
            raise StopIteration
        return message

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and is still there."""
        return self._link.connected

    @property
    def status(self) -> LinkStatus:
        """How the connection is, and why there is none."""
        return self._link.status

    @property
    def dropped(self) -> int:
        """Messages lost because nobody read them in time."""
        return self._inbox.dropped

    def get(self, timeout_s: float | None = None) -> Message | None:
        """The next message; None after `timeout_s`, or when the subscriber was closed.

        Raises:
            BaseException: whatever ended the thread that listens; it would never hear anything again.
        """
        message = self._inbox.get(timeout_s)
        if message is None and self._failure is not None:
            raise self._failure
        return message

    def close(self) -> None:
        """Leave the broker; an iteration ends after what has come already. From any thread; idempotent."""
        self._stop.set()
        self._link.wake()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        if self._thread.ident is None:
            # Never entered: nobody else will.
            self._link.close()
        self._inbox.close()

    def _run(self) -> None:
        try:
            with self._link:
                while not self._stop.is_set():
                    for happening in self._link.step(_STEP_S):
                        if isinstance(happening, Received):
                            self._take(happening)
        except BaseException as error:  # noqa: BLE001 - told to whoever reads
            self._failure = error
        finally:
            self._inbox.close()

    def _take(self, received: Received) -> None:
        address = parse_topic(received.topic, base=self._base)
        # An empty retained payload is how a topic is cleared.
        if address is None or not received.payload:
            return
        try:
            message = parse_message(received.topic, address, received.payload, retained=received.retained)
        except ValueError as error:
            self.malformed += 1
            if received.topic not in self._faulty_topics and len(self._faulty_topics) < _MOST_TOLD_TOPICS:
                self._faulty_topics.add(received.topic)
                log.warning("message ignored topic=%s reason=%s", received.topic, error)
            return
        if isinstance(message, EventMessage) and self._repeats.is_repeat(message.topic, message.id):
            self.repeats += 1
            return
        self._inbox.put(message)


def _check_filter(*, base: str, device: str, camera: str) -> None:
    try:
        check_base(base)
    except ValueError as error:
        raise UsageError(f"base: {error}") from None
    for name, level in (("device", device), ("camera", camera)):
        if level != "+" and not re.fullmatch(ID_PATTERN, level):
            raise UsageError(f'{name}: expected an id (a-z, 0-9, _ and -) or + for all, got "{level}"')


def _check_group(group: str, protocol: Protocol) -> Protocol:
    """The version to speak; where none but 3.1.1 is spoken, `$share` is a topic that nobody publishes on."""
    if not re.fullmatch(ID_PATTERN, group):
        raise UsageError(f'group: expected a name (a-z, 0-9, _ and -), got "{group}"')
    if protocol is Protocol.V311:
        raise UsageError("group: shared subscriptions need MQTT 5; leave protocol to auto")
    return Protocol.V5


def _subscriptions(prefix: str, camera: str, group: str | None) -> list[tuple[str, int]]:
    if group is not None:
        return [(f"$share/{group}/{prefix}/{camera}/{CameraTopic.EVENT}", 1)]
    return [
        *((f"{prefix}/{name}", _qos(name)) for name in DeviceTopic),
        *((f"{prefix}/{camera}/{name}", _qos(name)) for name in CameraTopic),
    ]


def _qos(name: DeviceTopic | CameraTopic) -> int:
    return 0 if name in {DeviceTopic.STATS, CameraTopic.PREDICTION} else 1

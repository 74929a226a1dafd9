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
from collections import deque
from types import TracebackType
from typing import Self

from edgecam.config.rules import ID_PATTERN, check_base
from edgecam.errors import UsageError
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
from edgecam.publish.topics import CameraTopic, DeviceTopic, parse_topic
from edgecam.publish.wire import LinkTiming, Protocol, Received, parse_broker

__all__ = [
    "AvailabilityMessage",
    "CameraFigures",
    "CameraMessage",
    "EventMessage",
    "InfoMessage",
    "Message",
    "NoticeMessage",
    "PredictionMessage",
    "Spread",
    "StateMessage",
    "StatsMessage",
    "Subscriber",
]

log = logging.getLogger(__name__)

_STEP_S = 0.5
# A stranger may invent topics without end.
_MOST_TOLD_TOPICS = 1000


class Subscriber:
    """Iterates over what devices publish; connects, and connects again, in a thread of its own.

    `device` and `camera` may be `+`: all of them. A malformed payload is counted and logged once per topic.
    The inbox is bounded: who reads too slowly loses the oldest predictions first.
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
        protocol: Protocol = Protocol.AUTO,
        max_messages: int = 1000,
        timing: LinkTiming | None = None,
    ) -> None:
        """Prepare; raises UsageError for what is no URL, no topic prefix or no id."""
        try:
            address = parse_broker(url, username=username, password=password)
        except ValueError as error:
            raise UsageError(f"broker: {error}") from None
        _check_filter(base=base, device=device, camera=camera)
        subscriptions = [
            *((f"{base}/{device}/{name}", _qos(name)) for name in DeviceTopic),
            *((f"{base}/{device}/{camera}/{name}", _qos(name)) for name in CameraTopic),
        ]
        self._base = base
        self._link = MqttLink(
            address,
            client_id=f"edgecam-sub-{uuid.uuid4().hex[:10]}",
            protocol=protocol,
            subscriptions=subscriptions,
            timing=timing,
        )
        self._inbox = _Inbox(max_messages)
        self._faulty_topics: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edgecam-subscriber", daemon=True)
        self._failure: BaseException | None = None
        self.malformed = 0
        """Payloads that could not be read."""

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
        self._inbox.put(message)


def _check_filter(*, base: str, device: str, camera: str) -> None:
    try:
        check_base(base)
    except ValueError as error:
        raise UsageError(f"base: {error}") from None
    for name, level in (("device", device), ("camera", camera)):
        if level != "+" and not re.fullmatch(ID_PATTERN, level):
            raise UsageError(f'{name}: expected an id (a-z, 0-9, _ and -) or + for all, got "{level}"')


def _qos(name: DeviceTopic | CameraTopic) -> int:
    return 0 if name in {DeviceTopic.STATS, CameraTopic.PREDICTION} else 1


class _Inbox:
    """A bounded queue between the two threads."""

    def __init__(self, max_messages: int) -> None:
        self._max_messages = max_messages
        self._messages: deque[Message] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.dropped = 0

    def put(self, message: Message) -> None:
        """Never waits; when full, the oldest prediction goes, or else the oldest of all."""
        with self._changed:
            if len(self._messages) >= self._max_messages:
                self.dropped += 1
                del self._messages[self._victim()]
            self._messages.append(message)
            self._changed.notify()

    def get(self, timeout_s: float | None) -> Message | None:
        """The oldest; None after the time, or when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._messages or self._closed, timeout_s)
            return self._messages.popleft() if self._messages else None

    def _victim(self) -> int:
        predictions = (i for i, m in enumerate(self._messages) if isinstance(m, PredictionMessage))
        return next(predictions, 0)

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

"""What a subscriber of another make sees: plain paho-mqtt in its own thread, MQTT 5 or 3.1.1."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


@dataclass(frozen=True)
class Heard:
    """One message from the wire."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    properties: dict[str, Any]
    """MQTT 5: as sent."""

    @property
    def body(self) -> dict[str, Any]:
        """The payload, from JSON."""
        body: dict[str, Any] = json.loads(self.payload)
        return body


class Listener:
    """Hears everything under `topic`, reconnecting by itself."""

    def __init__(self, port: int, topic: str = "#", *, version5: bool = True, **login: str) -> None:
        protocol = MQTTProtocolVersion.MQTTv5 if version5 else MQTTProtocolVersion.MQTTv311
        self.heard: list[Heard] = []
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._port = port
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        if login:
            self._client.username_pw_set(**login)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._subscribed.wait(10), "the listener could not subscribe"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def expect_loss(self) -> None:
        """Call it while the broker is away, before `wait_back`."""
        self._subscribed.clear()

    def wait_back(self) -> None:
        """Wait until it is subscribed again after the broker went away."""
        assert self._subscribed.wait(10), "the listener did not come back"

    def forget(self) -> None:
        """Forget what was heard, and that it is subscribed."""
        self._subscribed.clear()
        self.heard.clear()

    def on(self, topic: str) -> list[Heard]:
        """What was heard on one topic so far."""
        return [heard for heard in list(self.heard) if heard.topic == topic]

    def wait(self, done: Callable[[], object], timeout_s: float = 10.0) -> None:
        """Wait until `done()` is true of what was heard."""
        ends = time.monotonic() + timeout_s
        with self._changed:
            while not done():
                left = ends - time.monotonic()
                assert left > 0, f"not heard in time; heard: {Counter(heard.topic for heard in self.heard)}"
                self._changed.wait(left)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        properties = message.properties.json() if message.properties else {}  # type: ignore[no-untyped-call]
        heard = Heard(message.topic, bytes(message.payload), message.qos, message.retain, properties)
        with self._changed:
            self.heard.append(heard)
            self._changed.notify_all()

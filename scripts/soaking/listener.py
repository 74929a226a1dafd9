"""What a subscriber sees of one device: fresh results, what it is told, and what is stale and unmarked."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode


class Listener:
    """Straight to the broker, back within a second of its return."""

    def __init__(self, port: int, *, device: str, camera: str, budget_ms: float) -> None:
        self._topic = f"edgecam/{device}"
        self._camera = camera
        self._budget_ms = budget_ms
        self._lock = threading.Condition()
        self._captured_s = 0.0
        """When the newest frame with a result on time was captured, at the latest; on the monotonic clock."""
        self._heard_s = 0.0
        self._notices: list[tuple[float, str, str]] = []
        self.results = self.late = 0
        self.unmarked: list[str] = []
        """Results older than the budget that did not say so."""
        self.last_ts = ""
        """Wall clock of the newest result, as it says."""
        self.is_subscribed = False
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"soak-{device}")
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def fresh_since(self, since_s: float, *, timeout_s: float) -> float | None:
        """When a result of a frame captured after `since_s` was first heard; None if not in time."""
        with self._lock:
            came = self._lock.wait_for(lambda: self._captured_s >= since_s, timeout_s)
            return self._heard_s if came else None

    def notice_since(self, since_s: float, kind: str, *, timeout_s: float) -> str | None:
        """The text of a notice of that kind that came after `since_s`; None if none did in time."""

        def found() -> list[str]:
            return [text for at_s, told, text in self._notices if at_s >= since_s and told == kind]

        with self._lock:
            self._lock.wait_for(found, timeout_s)
            return next(iter(found()), None)

    def close(self) -> None:
        """End it."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self,
        client: Client,
        _data: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _more: Properties | None,
    ) -> None:
        if not reason.is_failure:
            client.subscribe(f"{self._topic}/#", qos=0)
            self.is_subscribed = True

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        now_s = time.monotonic()
        kind = message.topic.rpartition("/")[2]
        if message.retain or kind not in {"prediction", "state", "event", "notice"}:
            return
        said = json.loads(message.payload)
        with self._lock:
            if kind == "notice":
                self._notices = [*self._notices[-50:], (now_s, said["kind"], said["message"])]
            else:
                self._result(kind, said, now_s, message.topic)
            self._lock.notify_all()

    def _result(self, kind: str, said: dict[str, Any], now_s: float, topic: str) -> None:
        age_ms, late = said.get("age_ms"), said.get("late")
        # An event is about a moment, and says how long it waited; the other two are about now.
        if kind == "event" or age_ms is None:
            return
        if age_ms > self._budget_ms and not late and not said.get("replayed"):
            self.unmarked.append(f"{topic}: age_ms {age_ms}, not late")
        if kind == "prediction" and said["camera"] == self._camera:
            self.results += 1
            self.late += bool(late)
            captured_s = now_s - age_ms / 1000
            if not late and captured_s > self._captured_s:
                self._captured_s, self._heard_s, self.last_ts = captured_s, now_s, said["ts"]

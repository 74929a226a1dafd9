"""The consumer of the simulation: every event at QoS 1, in a session that the broker keeps."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from fleet_simulation.devices import BASE, CAMERA

_KEEP_SESSION_S = 3600

Key = tuple[str, str]
"""Episode and type of an event."""


class Consumer:
    """Counts what it hears; see `faults`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._ids: dict[str, dict[Key, str]] = defaultdict(dict)
        """By device, in the order of first arrival."""
        self._faults: list[str] = []
        self.heard = 0
        """Different events."""
        self.repeats = 0
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id="fleet-consumer", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(f"{BASE}/+/{CAMERA}/event", qos=1)

    def __enter__(self) -> Self:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # as paho has it
        properties.SessionExpiryInterval = _KEEP_SESSION_S
        self._client.connect("127.0.0.1", self._port, clean_start=False, properties=properties)
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def faults(self, decided: dict[str, int]) -> list[str]:
        """What is lost, out of order or with a wrong id, given how many events each device has decided."""
        found = list(self._faults)
        with self._lock:
            for device, count in decided.items():
                wanted = [(str(n // 2), "end" if n % 2 else "start") for n in range(count)]
                got = list(self._ids[device])
                lost = set(wanted) - set(got)
                if lost:
                    found.append(f"{device}: {len(lost)} of {count} events lost")
                elif got != wanted:
                    found.append(f"{device}: events out of order")
        return found

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        event = json.loads(message.payload)
        device, key = message.topic.split("/")[1], (event["episode"], event["event_type"])
        with self._lock:
            ids = self._ids[device]
            if key not in ids:
                ids[key] = event["id"]
                self.heard += 1
                return
            self.repeats += 1
            if ids[key] != event["id"]:
                self._faults.append(f"{device}: a repeat of {key} has another id")

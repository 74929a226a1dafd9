"""A subscriber in a process of its own: when did each prediction arrive? Run as `subscriber.py PORT`.

Prints `ready`; each line on its standard input is answered by a JSON line, [[camera, seq, BOOTTIME ns], …] of
all that has come since the last. A message has arrived when its bytes can be read from the socket.
"""

from __future__ import annotations

import json
import select
import sys
import time

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

_PATIENCE_S = 0.5


class Listener:
    """Keeps what has arrived."""

    def __init__(self, port: int) -> None:
        self._arrived_ns = 0
        self._heard: list[tuple[int, bytes]] = []
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: print("ready", flush=True)
        self._client.on_message = self._keep
        self._client.connect("127.0.0.1", port)

    def serve(self) -> None:
        """Until the standard input ends."""
        while (socket := self._client.socket()) is not None:
            write = [socket] if self._client.want_write() else []
            ready, _, _ = select.select([socket, sys.stdin], write, [], _PATIENCE_S)
            self._arrived_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            if socket in ready:
                self._client.loop_read()
            if write:
                self._client.loop_write()
            self._client.loop_misc()
            if sys.stdin in ready:
                if not sys.stdin.readline():
                    return
                self._tell()

    def _subscribe(self, *_: object) -> None:
        self._client.subscribe("edgecam/bench/+/prediction", qos=0)

    def _keep(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._heard.append((self._arrived_ns, bytes(message.payload)))

    def _tell(self) -> None:
        heard, self._heard = self._heard, []
        parsed = [(json.loads(payload), arrived_ns) for arrived_ns, payload in heard]
        print(json.dumps([(said["camera"], said["seq"], at_ns) for said, at_ns in parsed]), flush=True)


if __name__ == "__main__":
    Listener(int(sys.argv[1])).serve()

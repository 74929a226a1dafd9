"""One connection to a broker, from the attempt to its end: with `paho_client` the only file that knows paho.

paho runs without a thread and without a queue here: `wait` reads and writes, `publish` writes at once.
"""

from __future__ import annotations

import copy
import logging
import math
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edgecam.publish.paho_client import PahoClient, message_properties
from edgecam.publish.pulse import Pulse
from edgecam.publish.wire import (
    SESSION_TAKEN,
    Acknowledged,
    BrokerAddress,
    Happening,
    LinkTiming,
    Protocol,
    Received,
    Will,
)

log = logging.getLogger(__name__)

# Few enough that a slow broker delays a fresh state by little, enough to fill a long line.
_WINDOW = 20
# The most that MQTT can express (MQTT 5, 2.1.4).
MAX_PACKET_BYTES = 268_435_455 + 5


class Session:
    """A client of paho's and what it was told; used by one thread at a time."""

    def __init__(
        self,
        address: BrokerAddress,
        *,
        client_id: str,
        version: Protocol,
        will: Will | None,
        subscriptions: Sequence[tuple[str, int]],
        max_packet_bytes: int,
        is_retired: Callable[[], bool] = lambda: False,
    ) -> None:
        self._address = address
        self._is_v5 = version is Protocol.V5
        self._subscriptions = list(subscriptions)
        self._happenings: list[Happening] = []
        self.window = _WINDOW
        """How many messages at QoS 1 the broker takes unanswered."""
        self.takes_bytes = MAX_PACKET_BYTES
        """The largest packet that the broker takes, if it says so (MQTT 5)."""
        self.accepted = False
        self.answer: ReasonCode | None = None
        """The broker's answer to CONNECT."""
        self.farewell: ReasonCode | None = None
        """Why the broker ended the connection, if it said so (MQTT 5)."""
        self.silent = False
        """True when the other end has gone without a word."""
        self._fault: str | None = None
        self._is_deaf_told = False
        self._pulse = Pulse(0, now_s=time.monotonic())
        self._client = PahoClient(
            address,
            client_id=client_id,
            version=version,
            will=will,
            max_packet_bytes=max_packet_bytes,
            is_retired=is_retired,
        )
        self._known_properties: dict[tuple[str, int | None], Properties | None] = {}
        self._poll = select.poll()
        self._polled = (-1, False)
        """Socket, and whether it is asked for writing, as told to `_poll`."""
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    @property
    def ended(self) -> bool:
        """True when there is no connection (any more)."""
        return self.silent or self._fault is not None or self._client.socket() is None

    @property
    def encrypted(self) -> bool:
        """True over TLS."""
        return self._address.encrypted

    @property
    def tls_failure(self) -> str | None:
        """How TLS failed after the handshake, in words; None if it did not."""
        return self._client.tls_failure

    @property
    def fault(self) -> str | None:
        """What was wrong with what the broker sent, in words; None: nothing."""
        if self._client.oversized_bytes:
            return f"it sent a packet of {self._client.oversized_bytes} bytes, more than is taken"
        return self._fault

    @property
    def session_taken(self) -> bool:
        """True if the broker ended the connection as another client has our id."""
        return self.farewell is not None and self.farewell.value == SESSION_TAKEN

    @property
    def congested(self) -> bool:
        """True while what was published before has not left this machine."""
        return self._client.want_write()

    def start(self, timing: LinkTiming) -> None:
        """Connect the socket and send CONNECT; raises as `PahoClient.start`."""
        self._client.start(timing)

    def wait(self, waker: socket.socket, timeout_s: float, turn: threading.Lock) -> None:
        """Wait for the broker or for a byte on `waker`, without the turn; read and write what can be."""
        sock = self._client.socket()
        if sock is None:
            return
        ours = sock.fileno()
        self._ask_poll(ours, waker)
        readable = self._client.held
        timeout_s = 0.0 if readable else min(timeout_s, self._pulse.due_s(time.monotonic()))
        turn.release()
        try:
            ready = self._poll.poll(math.ceil(timeout_s * 1000))
        finally:
            turn.acquire()
        writable = False
        for number, events in ready:
            readable = readable or (number == ours and events & ~select.POLLOUT != 0)
            writable = writable or (number == ours and events & select.POLLOUT != 0)
        if readable:
            self._read()
        if self._fault is not None:
            return
        if writable:
            self._client.loop_write()
        self._client.loop_misc()
        self._take_pulse()

    def _read(self) -> None:
        """Let paho read; whatever it cannot make sense of ends this connection, not the program."""
        try:
            self._client.loop_read()
        except Exception as error:  # noqa: BLE001 - paho lets many kinds through
            self._fault = f"it sent a packet that cannot be read ({error!r:.200})"
        self._pulse.heard(time.monotonic())

    def _take_pulse(self) -> None:
        """Paho has sent the ping if one was due; see whether the answer is overdue."""
        now_s = time.monotonic()
        if self._pulse.lost(now_s):
            self.silent = True
        self._pulse.asked(now_s)

    def _ask_poll(self, ours: int, waker: socket.socket) -> None:
        """Tell the poll object what to watch; each message comes by here, and seldom changes it."""
        wanted = (ours, self._client.want_write())
        if wanted != self._polled:
            self._polled = wanted
            self._poll.register(waker, select.POLLIN)
            self._poll.register(ours, select.POLLIN | (select.POLLOUT if wanted[1] else 0))

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        content_type: str,
        expiry_s: int | None,
        correlation: bytes | None = None,
    ) -> int | None:
        """Write a message to the socket; returns paho's message id, or None if that failed."""
        kind = (content_type, expiry_s)
        if kind not in self._known_properties:
            self._known_properties[kind] = (
                message_properties(PacketTypes.PUBLISH, content_type, expiry_s) if self._is_v5 else None
            )
        properties = self._known_properties[kind]
        if correlation is not None and properties is not None:
            properties = copy.copy(properties)
            properties.CorrelationData = correlation
        # Nobody asks whether a message at QoS 0 has left; to say so takes paho as long as to send it.
        self._client.on_publish = self._on_publish if qos else None
        info = self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        self._client.on_publish = self._on_publish
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def happenings(self) -> list[Happening]:
        """What the broker said since the last call."""
        happenings, self._happenings = self._happenings, []
        return happenings

    def say_goodbye(self) -> None:
        """Send DISCONNECT; the socket closes when it has left."""
        self._client.disconnect()

    def abandon(self) -> None:
        """Close the socket without a word: the broker will send the will."""
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _on_connect(
        self,
        client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self.answer = reason
        if reason.is_failure:
            return
        self.accepted = True
        # The broker may have set another than we wished.
        self._pulse = Pulse(client.keepalive, now_s=time.monotonic())
        self.window = min(_WINDOW, getattr(properties, "ReceiveMaximum", _WINDOW))
        self.takes_bytes = getattr(properties, "MaximumPacketSize", MAX_PACKET_BYTES)
        if self._subscriptions:
            client.subscribe(self._subscriptions)

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self.farewell = reason

    def _on_publish(
        self, _client: Client, _userdata: object, mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._happenings.append(Acknowledged(mid, accepted=not reason.is_failure, reason=str(reason)))

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        for (topic, _), reason in zip(self._subscriptions, reasons, strict=False):
            if reason.is_failure:
                log.warning("subscription refused topic=%s reason=%s", topic, reason)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            level = logging.DEBUG if self._is_deaf_told else logging.WARNING
            self._is_deaf_told = True
            log.log(level, "message ignored: its topic is not UTF-8")
            return
        asked = message.properties
        self._happenings.append(
            Received(
                topic,
                bytes(message.payload),
                retained=message.retain,
                response_topic=getattr(asked, "ResponseTopic", None),
                correlation=getattr(asked, "CorrelationData", None),
            )
        )

"""One connection to a broker, from the attempt to its end: the only file that knows paho-mqtt.

paho runs without a thread and without a queue here: `wait` reads and writes, `publish` writes at once.
"""

from __future__ import annotations

import copy
import logging
import math
import select
import socket
import ssl
import threading
import time
from collections.abc import Sequence

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edgecam.publish.pulse import Pulse
from edgecam.publish.transport import WebSocketError, open_socket
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
from edgecam.tls import TlsSocket

log = logging.getLogger(__name__)

_PAHO_VERSION = {Protocol.V5: MQTTProtocolVersion.MQTTv5, Protocol.V311: MQTTProtocolVersion.MQTTv311}
# Few enough that a slow broker delays a fresh state by little, enough to fill a long line.
_WINDOW = 20


class _Client(Client):
    """paho's, on a socket of ours, which it would open without options, and leave open when it fails."""

    address: BrokerAddress
    timing: LinkTiming
    our_socket: socket.socket | None = None

    def _create_socket_connection(self) -> socket.socket:
        self.our_socket = open_socket(self.address, self.timing)
        return self.our_socket


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
    ) -> None:
        self._address = address
        self._is_v5 = version is Protocol.V5
        self._subscriptions = list(subscriptions)
        self._happenings: list[Happening] = []
        self.window = _WINDOW
        """How many messages at QoS 1 the broker takes unanswered."""
        self.accepted = False
        self.answer: ReasonCode | None = None
        """The broker's answer to CONNECT."""
        self.farewell: ReasonCode | None = None
        """Why the broker ended the connection, if it said so (MQTT 5)."""
        self.silent = False
        """True when the other end has gone without a word."""
        self._pulse = Pulse(0, now_s=time.monotonic())
        self._client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=_PAHO_VERSION[version],
            # Otherwise paho tries version 3.1 by itself, in the middle of a read.
            reconnect_on_failure=False,
            transport="websockets" if address.websocket else "tcp",
        )
        self._client.address = address
        if address.websocket:
            self._client.ws_set_options(address.path, headers=_without_origin)
        # 0: paho hands over at once; `window` is kept by whoever publishes.
        self._client.max_inflight_messages = 0
        if address.username is not None:
            self._client.username_pw_set(address.username, address.password)
        if will is not None:
            properties = self._properties(PacketTypes.WILLMESSAGE, content_type="text/plain", expiry_s=None)
            self._client.will_set(will.topic, will.payload, qos=1, retain=True, properties=properties)
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
        return self.silent or self._client.socket() is None

    @property
    def encrypted(self) -> bool:
        """True over TLS."""
        return self._address.encrypted

    @property
    def tls_failure(self) -> str | None:
        """How TLS failed after the handshake, in words; None if it did not."""
        sock = self._client.our_socket
        return sock.failure if isinstance(sock, TlsSocket) else None

    @property
    def session_taken(self) -> bool:
        """True if the broker ended the connection as another client has our id."""
        return self.farewell is not None and self.farewell.value == SESSION_TAKEN

    @property
    def congested(self) -> bool:
        """True while what was published before has not left this machine."""
        return self._client.want_write()

    def start(self, timing: LinkTiming) -> None:
        """Connect the socket and send CONNECT.

        Raises:
            TlsError: no encryption, or none to be trusted.
            WebSocketError: the host is there, but no WebSocket.
            OSError: the host cannot be reached.
            UnicodeError: its name is none.
        """
        self._client.timing = timing
        self._client.connect_timeout = timing.connect_s
        try:
            self._client.connect(self._address.host, self._address.port, timing.keepalive_s)
        except (OSError, ValueError, IndexError) as error:
            sock = self._client.our_socket
            if sock is None:
                raise
            # What paho makes of an answer that is no WebSocket's.
            sock.close()
            raise WebSocketError(self.tls_failure or str(error), path=self._address.path) from None

    def wait(self, waker: socket.socket, timeout_s: float, turn: threading.Lock) -> None:
        """Wait for the broker or for a byte on `waker`, without the turn; read and write what can be."""
        sock = self._client.socket()
        if sock is None:
            return
        ours = sock.fileno()
        self._ask_poll(ours, waker)
        # TLS decrypts whole records: what lies there already, poll does not see.
        readable = (
            isinstance(self._client.our_socket, ssl.SSLSocket) and self._client.our_socket.pending() > 0
        )
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
            self._client.loop_read()
            self._pulse.heard(time.monotonic())
        if writable:
            self._client.loop_write()
        self._client.loop_misc()
        self._take_pulse()

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
            self._known_properties[kind] = self._properties(
                PacketTypes.PUBLISH, content_type=content_type, expiry_s=expiry_s
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

    def _properties(self, packet_type: int, *, content_type: str, expiry_s: int | None) -> Properties | None:
        """What MQTT 5 lets us say of a message; None for 3.1.1."""
        if not self._is_v5:
            return None
        properties = Properties(packet_type)  # type: ignore[no-untyped-call] # as paho has it
        properties.ContentType = content_type
        properties.PayloadFormatIndicator = int(not content_type.startswith("image/"))  # 1: UTF-8
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        return properties

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
        asked = message.properties
        self._happenings.append(
            Received(
                message.topic,
                bytes(message.payload),
                retained=message.retain,
                response_topic=getattr(asked, "ResponseTopic", None),
                correlation=getattr(asked, "CorrelationData", None),
            )
        )


def _without_origin(headers: dict[str, str]) -> dict[str, str]:
    """The handshake's headers: `Origin` is for browsers, and a server may hold it against us."""
    return {name: text for name, text in headers.items() if name != "Origin"}

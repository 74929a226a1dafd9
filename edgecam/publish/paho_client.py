"""A client of paho's, set up as we need it: on a socket of ours, without a queue, for one attempt."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edgecam.publish.transport import WebSocketError, open_socket
from edgecam.publish.wire import BrokerAddress, LinkTiming, Protocol, Will
from edgecam.tls import TlsSocket

_PAHO_VERSION = {Protocol.V5: MQTTProtocolVersion.MQTTv5, Protocol.V311: MQTTProtocolVersion.MQTTv311}


class PahoClient(Client):
    """Connects once; paho itself would set no option on its socket, and leave it open when it fails."""

    def __init__(
        self,
        address: BrokerAddress,
        *,
        client_id: str,
        version: Protocol,
        will: Will | None,
        max_packet_bytes: int,
        is_retired: Callable[[], bool],
    ) -> None:
        self._address = address
        self._is_v5 = version is Protocol.V5
        self._max_packet_bytes = max_packet_bytes
        self._is_retired = is_retired
        self.oversized_bytes = 0
        """How long the packet was for which the connection was ended; 0: there was none."""
        self._timing = LinkTiming()
        self._our_socket: socket.socket | None = None
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=_PAHO_VERSION[version],
            # Otherwise paho tries version 3.1 by itself, in the middle of a read.
            reconnect_on_failure=False,
            transport="websockets" if address.websocket else "tcp",
        )
        if address.websocket:
            self.ws_set_options(address.path, headers=_without_origin)
        # 0: paho hands over at once; the window is kept by whoever publishes.
        self.max_inflight_messages = 0
        if address.username is not None:
            self.username_pw_set(address.username, address.password)
        if will is not None:
            properties = None
            if self._is_v5:
                properties = message_properties(PacketTypes.WILLMESSAGE, "text/plain", None)
            self.will_set(will.topic, will.payload, qos=1, retain=True, properties=properties)

    @property
    def tls_failure(self) -> str | None:
        """How TLS failed after the handshake, in words; None if it did not."""
        return self._our_socket.failure if isinstance(self._our_socket, TlsSocket) else None

    @property
    def held(self) -> bool:
        """True if there is something to read that poll does not see: TLS decrypts whole records."""
        return isinstance(self._our_socket, ssl.SSLSocket) and self._our_socket.pending() > 0

    def start(self, timing: LinkTiming) -> None:
        """Connect the socket and send CONNECT.

        Raises:
            TlsError: no encryption, or none to be trusted.
            WebSocketError: the host is there, but no WebSocket.
            OSError: the host cannot be reached.
            UnicodeError: its name is none.
        """
        self._timing = timing
        self.connect_timeout = timing.connect_s
        try:
            self.connect(
                self._address.host, self._address.port, timing.keepalive_s, properties=self._wishes()
            )
        except (OSError, ValueError, IndexError) as error:
            if self._our_socket is None:
                raise
            # What paho makes of an answer that is no WebSocket's.
            self._our_socket.close()
            raise WebSocketError(self.tls_failure or str(error), path=self._address.path) from None

    def _wishes(self) -> Properties | None:
        if not self._is_v5:
            return None
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # as paho has it
        properties.MaximumPacketSize = self._max_packet_bytes
        return properties

    def _sock_recv(self, bufsize: int) -> bytes:
        """Read; a packet that is too long counts as the connection's end, before a byte of it is kept.

        MQTT 3.1.1 has no word for the limit, and not every broker heeds that of MQTT 5.
        """
        coming = self._in_packet
        if coming["have_remaining"] and coming["remaining_length"] > self._max_packet_bytes:
            self.oversized_bytes = coming["remaining_length"]
            return b""
        return super()._sock_recv(bufsize)

    def _create_socket_connection(self) -> socket.socket:
        self._our_socket = open_socket(self._address, self._timing)
        if self._is_retired():
            # A name server, or the broker, took so long that another link with our client id is there.
            self._our_socket.close()
            raise OSError(errno.ECANCELED, "this connection is not wanted any more")
        return self._our_socket


def message_properties(packet_type: int, content_type: str, expiry_s: int | None) -> Properties:
    """What MQTT 5 lets us say of a message."""
    properties = Properties(packet_type)  # type: ignore[no-untyped-call] # as paho has it
    properties.ContentType = content_type
    properties.PayloadFormatIndicator = int(not content_type.startswith("image/"))  # 1: UTF-8
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    return properties


def _without_origin(headers: dict[str, str]) -> dict[str, str]:
    """The handshake's headers: `Origin` is for browsers, and a server may hold it against us."""
    return {name: text for name, text in headers.items() if name != "Origin"}

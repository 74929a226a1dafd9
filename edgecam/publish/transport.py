"""The socket to a broker: TCP, and TLS on it where the URL says so."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

from edgecam.publish.wire import BrokerAddress, LinkTiming
from edgecam.tls import check_dates, make_context, wrap


class WebSocketError(OSError):
    """Somebody is there, but no WebSocket at this path."""

    def __init__(self, text: str, *, path: str) -> None:
        super().__init__(f"no WebSocket at {path} ({text}): check port and path in mqtt.url")


def open_socket(address: BrokerAddress, timing: LinkTiming) -> socket.socket:
    """A connected socket.

    Raises:
        TlsError: a file of ours, or the handshake.
        OSError: the host cannot be reached.
    """
    context = None
    if address.encrypted:
        # Anew each time: certificates are renewed while we run.
        check_dates(address.tls, datetime.now(UTC))
        context = make_context(address.tls)
    sock = socket.create_connection((address.host, address.port), timing.connect_s)
    # Nagle's algorithm would hold a message back until the one before is acknowledged.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # What was sent and is not acknowledged by then will never be: the other end has gone without a word.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timing.keepalive_s * 1000)
    return wrap(sock, context, host=address.host, timeout_s=timing.connect_s) if context else sock

"""A very small HTTP server for `GET /metrics`: one thread, few connections, each with a deadline.

A scraper that is slow, mute or hostile costs one of few places for a moment, never a thread, and no more
memory than its head may be long.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

# Two Prometheus servers that scrape at once, a person with curl, and as many that hang.
MAX_CONNECTIONS = 8
MAX_HEAD_BYTES = 8 * 1024
DEADLINE_S = 5.0
_END_OF_HEAD = b"\r\n\r\n"


class _Connection:
    """One scraper: what it has said, what is left to answer, and until when."""

    def __init__(self, peer: socket.socket, *, deadline_s: float) -> None:
        peer.settimeout(0)
        self.peer = peer
        self.deadline_s = deadline_s
        self.head = bytearray()
        self.left = memoryview(b"")

    def hear(self) -> bool:
        """Read what is there; True if the head is complete, too long, or will come no more."""
        with contextlib.suppress(BlockingIOError):
            heard = self.peer.recv(4096)
            self.head += heard
            return not heard or _END_OF_HEAD in self.head or len(self.head) > MAX_HEAD_BYTES
        return False

    def say(self) -> bool:
        """Write what the other side takes; True if all is said."""
        with contextlib.suppress(BlockingIOError):
            self.left = self.left[self.peer.send(self.left) :]
        return not self.left


class MetricsServer:
    """Listens from the start; `serve` belongs to one thread, `close` may be called from any."""

    def __init__(self, host: str, port: int, render: Callable[[], bytes], *, content_type: str) -> None:
        """Listen.

        Args:
            host: an address or name of this machine.
            port: 0: a free one.
            render: makes the page, for each scrape.
            content_type: of the page.

        Raises:
            OSError: the address cannot be listened on.
        """
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self._listener = socket.create_server(address[:2], family=family, backlog=MAX_CONNECTIONS)
        self._listener.settimeout(0)
        self.port: int = self._listener.getsockname()[1]
        self._render = render
        self._content_type = content_type
        self._connections: dict[socket.socket, _Connection] = {}
        self._alarm, self._waker = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._waker, selectors.EVENT_READ)

    def serve(self) -> None:
        """Answer until `close`."""
        try:
            while self._step():
                pass
        finally:
            for peer in list(self._connections):
                self._drop(peer)
            self._selector.close()
            self._listener.close()
            self._waker.close()

    def close(self) -> None:
        """End `serve`; idempotent."""
        self._alarm.close()

    def _step(self) -> bool:
        for key, _ in self._selector.select(self._patience_s()):
            if key.fileobj is self._waker:
                return False
            if key.fileobj is self._listener:
                self._accept()
            elif isinstance(key.fileobj, socket.socket):
                self._attend(key.fileobj)
        now_s = time.monotonic()
        for peer in [peer for peer, each in self._connections.items() if each.deadline_s <= now_s]:
            self._drop(peer)
        return True

    def _patience_s(self) -> float | None:
        deadlines = [each.deadline_s for each in self._connections.values()]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:
            # Gone again, or no descriptor is left: the others go on, and a busy loop helps nobody.
            time.sleep(0.01)
            return
        if len(self._connections) >= MAX_CONNECTIONS:
            # The oldest has had the most time: who only holds its place makes room.
            self._drop(next(iter(self._connections)))
        self._connections[peer] = _Connection(peer, deadline_s=time.monotonic() + DEADLINE_S)
        self._selector.register(peer, selectors.EVENT_READ)

    def _attend(self, peer: socket.socket) -> None:
        connection = self._connections.get(peer)
        if connection is None:
            # Dropped in this very round, to make room.
            return
        try:
            if not connection.left:
                if not connection.hear():
                    return
                connection.left = memoryview(self._answer(bytes(connection.head)))
                self._selector.modify(peer, selectors.EVENT_WRITE)
            if connection.say():
                # Closed with something unread, the answer could be lost to a reset.
                peer.shutdown(socket.SHUT_WR)
                self._drop(peer)
        except OSError:
            self._drop(peer)

    def _drop(self, peer: socket.socket) -> None:
        del self._connections[peer]
        self._selector.unregister(peer)
        peer.close()

    def _answer(self, head: bytes) -> bytes:
        """A whole answer; a page that cannot be made is told, and hurts nobody else."""
        words = head.split(b"\r\n", 1)[0].split()
        if len(words) != 3 or not words[2].startswith(b"HTTP/") or _END_OF_HEAD not in head:  # noqa: PLR2004 - method, target, version
            return _response("400 Bad Request")
        method, target, _ = words
        if method not in {b"GET", b"HEAD"}:
            return _response("405 Method Not Allowed", more="Allow: GET, HEAD\r\n")
        if target.split(b"?", 1)[0] != b"/metrics":
            return _response("404 Not Found")
        try:
            page = self._render()
        except Exception as error:
            log.exception("metrics cannot be made fault=%s", type(error).__name__)
            return _response("500 Internal Server Error")
        return _response("200 OK", page, self._content_type, with_body=method == b"GET")


def _response(
    status: str,
    body: bytes | None = None,
    kind: str = "text/plain",
    *,
    more: str = "",
    with_body: bool = True,
) -> bytes:
    page = f"{status}\n".encode() if body is None else body
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(page)}\r\n{more}"
    return f"{head}Connection: close\r\n\r\n".encode() + (page if with_body else b"")

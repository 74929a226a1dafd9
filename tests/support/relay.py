"""What stands between a client and a broker: a proxy, plain or over TLS, also one that speaks WebSocket."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 50_000
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class Relay:
    """Passes bytes on to a port of this machine, until it is told to freeze: then it only keeps quiet."""

    def __init__(
        self, to_port: int, *, websocket_path: str | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._to_port = to_port
        self._websocket_path = websocket_path
        self._tls = tls
        self._frozen = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self.origins: list[str] = []
        """The `Origin` headers that came."""

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._frozen.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for sock in self._sockets:
            sock.close()

    def freeze(self) -> None:
        """From now on nothing passes, and nothing is closed."""
        self._frozen.set()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._sockets.append(client)
            with contextlib.suppress(OSError):
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        if self._tls is not None:
            client = self._tls.wrap_socket(client, server_side=True)
            self._sockets.append(client)
        if self._websocket_path is not None and not self._shake_hands(client, self._websocket_path):
            client.close()
            return
        broker = socket.create_connection(("127.0.0.1", self._to_port))
        self._sockets.append(broker)
        frames = self._websocket_path is not None
        self._start(lambda: self._pump(client, broker, _from_frame if frames else _chunk, bytes))
        self._start(lambda: self._pump(broker, client, _chunk, _as_frame if frames else bytes))

    def _pump(
        self,
        source: socket.socket,
        target: socket.socket,
        read: Callable[[socket.socket], bytes],
        packed: Callable[[bytes], bytes],
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := read(source):
                if self._frozen.is_set():
                    return
                target.sendall(packed(chunk))
            target.shutdown(socket.SHUT_RDWR)

    def _shake_hands(self, client: socket.socket, path: str) -> bool:
        """The server's part of RFC 6455, 4.2; False if the request is for another path."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += _exactly(client, 1)
        first, *lines = head.decode().strip().split("\r\n")
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        self.origins += [headers["origin"]] if "origin" in headers else []
        if first.split()[1] != path:
            client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return False
        digest = hashlib.sha1((headers["sec-websocket-key"] + _GUID).encode()).digest()  # noqa: S324 - the protocol's
        client.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        return True


def _chunk(sock: socket.socket) -> bytes:
    return sock.recv(_CHUNK_BYTES)


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = sock.recv(size - len(parts))
        if not part:
            raise ConnectionError("the other side has closed")
        parts += part
    return parts


def _from_frame(sock: socket.socket) -> bytes:
    """The content of a client's next frame (RFC 6455, 5.2), which is masked; empty: it says goodbye."""
    first, second = _exactly(sock, 2)
    close = 8
    size = second & 0x7F
    extended = {126: 2, 127: 8}.get(size)
    size = int.from_bytes(_exactly(sock, extended)) if extended else size
    mask = _exactly(sock, 4)
    content = _exactly(sock, size)
    return b"" if first & 0xF == close else bytes(byte ^ mask[i % 4] for i, byte in enumerate(content))


def _as_frame(content: bytes) -> bytes:
    short = 126
    size = bytes([len(content)]) if len(content) < short else bytes([short]) + len(content).to_bytes(2)
    return bytes([0x82]) + size + content

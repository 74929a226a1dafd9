"""A TCP proxy that cuts connections wherever it stands, also in the middle of a packet."""

from __future__ import annotations

import contextlib
import random
import socket
from threading import Event, Lock, Thread

_CHUNK_BYTES = 4096
_LOOK_S = 0.2


class Proxy:
    """On a free loopback port; `open` lets connections through, `cut` ends them and refuses new ones."""

    def __init__(self, target_port: int, rng: random.Random) -> None:
        self._target_port = target_port
        self._rng = rng
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_LOOK_S)
        self.port = int(self._listener.getsockname()[1])
        self._lock = Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._half_open: set[socket.socket] = set()
        self._bytes_left: int | None = None
        """Until the next cut, of what the client sends; None: no cut is due."""
        self._is_open = True
        self.accepted = 0
        """Connections that were let through so far."""
        self._stop = Event()
        Thread(target=self._accept, daemon=True).start()

    def open(self) -> None:
        """Let connections through."""
        self._is_open = True

    def cut(self) -> None:
        """End all, and refuse new ones until `open`."""
        with self._lock:
            self._is_open = False
            self._end_all()

    def cut_soon(self) -> None:
        """End all within the next few hundred bytes, most probably inside of a packet; new ones may come."""
        with self._lock:
            self._bytes_left = self._rng.randrange(1, 900)

    def swallow(self) -> None:
        """From now on nothing of the present connections arrives, and nothing ends; new ones are well."""
        with self._lock:
            for pair in self._pairs:
                self._half_open.update(pair)

    def close(self) -> None:
        """End everything."""
        self._stop.set()
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target_port), timeout=2)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        with self._lock:
            if not self._is_open:
                client.close()
                server.close()
                return
            self._pairs.append((client, server))
            self.accepted += 1
        for source, sink, is_client in ((client, server, True), (server, client, False)):
            Thread(
                target=self._pump, args=(source, sink), kwargs={"is_client": is_client}, daemon=True
            ).start()

    def _pump(self, source: socket.socket, sink: socket.socket, *, is_client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                if source in self._half_open:
                    continue
                passing = self._share(data) if is_client else data
                sink.sendall(passing)
                if len(passing) < len(data):
                    break
        with self._lock:
            self._half_open -= {source, sink}
            self._pairs = [pair for pair in self._pairs if source not in pair]
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.close()

    def _share(self, data: bytes) -> bytes:
        """What may pass before the cut."""
        with self._lock:
            if self._bytes_left is None:
                return data
            share, self._bytes_left = data[: self._bytes_left], self._bytes_left - len(data)
            if self._bytes_left < 0:
                self._bytes_left = None
            return share

    def _end_all(self) -> None:
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

"""The embedded broker, for first tries and single boxes: amqtt in a child process, MQTT 3.1.1, nothing saved.

The parent's side is `EmbeddedBroker`; `python -m edgecam.publish.broker HOST PORT` is the child. It says
`ready PORT` or `error TEXT` on stdout and lives until its stdin is closed, which a dying parent does, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from edgecam.errors import BrokerError

log = logging.getLogger(__name__)

# A Raspberry Pi Zero 2 imports for several seconds.
_START_S = 30.0
_STOP_S = 1.5
# Once may be a machine that is busy.
_MUTE_ENOUGH = 2
_SHUTDOWN_S = 2.0
_CONNECT_S = 10.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LISTENER = "default"
# Protocol name and level in CONNECT; CONNACK with reason 0x84, unsupported protocol version.
_MQTT_5 = b"\x00\x04MQTT\x05"
_CONNACK_UNSUPPORTED = bytes([0x20, 3, 0, 0x84, 0])
_CONFIG = {
    # The sockets are ours: so port 0 and a port in use can be told from outside.
    "listeners": {_LISTENER: {"type": "external"}},
    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
}


class EmbeddedBroker:
    """A broker of our own, without logins. Port 0 takes a free one, which is kept over restarts."""

    def __init__(self, host: str = "127.0.0.1", port: int = 1883) -> None:
        self.host = host
        self.port = port
        self._child: subprocess.Popen[str] | None = None
        self._mute = 0
        """How often running it did not answer."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """True while the child runs."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start the child and wait until it listens; raises BrokerError with the remedy."""
        try:
            self._child = subprocess.Popen(  # noqa: S603 - this interpreter, this module
                [sys.executable, "-m", "edgecam.publish.broker", self.host, str(self.port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                # `-m` looks here first: the same edgecam as ours.
                cwd=Path(__file__).parents[2],
            )
        except OSError as error:
            raise BrokerError(f"the embedded broker cannot be started: {error.strerror}") from error
        word, _, rest = self._first_line().partition(" ")
        if word != "ready":
            self.stop()
            reason = rest or "it ended or hung"
            if rest == os.strerror(errno.EADDRINUSE):
                reason += "; if another edgecam has it (see `pgrep -af edgecam`), end that one"
            raise BrokerError(
                f"the embedded broker cannot listen on {self.host}:{self.port}: {reason}; "
                f"if another broker runs there, write mqtt.url: mqtt://{self.host}:{self.port}, "
                f"else choose another port: mqtt.url: embedded://{self.host}:PORT"
            )
        self.port = int(rest)
        log.info("embedded broker started host=%s port=%d", self.host, self.port)
        if self.host not in _LOOPBACK:
            log.warning("embedded broker is open to the network, without a login host=%s", self.host)

    def ensure_running(self, *, was_mute: bool = False) -> None:
        """Start it again if it has died, or hangs; raises BrokerError.

        Args:
            was_mute: it did not answer when it was last asked.
        """
        self._mute = self._mute + 1 if was_mute else 0
        if self.alive and self._mute >= _MUTE_ENOUGH:
            log.warning("embedded broker hangs, starting another")
            self.stop()
        if self.alive:
            return
        self._mute = 0
        if self._child is not None:
            log.warning("embedded broker has ended, starting it again code=%s", self._child.returncode)
            self.stop()
        self.start()

    def stop(self) -> None:
        """End the child and wait for it; idempotent."""
        child, self._child = self._child, None
        if child is None:
            return
        with child:
            if child.stdin is not None:
                child.stdin.close()
            try:
                child.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()

    def _first_line(self) -> str:
        child = self._child
        if child is None or child.stdout is None:
            return ""
        ready, _, _ = select.select([child.stdout], [], [], _START_S)
        return child.stdout.readline().strip() if ready else ""


async def _serve(host: str, port: int) -> None:
    from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
    from amqtt.broker import Broker

    class Replaying(StreamReaderAdapter):  # type: ignore[misc] # amqtt is untyped
        """Gives back first what was read already."""

        def __init__(self, head: bytes, reader: asyncio.StreamReader) -> None:
            super().__init__(reader)
            self._head = head

        async def read(self, n: int = -1) -> bytes:
            if not self._head:
                return bytes(await super().read(n))
            start, self._head = self._head[:n], self._head[n:]
            return start if len(start) == n else start + await super().read(n - len(start))

    broker = Broker(_CONFIG)
    await broker.start()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(EOFError, TimeoutError, OSError):
            head = await asyncio.wait_for(_read_connect_head(reader), _CONNECT_S)
            # amqtt would leave such a client without an answer.
            if head.endswith(_MQTT_5):
                writer.write(_CONNACK_UNSUPPORTED)
            else:
                await broker.external_connected(
                    Replaying(head, reader), StreamWriterAdapter(writer), listener_name=_LISTENER
                )

    server = await asyncio.start_server(accept, host, port)
    print("ready", server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the parent reads it
    await asyncio.to_thread(sys.stdin.read)
    server.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(broker.shutdown(), _SHUTDOWN_S)


async def _read_connect_head(reader: asyncio.StreamReader) -> bytes:
    """CONNECT up to its protocol level: type, remaining length (1 to 4 bytes), name, level (MQTT, 3.1)."""
    head = await reader.readexactly(2)
    while head[-1] & 0x80 and len(head) < 5:  # noqa: PLR2004 - see above
        head += await reader.readexactly(1)
    return head + await reader.readexactly(len(_MQTT_5))


def main(host: str, port: int) -> int:
    """The child's life; returns its exit code."""
    # Ctrl-C and systemd's SIGTERM reach the whole group; the parent still has `offline` to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # What amqtt has to say of its clients is told by the clients.
    logging.disable(logging.ERROR)
    # Nor are the destructors of its connections, at the end of all, of interest to anybody.
    sys.unraisablehook = lambda _: None
    try:
        asyncio.run(_serve(host, port))
    except (OSError, ImportError) as error:
        text = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        print("error", text, flush=True)  # noqa: T201 - the parent reads it
        return BrokerError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))

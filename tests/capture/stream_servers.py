"""Two network cameras on loopback, made to misbehave: MJPEG over HTTP, JPEG over RTSP (RFC 2326, RFC 2435).

Needs the standard library alone, and is loaded by its path::

    with RtspServer(jpegs, fps=20, user="bob", password="secret") as server:
        open_camera(parse_source(server.url), …)
        server.stall()   # connections stay, nothing more comes
        server.resume()
        server.end()     # the running streams end in order; new ones are served
        server.drop()    # they are cut off
        server.clients   # how many have not hung up
        server.stop()    # nobody listens any more
        server.start()   # the same port serves again
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import ClassVar, Self, cast

_BOUNDARY = "frame"
_RTP_PAYLOAD_BYTES = 1400
_RTP_CLOCK_HZ = 90_000
_RTP_JPEG = 26
_SSRC = 0x0EDC_E0CA
_SDP = "".join(
    f"{line}\r\n"
    for line in (
        *("v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=camera", "t=0 0"),
        *(f"m=video 0 RTP/AVP {_RTP_JPEG}", "a=control:track0"),
    )
)


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, camera: StreamServer) -> None:
        self.camera = camera
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", camera.port), camera.handler)

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        self.connections.add(cast("socket.socket", request))
        super().process_request(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error here."""


class StreamServer:
    """What both cameras share; `jpegs` are sent over and over, each client from the first."""

    scheme: ClassVar[str]
    path: ClassVar[str]
    handler: ClassVar[type[socketserver.BaseRequestHandler]]

    def __init__(
        self,
        jpegs: Sequence[bytes],
        *,
        fps: float = 20.0,
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        """Not listening yet; with `user` and `password`, Basic authentication is asked for."""
        self._jpegs = jpegs
        self.fps = fps
        self._credentials = f"{user}:{password}" if user is not None else None
        self.port = 0
        self._listener: _Listener | None = None
        self._changed = threading.Condition()
        self._stalled = False
        self._generation = 0

    @property
    def url(self) -> str:
        """Where it serves, with the credentials."""
        userinfo = f"{self._credentials}@" if self._credentials else ""
        return f"{self.scheme}://{userinfo}127.0.0.1:{self.port}{self.path}"

    @property
    def clients(self) -> int:
        """How many connections their clients have not hung up."""
        return sum(map(_is_open, self._listener.connections)) if self._listener else 0

    def start(self) -> None:
        """Listen, on a free port at first and then always on this one."""
        self._listener = _Listener(self)
        self.port = self._listener.server_address[1]
        threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def stop(self) -> None:
        """Cut off every client and listen no more."""
        if self._listener:
            self._listener.shutdown()
            self._listener.server_close()
            self.drop()
            self._listener = None

    def stall(self) -> None:
        """Send nothing more, but stay connected."""
        with self._changed:
            self._stalled = True

    def resume(self) -> None:
        """Send again."""
        with self._changed:
            self._stalled = False
            self._changed.notify_all()

    def end(self) -> None:
        """End the running streams as a camera that is switched off in order."""
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    def drop(self) -> None:
        """Cut the running connections off."""
        self.end()
        if self._listener:
            for connection in list(self._listener.connections):
                with contextlib.suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()

    def frames(self) -> Iterator[bytes]:
        """The pictures of one stream, each at its time; for the handlers."""
        generation = self._generation
        for jpeg in itertools.cycle(self._jpegs):
            with self._changed:
                self._changed.wait_for(lambda: not self._stalled or self._generation != generation)
                if self._generation != generation:
                    return
            yield jpeg
            time.sleep(1 / self.fps)

    def admits(self, authorization: str | None) -> bool:
        """True if this Authorization header opens the stream."""
        if self._credentials is None:
            return True
        return authorization == "Basic " + base64.b64encode(self._credentials.encode()).decode()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


class _MjpegHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        camera = cast("_Listener", self.server).camera
        if self.path.partition("?")[0] != camera.path:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        if not camera.admits(self.headers["Authorization"]):
            self.send_response(HTTPStatus.UNAUTHORIZED)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.end_headers()
        for jpeg in camera.frames():
            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the base class's
        """Say nothing: the tests look at stderr."""


class MjpegServer(StreamServer):
    """An HTTP camera: multipart/x-mixed-replace."""

    scheme = "http"
    path = "/stream.mjpg"
    handler = _MjpegHandler


class _RtspHandler(socketserver.StreamRequestHandler):
    """One RTSP connection; RTP goes interleaved on the same socket (RFC 2326, section 10.12)."""

    def handle(self) -> None:
        self._camera = cast("_Listener", self.server).camera
        self._writing = threading.Lock()
        while method := self._read_request():
            self._answer(method)

    def _read_request(self) -> str:
        """The next method, "" at the end; skips the RTCP packets that a client interleaves."""
        while (start := self.rfile.read(1)) == b"$":
            _channel, length = struct.unpack(">BH", self.rfile.read(3))
            self.rfile.read(length)
        line = (start + self.rfile.readline()).decode()
        self._wrong_path = (
            not line.partition(" ")[2].partition(" ")[0].rstrip("/").endswith(self._camera.path)
        )
        self._headers = {}
        while header := self.rfile.readline().decode().strip():
            name, _, value = header.partition(":")
            self._headers[name.strip().lower()] = value.strip()
        return line.partition(" ")[0]

    def _answer(self, method: str) -> None:
        if method == "DESCRIBE" and not self._camera.admits(self._headers.get("authorization")):
            self._reply("401 Unauthorized", 'WWW-Authenticate: Basic realm="camera"')
        elif method == "OPTIONS":
            self._reply("200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif method == "DESCRIBE" and self._wrong_path:
            self._reply("404 Not Found")
        elif method == "DESCRIBE":
            self._reply("200 OK", "Content-Type: application/sdp", body=_SDP)
        elif method == "SETUP":
            transport = self._headers["transport"]
            if "TCP" in transport:
                self._reply("200 OK", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1")
            else:
                self._reply("461 Unsupported Transport")
        elif method == "PLAY":
            self._reply("200 OK", "Session: 1", "Range: npt=0-")
            threading.Thread(target=self._play, daemon=True).start()
        else:
            self._reply("200 OK", "Session: 1")

    def _reply(self, status: str, *headers: str, body: str = "") -> None:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {self._headers.get('cseq', '0')}", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        with self._writing:
            self.wfile.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _play(self) -> None:
        sequence = itertools.count()
        with contextlib.suppress(OSError, ValueError):
            for number, jpeg in enumerate(self._camera.frames()):
                time_stamp = round(number * _RTP_CLOCK_HZ / self._camera.fps)
                for last, payload in rtp_jpeg(jpeg):
                    head = (
                        0x80,
                        last << 7 | _RTP_JPEG,
                        next(sequence) & 0xFFFF,
                        time_stamp & 0xFFFF_FFFF,
                        _SSRC,
                    )
                    packet = struct.pack(">BBHII", *head) + payload
                    with self._writing:
                        self.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
            self.connection.shutdown(socket.SHUT_RDWR)


class RtspServer(StreamServer):
    """An RTSP camera: RTP/JPEG over TCP."""

    scheme = "rtsp"
    path = "/live"
    handler = _RtspHandler


def rtp_jpeg(jpeg: bytes) -> Iterator[tuple[bool, bytes]]:
    """(is the last, payload) of a baseline JPEG with the standard Huffman tables (RFC 2435, section 3.1)."""
    tables, frame, scan = b"", b"", b""
    at = 2
    while not scan:
        marker, length = struct.unpack(">HH", jpeg[at : at + 4])
        body = jpeg[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xFFDB:  # DQT: one byte of precision and number before each 64
            tables += b"".join(body[i + 1 : i + 65] for i in range(0, len(body), 65))
        elif marker == 0xFFC0:  # SOF0
            frame = body
        elif marker == 0xFFDA:  # SOS
            scan = jpeg[at : jpeg.rindex(b"\xff\xd9")]
    height_px, width_px = struct.unpack(">HH", frame[1:5])
    kind = {0x21: 0, 0x22: 1}[frame[7]]  # the luma's sampling: 4:2:2 or 4:2:0
    offset = 0
    while offset < len(scan):
        payload = struct.pack(">IBBBB", offset, kind, 255, width_px // 8, height_px // 8)
        if offset == 0:
            payload += struct.pack(">HH", 0, len(tables)) + tables
        piece = scan[offset : offset + _RTP_PAYLOAD_BYTES]
        offset += len(piece)
        yield offset == len(scan), payload + piece

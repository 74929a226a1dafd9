"""Two network cameras on loopback, made to misbehave: MJPEG over HTTP, JPEG over RTSP (RFC 2326, RFC 2435).

One of each behaves like this::

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

import cv2
from rtsp_session import RtspHandler

from edgecam.capture.pattern import draw_pattern

_BOUNDARY = "frame"


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
        # Bound and never listening, it keeps the port while nobody serves: connections are refused.
        self._reservation = socket.socket()
        self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reservation.bind(("127.0.0.1", 0))
        self.port: int = self._reservation.getsockname()[1]
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
        """Listen, always on the same port."""
        self._listener = _Listener(self)
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
        self._reservation.close()


def numbered_jpegs(count: int = 100) -> list[bytes]:
    """Pictures of the synthetic camera, 320x240, whose numbers can be read from them."""
    images = (draw_pattern(number, width_px=320, height_px=240) for number in range(count))
    return [cv2.imencode(".jpg", image.pixels)[1].tobytes() for image in images]


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


class RtspServer(StreamServer):
    """An RTSP camera: RTP/JPEG over TCP."""

    scheme = "rtsp"
    path = "/live"
    handler = RtspHandler

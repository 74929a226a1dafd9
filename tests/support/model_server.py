"""A web server for downloads that does, request by request, what a test has planned; else it serves well."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Deed = Callable[["Handler", bytes], None]


@dataclass
class Shelf:
    """What the server has, what it will do, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    plan: list[Deed] = field(default_factory=list)
    """One for each request to come; then it serves well."""
    tag: str = '"one"'
    """The ETag of all its files; empty: it sends none."""
    asked: list[tuple[str, Message]] = field(default_factory=list)
    """Paths and headers."""
    url: str = ""
    closing: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    shelf: Shelf

    def do_GET(self) -> None:
        """Do what is planned."""
        self.close_connection = True
        self.shelf.asked.append((self.path, self.headers))
        body = self.shelf.files.get(self.path.lstrip("/"))
        if body is None:
            status(404)(self, b"")
            return
        deed = self.shelf.plan.pop(0) if self.shelf.plan else well
        with suppress(ConnectionError):
            deed(self, body)

    def begin(self, code: int, length: int | None, **headers: str) -> None:
        """Status line and headers."""
        self.send_response(code)
        if self.shelf.tag:
            self.send_header("ETag", self.shelf.tag)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def well(handler: Handler, body: bytes) -> None:
    """As it should be: the range that was asked for, if the file is still the same."""
    wanted = handler.headers.get("Range", "")
    if not wanted or handler.headers.get("If-Range") != handler.shelf.tag:
        handler.begin(200, len(body))
        handler.wfile.write(body)
        return
    first = int(wanted.removeprefix("bytes=").removesuffix("-"))
    rest = body[first:]
    handler.begin(206, len(rest), Content_Range=f"bytes {first}-{len(body) - 1}/{len(body)}")
    handler.wfile.write(rest)


def without_parts(handler: Handler, body: bytes) -> None:
    """The whole file, whatever was asked for."""
    handler.begin(200, len(body))
    handler.wfile.write(body)


def drop_after(count: int) -> Deed:
    """Serve well, but for the connection, which ends after so many bytes."""

    def deed(handler: Handler, body: bytes) -> None:
        kept = handler.wfile
        left = [count]

        class Cut:
            def write(self, data: bytes) -> int:
                if data.startswith(b"HTTP/"):
                    return kept.write(data)
                part = data[: left[0]]
                left[0] -= len(part)
                return kept.write(part)

            def flush(self) -> None:
                kept.flush()

        handler.wfile = Cut()  # type: ignore[assignment]
        well(handler, body)
        handler.wfile = kept

    return deed


def says_length(length: int) -> Deed:
    """The whole body under a length that is not its own."""

    def deed(handler: Handler, body: bytes) -> None:
        handler.begin(200, length)
        handler.wfile.write(body)

    return deed


def sends(body: bytes) -> Deed:
    """Something else, well served."""

    def deed(handler: Handler, _: bytes) -> None:
        handler.begin(200, len(body))
        handler.wfile.write(body)

    return deed


def endless(handler: Handler, body: bytes) -> None:
    """No length, and no end."""
    handler.begin(200, None)
    while not handler.shelf.closing.is_set():
        handler.wfile.write(body)


def wrong_place(handler: Handler, body: bytes) -> None:
    """A part, but not the one that was asked for."""
    handler.begin(206, len(body) - 1, Content_Range=f"bytes 1-{len(body) - 1}/{len(body)}")
    handler.wfile.write(body[1:])


def hang(handler: Handler, _: bytes) -> None:
    """Take the request, and say nothing."""
    handler.shelf.closing.wait(30)


def drip(handler: Handler, body: bytes) -> None:
    """A byte now and then."""
    handler.begin(200, len(body))
    for index in range(len(body)):
        if handler.shelf.closing.wait(0.02):
            return
        handler.wfile.write(body[index : index + 1])
        handler.wfile.flush()


def no_http(handler: Handler, _: bytes) -> None:
    """What a printer says."""
    handler.wfile.write(b"\x1b%-12345X@PJL\r\n\r\n")


def status(code: int) -> Deed:
    """Nothing but a status."""

    def deed(handler: Handler, _: bytes) -> None:
        handler.begin(code, 0)

    return deed


def redirect(place: str) -> Deed:
    """Elsewhere."""

    def deed(handler: Handler, _: bytes) -> None:
        handler.begin(302, 0, Location=place)

    return deed


@contextmanager
def model_server(*, tls: ssl.SSLContext | None = None, **files: bytes) -> Iterator[Shelf]:
    """A server on this machine that has these files; `__` in a name stands for a dot."""
    shelf = Shelf({name.replace("__", "."): body for name, body in files.items()})
    handler = type("Bound", (Handler,), {"shelf": shelf})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        shelf.url = f"http{'s' * (tls is not None)}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield shelf
        finally:
            shelf.closing.set()
            server.shutdown()
            thread.join(5)

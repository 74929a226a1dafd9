"""The camera's side of an RTSP connection (RFC 2326); JPEG as RTP (RFC 2435) goes over the same socket."""

from __future__ import annotations

import contextlib
import itertools
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from typing import Any, Protocol, cast

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


class Feed(Protocol):
    """What the server of a session must have as `camera`."""

    fps: float
    path: str

    def frames(self) -> Iterator[bytes]:
        """The JPEGs of one stream, each at its time."""

    def admits(self, authorization: str | None) -> bool:
        """True if this Authorization header opens the stream."""


class RtspHandler(socketserver.StreamRequestHandler):
    """One RTSP connection; RTP goes interleaved on the same socket (RFC 2326, section 10.12)."""

    def handle(self) -> None:
        """Answer until the client hangs up."""
        self._camera = cast("Any", self.server).camera
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

"""`rtsp://`, `rtsps://`, `http://`, `https://`: any live stream that FFmpeg reads.

How frames are kept from going stale: the decoder has one thread, since each of FFmpeg's frame threads would
keep a frame; OpenCV asks for RTSP over TCP, which needs no reordering delay; what FFmpeg read ahead while it
opened (an RTSP stream takes it a second) is decoded and dropped; and the capture worker reads all the time,
so that the kernel's socket buffer stays empty. `CAP_PROP_BUFFERSIZE` does nothing for FFmpeg, and `fflags
nobuffer` would lose a first key frame. A frame's time is taken right after its read: its true age is at least
what is said.
"""

from __future__ import annotations

import socket
import time
from typing import Any
from urllib.parse import urlsplit

from edgecam.capture.base import BaseCamera, SharedCapture, boot_ns
from edgecam.capture.opencv import frame_size, prepare_opencv
from edgecam.capture.picture_size import size_fault
from edgecam.config.source import Source
from edgecam.errors import CameraLost
from edgecam.records import AgeBasis, Image, PixelFormat, Shot

_OPEN_S = 10.0
_STALL_S = 3.0
_PROBE_S = 2.0
# A frame that had to be waited for longer than this was not read ahead.
_FRESH_WAIT_S = 0.01
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


class StreamCamera(BaseCamera):
    """A network stream, decoded to BGR."""

    def __init__(self, source: Source, *, open_s: float = _OPEN_S, stall_s: float = _STALL_S) -> None:
        """Connect, learn what the stream holds, and see that frames come; gives up after `open_s`.

        Raises:
            CameraLost: nobody there, refused, or no video in it; the text tells what is known.
        """
        started_s = time.monotonic()
        capture = _open(source.target, open_s=open_s, stall_s=stall_s)
        if not capture.isOpened():
            raise CameraLost(f"{source.shown}: {_diagnose(source.target)}")
        # FFmpeg has a limit of its own, at twice as much, which takes 1.8 GB.
        if fault := size_fault(*frame_size(capture)):
            capture.release()
            raise CameraLost(f"{source.shown}: {fault}; set a smaller picture in the camera")
        if not _catch_up(capture, opening_s=time.monotonic() - started_s):
            capture.release()
            raise CameraLost(f"{source.shown}: connected, but no frame came; is the camera alive?")
        super().__init__(live=True, description=f"{source.shown}{_size(capture)}")
        self._shown = source.shown
        self._stall_s = stall_s
        self._capture = SharedCapture(capture, description=source.shown)

    def read(self, timeout_s: float) -> Shot | None:  # noqa: ARG002  FFmpeg cannot leave a read and take it up again
        """The next frame; blocks until it comes or the stream stalls, whatever `timeout_s` says.

        Returns None only if it was closed meanwhile.

        Raises:
            CameraLost: nothing came for the stall limit, the stream ended, or it was closed before.
        """
        started_s = time.monotonic()
        with self._capture.use() as capture:
            good, pixels = capture.read()
        captured_ns = boot_ns()
        if self._capture.closed:
            return None
        if not good:
            waited_s = time.monotonic() - started_s
            if waited_s >= self._stall_s:
                raise CameraLost(
                    f"{self._shown}: the stream stalled, no frame for {waited_s:.1f} s; is the camera alive?"
                )
            raise CameraLost(
                f"{self._shown}: the stream ended; the camera or its server closed the connection"
            )
        height_px, width_px = pixels.shape[:2]
        image = Image(pixels=pixels, format=PixelFormat.BGR, width_px=width_px, height_px=height_px)
        return Shot(image=image, captured_ns=captured_ns, basis=AgeBasis.ARRIVAL)

    def close(self) -> None:
        """Hang up; if a read goes on, when it comes back."""
        self._capture.close()


def _open(url: str, *, open_s: float, stall_s: float) -> Any:
    import cv2

    prepare_opencv()
    parameters = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(open_s * 1000)),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(stall_s * 1000)),
        *(cv2.CAP_PROP_N_THREADS, 1),
    ]
    return cv2.VideoCapture(url, cv2.CAP_FFMPEG, parameters)


def _catch_up(capture: Any, *, opening_s: float) -> bool:
    """Drop the frames that FFmpeg read ahead, at most those of its opening; False if none comes."""
    begun_s = now_s = time.monotonic()
    while now_s - begun_s <= opening_s:
        if not capture.grab():
            return False
        waited_s, now_s = time.monotonic() - now_s, time.monotonic()
        if waited_s > _FRESH_WAIT_S:
            break
    return True


def _size(capture: Any) -> str:
    width_px, height_px = frame_size(capture)
    return f" {width_px}x{height_px}" if width_px and height_px else ""


def _diagnose(url: str) -> str:
    """Why a stream did not open, as far as a bare connection tells; never quotes the URL."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme.lower()]
    try:
        socket.create_connection((host, port), timeout=_PROBE_S).close()
    except (socket.gaierror, UnicodeError):
        return f"the host name {host} is not known; check it, or write the address"
    except ConnectionRefusedError:
        return f"{host} answers, but nothing listens on port {port}; check it, and that the stream is on"
    except OSError as error:
        why = error.strerror or "timed out"
        return f"{host} does not answer on port {port} ({why}); is the camera on the network?"
    return (
        f"{host} answers on port {port}, but gave no video; "
        "check the path, user and password of the URL (a player such as VLC shows what the server says)"
    )

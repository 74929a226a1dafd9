"""Network cameras, real ones on loopback: right pictures, fresh ones, loss noticed, no credential told."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from stream_servers import MjpegServer, RtspServer, StreamServer

from edgecam.capture import picture_size
from edgecam.capture.camera import CameraSettings, open_camera
from edgecam.capture.pattern import read_counter
from edgecam.capture.stream import StreamCamera
from edgecam.config.source import parse_source
from edgecam.errors import CameraLost
from edgecam.records import AgeBasis, PixelFormat

KINDS = [MjpegServer, RtspServer]
FPS = 40.0
SECRETS = {"user": "bob", "password": "Zq7secret"}

# What the capture worker does, in a process whose stderr is ours alone.
READ_AND_FAIL = """
import logging, sys
from edgecam.capture.stream import StreamCamera
from edgecam.config.source import parse_source
from edgecam.errors import CameraLost
logging.basicConfig(level=logging.DEBUG)
for url in sys.argv[1:]:
    try:
        with StreamCamera(parse_source(url), open_s=5, stall_s=0.3) as camera:
            logging.info("opened %s %r", camera.description, parse_source(url))
            for _ in range(3):
                camera.read(1)
    except CameraLost as error:
        logging.warning("lost %s", error)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_the_pictures_are_right_and_in_order(jpegs: list[bytes], kind: type[StreamServer]) -> None:
    """Numbered frames arrive one after the other, BGR, of the right size, timed at arrival."""
    with (
        kind(jpegs, fps=FPS) as server,
        open_camera(parse_source(server.url), CameraSettings()) as camera,
    ):
        assert camera.live
        assert camera.description == f"{server.url} 320x240"
        shots = [camera.read(timeout_s=1) for _ in range(5)]
        arrived_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    numbers = [read_counter(shot.image) for shot in shots if shot]
    assert numbers == list(range(numbers[0], numbers[0] + 5))
    for shot in shots:
        assert shot is not None
        assert (shot.image.format, shot.image.pixels.shape) == (PixelFormat.BGR, (240, 320, 3))
        assert shot.basis is AgeBasis.ARRIVAL
        assert 0 <= arrived_ns - shot.captured_ns < 5_000_000_000


def test_what_was_read_ahead_while_opening_is_not_passed_for_fresh(jpegs: list[bytes]) -> None:
    """FFmpeg takes a second of RTSP to know the stream; the first frame given is one sent after that."""
    with RtspServer(jpegs, fps=FPS) as server:
        started_s = time.monotonic()
        with StreamCamera(parse_source(server.url)) as camera:
            shot = camera.read(timeout_s=1)
        opened_s = time.monotonic() - started_s
    assert shot is not None
    sent_s_ago = opened_s - read_counter(shot.image) / FPS
    assert sent_s_ago < 0.5 * opened_s


@pytest.mark.parametrize("kind", KINDS)
def test_a_stalled_stream_is_lost_after_the_stall_limit(jpegs: list[bytes], kind: type[StreamServer]) -> None:
    """The connection stays, nothing comes: CameraLost says how long it waited, and no password."""
    with (
        kind(jpegs, fps=FPS, **SECRETS) as server,
        StreamCamera(parse_source(server.url), stall_s=0.4) as camera,
    ):
        assert camera.read(timeout_s=1)
        server.stall()
        with pytest.raises(CameraLost, match=r"the stream stalled, no frame for 0\.[45]\d* s") as loss:
            read_until_lost(camera)
    assert "Zq7" not in str(loss.value)


@pytest.mark.parametrize("how", ["end", "drop", "stop"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_ends_is_lost_and_can_be_opened_anew(
    jpegs: list[bytes], kind: type[StreamServer], how: str
) -> None:
    """Ended in order, cut off, or the server gone: CameraLost at once; when it is back, frames again."""
    with kind(jpegs, fps=FPS) as server:
        with StreamCamera(parse_source(server.url)) as camera:
            getattr(server, how)()
            with pytest.raises(CameraLost, match="the stream ended"):
                read_until_lost(camera)
        if how == "stop":
            with pytest.raises(CameraLost, match="nothing listens on port"):
                StreamCamera(parse_source(server.url))
            server.start()
        with StreamCamera(parse_source(server.url)) as camera:
            assert camera.read(timeout_s=1)


@pytest.mark.parametrize("kind", KINDS)
def test_credentials_open_the_stream_and_are_told_nowhere(
    jpegs: list[bytes], kind: type[StreamServer]
) -> None:
    """Right password, wrong password, wrong path, nobody there: neither user nor password in any output."""
    with kind(jpegs, fps=FPS, **SECRETS) as server:
        urls = [
            server.url,
            server.url.replace("secret", "wrong"),
            f"{server.url}nowhere",
            f"{server.scheme}://bob:Zq7secret@127.0.0.1:1{server.path}?password=Zq7other",
        ]
        told = subprocess.run(
            [sys.executable, "-c", READ_AND_FAIL, *urls],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    lines = told.stderr.splitlines()
    assert f"opened {server.scheme}://***@127.0.0.1:{server.port}{server.path} 320x240" in lines[0]
    assert "gave no video; check the path, user and password" in lines[1]
    assert "gave no video; check the path, user and password" in lines[2]
    assert "nothing listens on port 1" in lines[3]
    assert len(lines) == 4, told.stderr
    assert "Zq7" not in told.stderr + told.stdout
    assert "bob" not in told.stderr + told.stdout


def test_a_stream_that_never_shows_a_frame_is_not_opened(jpegs: list[bytes]) -> None:
    """RTSP can describe a stream that never comes; that is no opened camera."""
    with RtspServer(jpegs, fps=FPS) as server:
        server.stall()
        with pytest.raises(CameraLost, match=r"no frame came|gave no video"):
            StreamCamera(parse_source(server.url), open_s=0.5, stall_s=0.3)


def test_an_unknown_host_is_told_apart_from_a_silent_one() -> None:
    """`.invalid` never resolves (RFC 2606)."""
    with pytest.raises(CameraLost, match=r"the host name cam\.invalid is not known"):
        StreamCamera(parse_source("rtsp://cam.invalid/live"), open_s=1)


def test_closing_under_a_reader_is_safe_and_hangs_up(jpegs: list[bytes]) -> None:
    """The reader comes back with None or its last frame, the connection is gone, a later read is refused."""
    with MjpegServer(jpegs, fps=FPS) as server:
        camera = StreamCamera(parse_source(server.url), stall_s=0.5)
        server.stall()
        answers: list[object] = []

        def read() -> None:
            while (shot := camera.read(timeout_s=1)) is not None:
                answers.append(shot)
            answers.append(None)

        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(0.1)
        camera.close()
        camera.close()
        reader.join(timeout=5)
        assert answers[-1] is None
        with pytest.raises(CameraLost, match="was closed"):
            camera.read(timeout_s=0)
        assert server.clients == 0


def read_until_lost(camera: StreamCamera) -> None:
    """Read on; a lost stream ends it by its exception."""
    for _ in range(1000):
        camera.read(timeout_s=1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_beyond_the_limit_of_pictures_is_refused(
    jpegs: list[bytes], kind: type[StreamServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what it says of itself when it is opened: its frames may take all memory of a board."""
    monkeypatch.setattr(picture_size, "MAX_PIXELS", 320 * 240 - 1)
    with kind(jpegs, fps=FPS) as server, pytest.raises(CameraLost, match="has 320x240 pixels, more than"):
        StreamCamera(parse_source(server.url))

"""What stands at the path of a USB camera is told apart before OpenCV opens it, each with its remedy."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
from pathlib import Path

import pytest

from edgecam.capture.camera import CameraSettings, open_camera
from edgecam.capture.v4l2_device import parse_capability, query_device
from edgecam.config.source import parse_source
from edgecam.errors import CameraLost, SourceError


def test_an_absent_device_is_lost_and_may_come_back(tmp_path: Path) -> None:
    """Not there now: CameraLost, so that it is tried again."""
    with pytest.raises(CameraLost, match=r"is not there; is the camera plugged in\?"):
        open_camera(parse_source(f"v4l2:{tmp_path}/video0"), CameraSettings())


def test_a_file_in_a_devices_place_is_refused(tmp_path: Path) -> None:
    """A recording is another kind of source."""
    path = tmp_path / "clip.mp4"
    path.touch()
    with pytest.raises(SourceError, match=re.escape(f'written "file:{path}"')):
        open_camera(parse_source(f"v4l2:{path}"), CameraSettings())


def test_a_device_of_another_kind_is_refused() -> None:
    """/dev/null answers no VIDIOC_QUERYCAP."""
    with pytest.raises(SourceError, match="is no video device"):
        open_camera(parse_source("v4l2:/dev/null"), CameraSettings())


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        (
            errno.EACCES,
            SourceError,
            r"may not open /dev/null; add it to the group root: sudo usermod -aG root \$USER",
        ),
        (errno.EBUSY, CameraLost, 'is in use; "fuser -v /dev/null" names the program'),
        (errno.ENODEV, CameraLost, "is not there"),
        (errno.EIO, CameraLost, "unplug it and plug it in"),
    ],
)
def test_a_device_that_cannot_be_opened_says_why(
    monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception], remedy: str
) -> None:
    """No permission will not mend itself; busy, gone and broken may."""

    def refuse(_path: Path, _flags: int) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(kind, match=remedy):
        query_device(Path("/dev/null"), shown="v4l2:/dev/null")


def capability(driver: bytes, capabilities: int, device_caps: int) -> bytes:
    """A struct v4l2_capability."""
    return struct.pack(
        "=16s32s32s6I", driver, b"A Camera", b"usb-1", 0x060C00, capabilities, device_caps, 0, 0, 0
    )


@pytest.mark.parametrize(
    ("answer", "can_capture"),
    [
        (capability(b"uvcvideo", 0x84A0_0001, 0x0420_0001), True),
        (capability(b"uvcvideo", 0x84A0_0001, 0x04A0_0000), False),
        (capability(b"old", 0x0000_0001, 0), True),
        (capability(b"isp", 0x8420_1000, 0x0420_1000), True),
        (capability(b"codec", 0x8420_4000, 0x0420_4000), False),
    ],
)
def test_a_capability_is_that_of_the_node_itself(answer: bytes, *, can_capture: bool) -> None:
    """A webcam's metadata node shares the driver's capabilities but not its own device_caps."""
    assert len(answer) == 104
    read = parse_capability(answer)
    assert read.card == "A Camera"
    assert read.can_capture is can_capture


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (capability(b"uvcvideo", 0x84A0_0001, 0x04A0_0000), r"\(A Camera\) gives no pictures"),
        (capability(b"unicam", 0x8420_0001, 0x0420_0001), 'write "picamera2:0"'),
    ],
)
def test_a_node_without_pictures_is_refused(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, remedy: str
) -> None:
    """A metadata node, or the raw node of a Raspberry Pi camera: the message names what to use."""
    monkeypatch.setattr(fcntl, "ioctl", lambda _handle, _request, _buffer: answer)
    with pytest.raises(SourceError, match=remedy):
        query_device(Path("/dev/null"), shown="v4l2:/dev/null")

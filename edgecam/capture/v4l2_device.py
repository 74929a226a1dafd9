"""Is this path a camera that we may open? Asked of the kernel before OpenCV, which only says yes or no."""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from edgecam.errors import CameraLost, SourceError

# struct v4l2_capability of linux/videodev2.h: driver, card, bus_info, version, capabilities, device_caps.
_CAPABILITY = struct.Struct("16s32s32sIII12x")
_VIDIOC_QUERYCAP = 0x80685600
_CAP_VIDEO_CAPTURE = 0x0000_0001
_CAP_VIDEO_CAPTURE_MPLANE = 0x0000_1000
_CAP_DEVICE_CAPS = 0x8000_0000
# Raw Bayer, decoder and ISP nodes of a Raspberry Pi: they "capture", but nothing that OpenCV understands.
_PI_DRIVERS = ("unicam", "rp1-cfe", "bcm2835-isp", "bcm2835-codec", "pispbe", "rpivid", "rpi-hevc-dec")


@dataclass(frozen=True, slots=True)
class Capability:
    """What VIDIOC_QUERYCAP says of a device."""

    driver: str
    card: str
    can_capture: bool
    """This very node gives pictures; False for the metadata node beside it."""


def query_device(path: Path, *, shown: str) -> Capability:
    """What the device at `path` is, if it is a camera for OpenCV.

    Raises:
        CameraLost: it is not there, or in use.
        SourceError: it is something else, or may not be opened.
    """
    try:
        if not stat.S_ISCHR(path.stat().st_mode):
            raise SourceError(f'{shown}: {path} is not a device; a recording is written "file:{path}"')
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        _raise_unopened(error, path, shown=shown)
    try:
        answer = fcntl.ioctl(handle, _VIDIOC_QUERYCAP, bytes(_CAPABILITY.size))
    except OSError as error:
        raise SourceError(f"{shown}: {path} is no video device ({error.strerror}); {_others()}") from error
    finally:
        os.close(handle)
    capability = parse_capability(answer)
    if capability.driver in _PI_DRIVERS:
        raise SourceError(
            f"{shown}: {path} is part of the Raspberry Pi's own camera system ({capability.driver}); "
            'write "picamera2:0"'
        )
    if not capability.can_capture:
        raise SourceError(
            f"{shown}: {path} ({capability.card}) gives no pictures, only other data; {_others()}"
        )
    return capability


def parse_capability(answer: bytes) -> Capability:
    """Read a struct v4l2_capability (104 bytes)."""
    driver, card, _, _, capabilities, device_caps = _CAPABILITY.unpack(answer)
    flags = device_caps if capabilities & _CAP_DEVICE_CAPS else capabilities
    return Capability(
        driver=driver.split(b"\0")[0].decode(errors="replace"),
        card=card.split(b"\0")[0].decode(errors="replace"),
        can_capture=bool(flags & (_CAP_VIDEO_CAPTURE | _CAP_VIDEO_CAPTURE_MPLANE)),
    )


def _raise_unopened(error: OSError, path: Path, *, shown: str) -> NoReturn:
    if error.errno in (errno.EACCES, errno.EPERM):
        raise SourceError(
            f"{shown}: this user may not open {path}; add it to the group {_group(path)}: "
            f"sudo usermod -aG {_group(path)} $USER, then log in again"
        ) from error
    if error.errno == errno.EBUSY:
        raise CameraLost(f"{shown}: {path} is in use; {who_uses(path)}") from error
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENOTDIR):
        raise CameraLost(f"{shown}: {path} is not there; is the camera plugged in? {_others()}") from error
    raise CameraLost(
        f"{shown}: {path} cannot be opened ({error.strerror}); unplug it and plug it in"
    ) from error


def who_uses(path: Path) -> str:
    """How to find the other program."""
    return f'"fuser -v {path}" names the program; end it, or give edgecam another camera'


def _group(path: Path) -> str:
    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except (KeyError, OSError):
        return "video"


def _others() -> str:
    devices = sorted(str(path) for path in Path("/dev").glob("video*"))
    return (
        f"there are {', '.join(devices)} (v4l2-ctl --list-devices says what they are)"
        if devices
        else ("there is no /dev/video* at all")
    )

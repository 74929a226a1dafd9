"""Is each camera there, ours to open, and does a frame come?"""

from __future__ import annotations

import grp
import os
import pwd
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from edgecam.capture.v4l2_device import query_device
from edgecam.config.schema import CameraConfig
from edgecam.config.source import Source, SourceKind, parse_source
from edgecam.doctor.finding import Area, Finding, Verdict, told
from edgecam.doctor.probing import Answer, probe
from edgecam.doctor.processes import Process, holders, lock_holder, running_edgecams
from edgecam.doctor.service import out_of_sight
from edgecam.doctor.subject import Subject
from edgecam.errors import CameraLost, SourceError

FIRST_FRAME_S = 6.0
"""How long a frame is waited for, once the camera is open;"""
OPEN_S = 20.0
"""and how long opening it may take: libraries load for seconds on a small board."""
DEADLINE_S = OPEN_S + FIRST_FRAME_S + 5.0
_REACH_S = 3.0
_LOCAL = frozenset({SourceKind.V4L2, SourceKind.PICAMERA2})
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


def look(subject: Subject, name: str) -> Iterator[Finding]:
    """Look at one camera of the configuration; what stands in the way of a frame is told first."""
    camera = subject.config.config.cameras[name]
    source = parse_source(camera.source)
    obstacle = _obstacle(subject, name, source)
    if obstacle is not None:
        yield obstacle
        return
    if source.kind is SourceKind.PATTERN:
        yield Finding(Area.CAMERAS, name, Verdict.OK, "the synthetic pattern, which needs no camera")
        return
    yield _first_frame(subject, name, camera, source)


def _obstacle(subject: Subject, name: str, source: Source) -> Finding | None:
    """What can be told before the camera is opened."""
    match source.kind:
        case SourceKind.V4L2:
            path = Path(source.target)
            return (
                _not_ours(name, path, shown=source.shown)
                or _ours_already(name, source, holders(path.resolve(), subject.root))
                or _no_camera(name, path, shown=source.shown)
            )
        case SourceKind.PICAMERA2:
            return _taken(name, source, subject.root)
        case SourceKind.RTSP | SourceKind.HTTP:
            return _out_of_reach(name, source)
        case SourceKind.FILE | SourceKind.IMAGES:
            path = subject.config.folder / source.target
            if not os.access(path, os.R_OK):
                text = f"{source.shown}: there is no {path} that this user may read"
                return Finding(Area.CAMERAS, name, Verdict.ERROR, text, "check the path and its rights")
            return out_of_sight(subject, path, area=Area.CAMERAS, name=name)
    return None


def _not_ours(name: str, path: Path, *, shown: str) -> Finding | None:
    """A device that this user may not open; and what `usermod` cannot mend before the next login."""
    try:
        about = path.stat()
    except OSError:
        return None
    if os.access(path, os.R_OK | os.W_OK):
        return None
    try:
        group = grp.getgrgid(about.st_gid)
    except KeyError:
        return None
    user = pwd.getpwuid(os.getuid()).pw_name
    if user in group.gr_mem:
        text = f"{shown}: {user} was added to the group {group.gr_name}, but this login is older"
        return Finding(Area.CAMERAS, name, Verdict.ERROR, text, "log out and in again, or restart")
    text = f"{shown}: {user} may not open it, and is not in the group {group.gr_name}"
    remedy = f"sudo usermod -aG {group.gr_name} {user}, then log out and in again"
    return Finding(Area.CAMERAS, name, Verdict.ERROR, text, remedy)


def _ours_already(name: str, source: Source, programs: list[Process]) -> Finding | None:
    """A camera with which edgecam works is not to be disturbed."""
    for program in programs:
        if program.is_edgecam:
            text = f"{source.shown}: in use by {program}, so it is not opened here"
            return Finding(Area.CAMERAS, name, Verdict.OK, text)
    return None


def _taken(name: str, source: Source, root: Path) -> Finding | None:
    """Who uses a camera by libcamera, which locks it; merely open it is in many a desktop program."""
    for device in sorted((root / "dev").glob("media*")):
        holder = lock_holder(device, root)
        if holder is not None:
            return _ours_already(name, source, [holder]) or _held(name, source, [holder])
    return None


def _held(name: str, source: Source, programs: list[Process]) -> Finding:
    text = f"{source.shown}: held by {', '.join(map(str, programs))}"
    remedy = "end that program, or give edgecam another camera: one camera serves one program"
    return Finding(Area.CAMERAS, name, Verdict.ERROR, text, remedy)


def _no_camera(name: str, path: Path, *, shown: str) -> Finding | None:
    """What the kernel says of a device, without starting it."""
    try:
        query_device(path, shown=shown)
    except (CameraLost, SourceError) as error:
        return told(Area.CAMERAS, name, str(error))
    return None


def _out_of_reach(name: str, source: Source) -> Finding | None:
    parts = urlsplit(source.target)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme.lower()]
    try:
        socket.create_connection((host, port), timeout=_REACH_S).close()
    except (socket.gaierror, UnicodeError):
        text, remedy = f"the host name {host} is not known", "check it, or write the address"
    except ConnectionRefusedError:
        text = f"{host} answers, but nothing listens on port {port}"
        remedy = "check the port, and that the camera's stream is switched on"
    except OSError as error:
        text = f"{host} does not answer on port {port} ({error.strerror or 'timed out'})"
        remedy = "check the camera's power and network, and that both are in one network"
    else:
        return None
    return Finding(Area.CAMERAS, name, Verdict.ERROR, f"{source.shown}: {text}", remedy)


def _first_frame(subject: Subject, name: str, camera: CameraConfig, source: Source) -> Finding:
    request = {
        "source": camera.source,
        "open": subject.opens_cameras,
        "size_px": camera.size,
        "main_size_px": camera.main_size if subject.config.config.wants_pictures else None,
        "fps": camera.fps,
        "controls": camera.controls,
        "folder": str(subject.config.folder),
        "patience_s": FIRST_FRAME_S,
    }
    answer = probe("camera", request, deadline_s=OPEN_S + FIRST_FRAME_S)
    if answer.crashed:
        text = f"{source.shown}: opening it is fatal: {answer.fault}"
        remedy = "update its driver and libraries (apt full-upgrade), or use another camera"
        return Finding(Area.CAMERAS, name, Verdict.ERROR, text, remedy)
    if answer.fault:
        return _unopened(subject, name, source, answer)
    if not subject.opens_cameras:
        text = f"{source.shown}: nothing stands in its way; not opened, as --no-open asks"
        return Finding(Area.CAMERAS, name, Verdict.OK, text)
    values = answer.values
    text = (
        f"{values['description']}: first frame {values['width_px']}x{values['height_px']} "
        f"after {values['took_ms'] / 1000:.1f} s, its age known from the {values['basis']}"
    )
    return Finding(Area.CAMERAS, name, Verdict.OK, text)


def _unopened(subject: Subject, name: str, source: Source, answer: Answer) -> Finding:
    """Why a camera did not open: perhaps another program has it, our own service perhaps."""
    if source.kind is SourceKind.V4L2:
        programs = holders(Path(source.target).resolve(), subject.root)
        if programs:
            return _held(name, source, programs)
    shown = answer.fault if source.shown in answer.fault else f"{source.shown}: {answer.fault}"
    edgecams = running_edgecams(subject.root)
    # Others' programs are seen by root alone; a missing library is nobody's.
    if edgecams and source.kind in _LOCAL and os.getuid() != 0 and answer.values.get("kind") == "CameraLost":
        text = f"{shown.partition('; ')[0]}; {edgecams[0]} may have it"
        remedy = "ask with sudo, which shows who has it; or stop the service first"
        return Finding(Area.CAMERAS, name, Verdict.WARNING, text, remedy)
    return told(Area.CAMERAS, name, shown)

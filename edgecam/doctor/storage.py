"""Where edgecam keeps what outlives it: can it be written, and is there room?"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from edgecam.config.state_folder import history_path, outbox_path, state_folder
from edgecam.doctor import outbox_file
from edgecam.doctor.finding import Area, Finding, Verdict
from edgecam.doctor.subject import Subject

_FULL_BYTES, _LOW_BYTES = 10_000_000, 200_000_000
_COST = "events would wait in memory alone, and not outlive a restart"
_MAKE_ROOM = "make room: sudo journalctl --vacuum-size=50M, sudo apt clean"


def look(subject: Subject, *, space: Callable[[Path], os.statvfs_result] = os.statvfs) -> Iterator[Finding]:
    """The folder for states, the outbox in it, and what the kernel noticed on the disks.

    Args:
        subject: the configuration, if there is one, and the machine.
        space: as os.statvfs.
    """
    environ, loaded = subject.service_environ, subject.loaded
    outbox = None if loaded is None else outbox_path(loaded.config.mqtt.outbox, loaded.folder, environ)
    yield _folder(state_folder(environ) if outbox is None else outbox.parent, space)
    if outbox is not None:
        yield outbox_file.look(outbox, subject.root)
    elif loaded is not None:
        text = "in memory only, as configured: events that wait do not outlive a restart"
        yield Finding(Area.STORAGE, "outbox", Verdict.OK, text)
    if loaded is not None and loaded.config.history.enabled:
        yield from _history(history_path(environ), loaded.config.history.max_mb * 1_000_000, space)
    yield from _disk_errors(subject.root)


def _place_of(folder: Path) -> Path:
    """It may not be there yet: then what counts is where it will be made."""
    place = folder
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    return place


def _history(folder: Path, max_bytes: int, space: Callable[[Path], os.statvfs_result]) -> Iterator[Finding]:
    """Whether the evidence can grow as large as it may; that there is a disk at all is said elsewhere."""
    try:
        about = space(_place_of(folder))
    except OSError:
        return
    free_bytes = about.f_bavail * about.f_frsize
    to_come_bytes = max_bytes if free_bytes >= max_bytes else max_bytes - _taken_bytes(folder)
    text = f"{folder}: may take {max_bytes / 1e6:,.0f} MB"
    if to_come_bytes <= free_bytes:
        yield Finding(Area.STORAGE, "history", Verdict.OK, text)
        return
    text = f"{text}, {to_come_bytes / 1e6:,.0f} MB more than now, and {free_bytes / 1e6:,.0f} MB are free"
    yield Finding(Area.STORAGE, "history", Verdict.WARNING, text, f"lower history.max_mb; or {_MAKE_ROOM}")


def _taken_bytes(folder: Path) -> int:
    """What this user may see of it."""
    paths = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    taken_bytes = 0
    for path in paths:
        with contextlib.suppress(OSError):
            taken_bytes += path.lstat().st_size
    return taken_bytes


def _folder(folder: Path, space: Callable[[Path], os.statvfs_result]) -> Finding:
    place = _place_of(folder)
    try:
        about = space(place)
    except OSError as error:
        text = f"{folder}: cannot be looked at ({error.strerror})"
        return _disk(Verdict.WARNING, text, "sudo edgecam doctor, with the same --config")
    free_bytes = about.f_bavail * about.f_frsize
    has_inodes = about.f_favail > 0 or about.f_files == 0
    room = f"{folder}: {free_bytes / 1e6:,.0f} MB free" if has_inodes else f"{folder}: no inode is free"
    if about.f_flag & os.ST_RDONLY:
        text = f"{folder}: is on a file system that is read-only; {_COST}"
        remedy = "mount a writable one there, name one in mqtt.outbox.path, or set that to memory"
        return _disk(Verdict.WARNING, text, remedy)
    if free_bytes < _FULL_BYTES or not has_inodes:
        return _disk(Verdict.ERROR, f"{room}; {_COST}", f"{_MAKE_ROOM}; or set mqtt.outbox.path")
    if not os.access(place, os.W_OK | os.X_OK):
        remedy = "if the service is meant: sudo -u edgecam edgecam doctor; else give this user the folder"
        return _disk(Verdict.WARNING, f"{folder}: this user may not write there", remedy)
    if free_bytes < _LOW_BYTES:
        return _disk(Verdict.WARNING, room, _MAKE_ROOM)
    return _disk(Verdict.OK, room)


def _disk_errors(root: Path) -> Iterator[Finding]:
    """What ext4 remembers of faults, over restarts."""
    for counter in sorted((root / "sys/fs/ext4").glob("*/errors_count")):
        try:
            count = int(counter.read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        if count:
            text = f"{counter.parent.name}: the kernel counted {count} faults of this file system"
            remedy = "check it at the next boot (kernel option fsck.mode=force); an SD card may be worn out"
            yield Finding(Area.STORAGE, "file system", Verdict.WARNING, text, remedy)


def _disk(verdict: Verdict, found: str, remedy: str = "") -> Finding:
    return Finding(Area.STORAGE, "disk", verdict, found, remedy)

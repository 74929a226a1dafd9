"""The configuration of the installed service: where deploy/install.sh puts it, and what goes with it."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path("/etc/edgecam")
SERVICE_FILE = FOLDER / "config.yaml"
_STATE = Path("/var/lib/edgecam")
# What a unit with ProtectHome=yes does not see.
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))


def is_of_service(path: Path, root: Path = Path("/")) -> bool:
    """Whether a configuration is that of the service, or of an instance of it: all in one folder.

    Args:
        path: the file, there or not.
        root: where `etc` lies.
    """
    return path.absolute().parent.resolve() == _below(root, FOLDER).resolve()


def not_of_service(path: Path | None, command: str, root: Path = Path("/")) -> str:
    """In a line: the service goes by another file than `path`; empty: it does not, or there is none.

    Args:
        path: the file that is judged; None: the defaults.
        command: what judges it, `check`.
        root: where `etc` lies.
    """
    if path is not None and is_of_service(path, root):
        return ""
    try:
        is_there = _below(root, SERVICE_FILE).is_file()
    except PermissionError:
        # The folder is closed, as the installer makes it.
        is_there = True
    except OSError:
        is_there = False
    if not is_there:
        return ""
    return (
        f"this is not the service's configuration; for that: sudo edgecam {command} --config {SERVICE_FILE}"
    )


def remedy_of_closed(path: Path) -> str:
    """What to do about a configuration that this user may not read."""
    if not is_of_service(path):
        return "this user may not read it: check its permissions, or name another with --config"
    try:
        is_service = path.parent.stat().st_gid in {os.getegid(), *os.getgroups()}
    except OSError:
        is_service = False
    if is_service:
        return f"the service has to: sudo chgrp edgecam {path}, then sudo chmod 640 {path}"
    return (
        f"only root and the service may read it: sudo edgecam doctor --config {path}; "
        "or name another with --config"
    )


def state_of_service(path: Path, root: Path = Path("/")) -> Path:
    """The folder for states of the unit that goes by a configuration of the service.

    Args:
        path: the file: config.yaml is edgecam.service's, door.yaml that of edgecam@door.service.
        root: where `var` lies.
    """
    state = _below(root, _STATE)
    return state if path.stem == SERVICE_FILE.stem else state.with_name(f"{state.name}-{path.stem}")


def is_in_a_home(path: Path, root: Path = Path("/")) -> bool:
    """Whether a file lies where a service with ProtectHome=yes, as the shipped unit, sees nothing.

    Args:
        path: the file, or a link to it.
        root: where `home` lies.
    """
    place = path.absolute()
    homes = [_below(root, home) for home in _HOMES]
    return any(there.is_relative_to(home) for there in (place, place.resolve()) for home in homes)


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")

"""`edgecam init`: look what is there, and write a commented configuration for it."""

from __future__ import annotations

import re
import shlex
import socket
import sys
from pathlib import Path

from edgecam.appliance.accelerators import find_accelerators
from edgecam.capture.discover import FoundCamera, find_cameras
from edgecam.config.service_file import is_of_service
from edgecam.config.shipped import shipped_folder
from edgecam.errors import EdgecamError, UsageError

_BROKER = ("127.0.0.1", 1883)
_BROKER_S = 1.0


def init(path: Path, *, force: bool = False) -> None:
    """Write a configuration with the first camera found and the broker of this machine, if one runs.

    Args:
        path: the file to write.
        force: overwrite it.

    Raises:
        UsageError: the file exists and `force` is not given.
        EdgecamError: it cannot be written.
    """
    if path.exists() and not force:
        raise UsageError(f"{path} exists and is left as it is; give another --config, or --force")
    cameras = find_cameras()
    broker = _broker_runs()
    text = (shipped_folder() / "config.yaml").read_text(encoding="utf-8")
    _write(path, fill_in(text, path=path, cameras=cameras, broker_runs=broker))
    _tell(path, cameras, broker_runs=broker)


def fill_in(text: str, *, path: Path, cameras: list[FoundCamera], broker_runs: bool) -> str:
    """The shipped configuration with what was found; its comments stay.

    Args:
        text: the shipped configuration.
        path: where it will lie.
        cameras: what was found; with none, the synthetic pattern shows that the rest works.
        broker_runs: whether a broker answers on this machine.
    """
    source = cameras[0].source if cameras else '"pattern:"'
    others = "".join(f"\n    # also found: source: {c.source}  # {c.name}" for c in cameras[1:])
    text = _replace(text, "source", source, after=others)
    if broker_runs:
        text = _replace(text, "url", f"mqtt://{_BROKER[0]}:{_BROKER[1]}")
    text = text.replace("edgecam check --config config.yaml", _how_to_check(path), 1)
    # The schema lies beside the shipped file only.
    return re.sub(r"\A# yaml-language-server:.*\n#\n", "", text)


def _how_to_check(path: Path) -> str:
    # The service's file is closed to others.
    sudo = "sudo " if is_of_service(path) else ""
    return f"{sudo}edgecam check --config {shlex.quote(str(path))}"


def _replace(text: str, key: str, value: str, *, after: str = "") -> str:
    """Put a value in the first line that sets `key`, where its comment stands."""
    line = re.compile(rf"^(?P<head> *{key}: )(?P<old>\S+)(?P<gap> *)(?P<comment>#.*)?$", re.MULTILINE)

    def filled(match: re.Match[str]) -> str:
        comment = match["comment"] or ""
        gap = " " * max(2, len(match["old"]) + len(match["gap"]) - len(value)) if comment else ""
        return f"{match['head']}{value}{gap}{comment}{after}"

    return line.sub(filled, text, count=1)


def _broker_runs() -> bool:
    try:
        socket.create_connection(_BROKER, timeout=_BROKER_S).close()
    except OSError:
        return False
    return True


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed, so that a full disk leaves no half of a file.
        new = path.with_name(f"{path.name}.new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise EdgecamError(
            f"{path}: cannot be written ({error.strerror}); choose another --config"
        ) from error


def _tell(path: Path, cameras: list[FoundCamera], *, broker_runs: bool) -> None:
    for camera in cameras:
        print(f"camera: {camera.source} ({camera.name})", file=sys.stderr)
    if not cameras:
        print(
            'camera: none found, so source is "pattern:", a moving test picture; write yours in its place '
            "(a CSI camera needs apt's python3-picamera2 and a venv with --system-site-packages)",
            file=sys.stderr,
        )
    answer = "answers on 127.0.0.1:1883" if broker_runs else "none on this machine, so edgecam brings its own"
    print(f"broker: {answer}", file=sys.stderr)
    for name in find_accelerators():
        print(f"accelerator: {name} (edgecam doctor says what it needs; docs/engines.md)", file=sys.stderr)
    # The installed service runs by itself.
    run = "" if is_of_service(path) else f"; edgecam run --config {path}"
    print(f"wrote {path}; next: {_how_to_check(path)}{run}", file=sys.stderr)

"""What systemd says of the service: does it run, how often did it start anew, why did it end?"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from edgecam.config.service_file import SERVICE_FILE, is_in_a_home, is_of_service
from edgecam.doctor.finding import Area, Finding, Verdict
from edgecam.doctor.subject import Subject
from edgecam.errors import (
    EXIT_BUG,
    ConfigError,
    EdgecamError,
    UnusableError,
    UsageError,
    WedgedError,
)

_PROPERTIES = "Id,LoadState,ActiveState,SubState,NRestarts,Result,ExecMainCode,ExecMainStatus,WatchdogUSec"
_UNITS = ("edgecam.service", "edgecam@*.service")
_ASK_S = 5.0
# CLD_EXITED of waitid(2), as ExecMainCode has it; the others are signals.
_EXITED = "1"
_MEANINGS = {
    EdgecamError.exit_code: ("a failure", "journalctl -u {unit} says which"),
    UsageError.exit_code: ("a wrong command line", "see ExecStart in systemctl cat {unit}"),
    UnusableError.exit_code: (
        "a model, library or device cannot be used",
        "see above; then sudo systemctl restart {unit}",
    ),
    EXIT_BUG: ("a bug", "please report it, with what journalctl -u {unit} says"),
    WedgedError.exit_code: (
        "an engine or camera hung",
        "it was started anew; if again and again: update driver and firmware",
    ),
    ConfigError.exit_code: (
        "the configuration was refused",
        "correct it; then sudo systemctl restart {unit}",
    ),
}

Ask = Callable[[Sequence[str]], str | None]
"""Runs `systemctl` with these words; its output, or None where there is no systemd."""


def ask_systemctl(words: Sequence[str]) -> str | None:
    """What systemctl prints; None: it is not there, or systemd does not run."""
    program = shutil.which("systemctl")
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program
            [program, *words], capture_output=True, text=True, timeout=_ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def look(ask: Ask = ask_systemctl) -> Iterator[Finding]:
    """A finding per unit of edgecam; skipped where there is no systemd, or no unit."""
    text = ask(["show", f"--property={_PROPERTIES}", *_UNITS])
    if text is None:
        yield Finding(Area.SERVICE, "systemd", Verdict.SKIPPED, "systemd does not run here")
        return
    units = [_values(block) for block in text.strip().split("\n\n")]
    units = [unit for unit in units if unit.get("LoadState") == "loaded"]
    if not units:
        text = "edgecam is not installed as a service (deploy/install.sh does that)"
        yield Finding(Area.SERVICE, "systemd", Verdict.SKIPPED, text)
    for unit in units:
        yield judge(unit)


def out_of_sight(
    subject: Subject, path: Path, *, area: Area, name: str, ask: Ask = ask_systemctl
) -> Finding | None:
    """A fault that root cannot see: the service's configuration names a file that its unit hides from it.

    Args:
        subject: what is examined.
        path: the file.
        area: what it is: of a camera, a model.
        name: the camera's or model's.
        ask: a drop-in may have shown the homes to the service.
    """
    config, root = subject.path, subject.root
    if config is None or not is_of_service(config, root) or not is_in_a_home(path, root):
        return None
    unit = "edgecam.service" if config.stem == SERVICE_FILE.stem else f"edgecam@{config.stem}.service"
    said = ask(["show", "--property=ProtectHome", unit])
    if said is not None and said.strip() != "ProtectHome=yes":
        return None
    text = f"the service does not see {path}: its unit hides /home and /root (ProtectHome=yes)"
    remedy = "put it into /srv or /var/lib/edgecam, or see deploy/README.md"
    return Finding(area, name, Verdict.ERROR, text, remedy)


def judge(unit: Mapping[str, str]) -> Finding:
    """What is to be said of a unit, from what `systemctl show` says of it."""
    name = unit.get("Id", "edgecam.service")
    state = f"{unit.get('ActiveState', 'unknown')} ({unit.get('SubState', 'unknown')})"
    if unit.get("ActiveState") == "active":
        return _running(unit, name, state)
    ended, remedy = _last_end(unit, name)
    if unit.get("ActiveState") == "activating" and unit.get("SubState") != "auto-restart":
        text = f"{state}: it loads its models and finds its cameras"
        return Finding(Area.SERVICE, name, Verdict.WARNING, text, "wait a minute, and look again")
    if unit.get("ActiveState") in {"failed", "activating"}:
        text = f"{state}, started anew {unit.get('NRestarts', '0')} times{ended}"
        return Finding(Area.SERVICE, name, Verdict.ERROR, text, remedy or f"see journalctl -u {name}")
    remedy = f"sudo systemctl enable --now {name}, if it is to run"
    return Finding(Area.SERVICE, name, Verdict.WARNING, f"{state}{ended}", remedy)


def _running(unit: Mapping[str, str], name: str, state: str) -> Finding:
    restarts, watchdog = unit.get("NRestarts", "0"), unit.get("WatchdogUSec", "")
    if restarts not in {"0", ""}:
        text = f"{state}, started anew {restarts} times since it was loaded"
        remedy = f"journalctl -u {name} -p warning says why"
        return Finding(Area.SERVICE, name, Verdict.WARNING, text, remedy)
    if watchdog in {"0", "infinity"}:
        remedy = "take the shipped unit: deploy/install.sh"
        return Finding(Area.SERVICE, name, Verdict.WARNING, f"{state}, without a watchdog", remedy)
    watched = f", watchdog {watchdog}" if watchdog else ""
    return Finding(Area.SERVICE, name, Verdict.OK, f"{state}, never started anew{watched}")


def _last_end(unit: Mapping[str, str], name: str) -> tuple[str, str]:
    """How it ended last, in words, and what to do; empty: in order, or never."""
    code, status = unit.get("ExecMainCode", "0"), unit.get("ExecMainStatus", "0")
    if unit.get("Result") == "watchdog":
        return ", ended by the watchdog: no frames were finished", f"see journalctl -u {name}"
    if code == _EXITED and status.isdigit() and int(status) in _MEANINGS:
        meaning, remedy = _MEANINGS[int(status)]
        return f", ended with {status}: {meaning}", remedy.format(unit=name)
    if code not in {"0", _EXITED}:
        return f", ended by signal {status}", f"see journalctl -u {name}"
    if unit.get("Result") not in {None, "", "success"}:
        return f", ended: {unit['Result']}", f"see journalctl -u {name}"
    return "", ""


def _values(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)

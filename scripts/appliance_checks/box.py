"""The box under test: its service, its files, what it publishes, and the report of what was found."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

REPORT = Path("/check/report")
CONFIG = Path("/etc/edgecam/config.yaml")
HEARD = Path("/check/heard")
BASE = Path("/opt/edgecam")


def report(name: str, passed: bool, detail: str = "") -> bool:  # noqa: FBT001 - reads as a sentence
    """Add a line that begins with PASS or FAIL."""
    line = f"{'PASS' if passed else 'FAIL'} {name}{': ' + detail if detail else ''}\n"
    with REPORT.open("a", encoding="utf-8") as file:
        file.write(line)
    return passed


def run(*command: str, timeout_s: float = 240) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; what it said is kept beside the report."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL
    )
    with Path("/check/said").open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}[{done.returncode}]\n")
    return done


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Until it holds, at most so long."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def prop(name: str) -> str:
    """A property of the service, as systemd has it."""
    return run("systemctl", "show", "edgecam.service", f"--property={name}", "--value").stdout.strip()


def active() -> bool:
    """Has systemd heard READY=1, and nothing worse since?"""
    return prop("ActiveState") == "active"


def restarts() -> int:
    """How often systemd started the service again."""
    return int(prop("NRestarts") or 0)


def journal(*options: str) -> str:
    """The service's own lines, and systemd's about it."""
    return run("journalctl", "--unit=edgecam", "--no-pager", "--output=cat", *options).stdout


def listen() -> None:
    """Note all that is published, from now on."""
    # It gives up at once where there is no broker yet.
    command = "until stdbuf -oL mosquitto_sub -h 127.0.0.1 -v -t 'edgecam/#'; do sleep 0.2; done"
    subprocess.Popen(["sh", "-c", command], stdout=HEARD.open("ab"), stderr=subprocess.DEVNULL)


def mark() -> int:
    """Where in what was heard we are."""
    return HEARD.stat().st_size if HEARD.exists() else 0


def heard(topic: str, text: str, *, since: int = 0, seconds: float = 20) -> bool:
    """Is a message with this text published on this topic of the box?"""

    def found() -> bool:
        with HEARD.open("rb") as file:
            file.seek(since)
            lines = file.read().decode("utf-8", "replace").splitlines()
        return any(line.startswith(f"edgecam/box/{topic} ") and text in line for line in lines)

    return wait(found, seconds)


def release() -> str:
    """Name of the release that `current` points to."""
    return (BASE / "current").resolve().name

"""Tells systemd how the service does: the protocol of sd_notify(3), a datagram of assignments."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

# systemd reads at once; whoever waits longer for it has something better to do.
_SEND_TIMEOUT_S = 1.0
_LONGEST_STATUS = 300


class Notifier:
    """Speaks to `$NOTIFY_SOCKET`; silent where there is none. Never raises."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """Read what systemd asks for.

        Args:
            environ: where `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are looked up.
        """
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_ns: int | None = _watchdog_ns(environ) if self._address else None
        """systemd ends a service that does not ping for so long; None: it does not watch."""
        self._told: str | None = None
        self.has_been_ready = False
        """The start is over, as far as the service manager knows."""

    @property
    def is_heard(self) -> bool:
        """True if somebody listens."""
        return self._address is not None

    def ready(self, status: str | None = None) -> None:
        """The service works, after its start or after `reloading`."""
        self.has_been_ready = True
        self._send("READY=1", self._status(status))

    def status(self, status: str) -> None:
        """One line for people, which `systemctl status` shows; sent if it is not what was told last."""
        if status != self._told:
            self._send(self._status(status))

    def reloading(self, status: str | None = None) -> None:
        """The configuration is being read anew; `ready` ends it."""
        # systemd tells by this time which of two reloads was meant (Type=notify-reload).
        moment_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={moment_us}", self._status(status))

    def stopping(self, status: str | None = None) -> None:
        """The service ends in order."""
        self._send("STOPPING=1", self._status(status))

    def watchdog(self) -> None:
        """A ping: the service does what it is there for."""
        self._send("WATCHDOG=1")

    def _status(self, text: str | None) -> str:
        """An assignment of one line: a line break would begin another one."""
        if text is None:
            return ""
        self._told = text
        return "STATUS=" + " ".join(text.split())[:_LONGEST_STATUS]

    def _send(self, *assignments: str) -> None:
        if self._address is None:
            return
        datagram = "\n".join(filter(None, assignments)).encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
                door.settimeout(_SEND_TIMEOUT_S)
                door.connect(self._address)
                door.send(datagram)
        except (OSError, ValueError):
            # Nobody hears it: no reason to stop watching cameras.
            return


def _address(given: str) -> str | None:
    """A path, or an abstract name, whose `@` stands for a zero byte; other kinds are not ours to speak."""
    if given.startswith("@"):
        return "\0" + given[1:]
    return given if given.startswith("/") else None


def _watchdog_ns(environ: Mapping[str, str]) -> int | None:
    """As sd_watchdog_enabled(3): the time is meant for the process that `WATCHDOG_PID` names."""
    time_us, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if pid and pid != str(os.getpid()):
        return None
    return int(time_us) * 1000 if time_us.isascii() and time_us.isdigit() and int(time_us) > 0 else None

"""systemd's part: starts `edgecam run`, starts it again, and gives it up when it does not ping."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

WATCHDOG_S = 4.0
"""deploy/edgecam.service allows 30: here it would only be waited for."""
_RESTART_S = 1.0
_START_S = 90.0
_ABORT_S = 1.0
_STOP_S = 20.0
_LOOK_S = 0.05
# As RestartPreventExitStatus= of the unit.
_FINAL = {0, 2, 69, 78}


class Manager:
    """One service; `folder` keeps its socket, its log and its state."""

    def __init__(self, folder: Path, config: Path, environ: Mapping[str, str]) -> None:
        self._command = [sys.executable, "-m", "edgecam", "run", "--config", str(config)]
        self._folder = folder
        door = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(door))
        self._socket.settimeout(_LOOK_S)
        self._environ = {
            **os.environ,
            **environ,
            "NOTIFY_SOCKET": str(door),
            "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)),
            "STATE_DIRECTORY": str(folder / "state"),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._alive_s = 0.0
        """When it last pinged, or was started."""
        self._stop = threading.Event()
        self.is_ready = False
        self.ends: list[str] = []
        """Why it was started again, each time."""
        self.dead: str | None = None
        """Why it is not started any more; None: it is."""
        self._thread = threading.Thread(target=self._manage, name="manager", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        process = self._process
        return None if process is None else process.pid

    @property
    def memory_bytes(self) -> int | None:
        """Resident, of the running process."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        except OSError:
            return None
        sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(sizes[0]) * 1024 if sizes else None

    @property
    def log(self) -> Path:
        """What all its processes wrote."""
        return self._folder / "edgecam.log"

    def send(self, number: signal.Signals) -> None:
        """A signal to the running process."""
        if self._process is not None:
            self._process.send_signal(number)

    def close(self) -> None:
        """End it in order, if it is."""
        self._stop.set()
        self._thread.join()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._socket.close()

    def _manage(self) -> None:
        while not self._stop.is_set() and self.dead is None:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environ)
            self.is_ready, self._alive_s = False, time.monotonic()
            end = self._follow(self._process)
            if self._stop.is_set():
                return
            self.ends.append(end)
            if self._process.returncode in _FINAL:
                self.dead = end
            self._stop.wait(_RESTART_S)

    def _follow(self, process: subprocess.Popen[bytes]) -> str:
        """Until it ends, or is to be left alone; why it ended."""
        gave_up = ""
        while not self._stop.is_set() and process.poll() is None:
            self._hear(process.pid)
            patience_s = WATCHDOG_S if self.is_ready else _START_S
            if time.monotonic() - self._alive_s > patience_s:
                gave_up = "watchdog, " if self.is_ready else "not ready, "
                _abort(process)
        return f"{gave_up}{process.returncode}"

    def _hear(self, pid: int) -> None:
        try:
            said = self._socket.recv(4096).decode().splitlines()
        except TimeoutError:
            return
        # What a process that has ended said last is not for the one that came after it.
        if self._process is None or self._process.pid != pid:
            return
        self.is_ready |= "READY=1" in said
        if "READY=1" in said or "WATCHDOG=1" in said:
            self._alive_s = time.monotonic()


def _abort(process: subprocess.Popen[bytes]) -> None:
    """SIGABRT, and SIGKILL for whoever does not take it."""
    process.send_signal(signal.SIGABRT)
    try:
        process.wait(_ABORT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

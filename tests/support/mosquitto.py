"""A real mosquitto on a free loopback port, for tests: start, kill, bring back on the same port.

Other rooms load this file by its path.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_START_S = 10.0


def find_mosquitto() -> str | None:
    """The program; Debian installs it outside of a user's PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """One broker; `folder` keeps its configuration and log. A restart forgets all, unless `persistent`."""

    def __init__(
        self,
        folder: Path,
        *,
        users: dict[str, str] | None = None,
        acl: str | None = None,
        persistent: bool = False,
        tls: tuple[Path, Path] | None = None,
        client_ca: Path | None = None,
        options: Sequence[str] = (),
    ) -> None:
        """Prepare.

        Args:
            folder: exists, and is empty or an earlier broker's.
            users: names and passwords; None: anyone may come.
            acl: text of an ACL file.
            persistent: whether it remembers over a restart.
            tls: its certificate and key, PEM files; None: not encrypted.
            client_ca: with `tls`: clients need a certificate of this CA.
            options: more lines of its configuration.
        """
        self.port = free_port()
        self.url = f"{'mqtts' if tls else 'mqtt'}://127.0.0.1:{self.port}"
        self._tls = tls
        self._client_ca = client_ca
        self._folder = folder
        self._users = users
        self._acl = acl
        self._persistent = persistent
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = find_mosquitto()
        if program is None:
            raise RuntimeError("mosquitto is not installed: apt-get install mosquitto")
        config = self._write_config()
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([program, "-c", config], stdout=log, stderr=log)
        ends = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if time.monotonic() > ends or self._process.poll() is not None:
                    self.stop()
                    raise RuntimeError((self._folder / "mosquitto.log").read_text()) from None
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it in order; idempotent."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(10)

    def kill(self) -> None:
        """End it as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(10)

    def restart(self) -> None:
        """Kill it and bring it back on the same port."""
        self.kill()
        self.start()

    def _write_config(self) -> Path:
        lines = [f"listener {self.port} 127.0.0.1", "user root", "log_type all", *self._options]
        if self._persistent:
            lines += [
                "persistence true",
                f"persistence_location {self._folder}/",
                "autosave_interval 1",
                "autosave_on_changes true",
            ]
        if self._users:
            lines += ["allow_anonymous false", f"password_file {self._write_passwords(self._users)}"]
        else:
            lines += ["allow_anonymous true"]
        if self._tls:
            lines += [f"certfile {self._tls[0]}", f"keyfile {self._tls[1]}"]
        if self._client_ca:
            lines += [f"cafile {self._client_ca}", "require_certificate true"]
        if self._acl:
            acl = self._folder / "acl"
            acl.write_text(self._acl)
            acl.chmod(0o600)
            lines += [f"acl_file {acl}"]
        config = self._folder / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        return config

    def _write_passwords(self, users: dict[str, str]) -> Path:
        path = self._folder / "passwords"
        path.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
        path.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", path], check=True)
        return path

    def freeze(self) -> None:
        """Let it hang: connections stay open, nothing is answered. `kill` ends it all the same."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

"""The broker of the simulation: a mosquitto that keeps its sessions over a restart, and is measured."""

from __future__ import annotations

from pathlib import Path

from mosquitto import Mosquitto


class MeasuredBroker(Mosquitto):
    """Quiet, persistent, and without a bound on what it keeps for the absent subscriber."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._data = folder

    @property
    def memory_bytes(self) -> int:
        """Resident."""
        return self._status_bytes("VmRSS")

    @property
    def peak_memory_bytes(self) -> int:
        """The most since it was started."""
        return self._status_bytes("VmHWM")

    def _status_bytes(self, key: str) -> int:
        assert self._process is not None, "it runs"  # noqa: S101 - for the type checker
        lines = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(f"{key}:"))) * 1024

    def _write_config(self) -> Path:
        config = self._data / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            "user root",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {self._data}/",
            "max_queued_messages 0",
            "max_inflight_messages 0",
            "set_tcp_nodelay true",
            "log_type error",
        ]
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return config

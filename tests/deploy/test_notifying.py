"""The real program under a service manager of the test's own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mosquitto import free_port
from program import config_for, write_pictures

from edgecam.appliance.board import device_id, instance_name


class Manager:
    """Hears what a service tells it, as systemd does."""

    def __init__(self, folder: Path) -> None:
        """Args: where the socket and the service's log lie."""
        self.path = folder / "notify"
        self.log = folder / "edgecam.log"
        self.heard: list[str] = []
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ear.bind(str(self.path))
        self._ear.settimeout(0.2)

    def wait(self, word: str, *, count: int = 1, within_s: float = 60) -> None:
        """Until a word was heard so often."""
        ends = time.monotonic() + within_s
        while sum(word in heard.split("\n") or heard.startswith(word) for heard in self.heard) < count:
            assert time.monotonic() < ends, f"{word} was not heard in {self.heard}:\n{self.log.read_text()}"
            try:
                self.heard.append(self._ear.recv(4096).decode())
            except TimeoutError:
                continue

    def close(self) -> None:
        """Hear no more."""
        self._ear.close()

    @contextmanager
    def service(self, config: Path) -> Iterator[subprocess.Popen[bytes]]:
        """`edgecam run` with a watchdog of two seconds."""
        environ = {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": "2000000"}
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "edgecam", "run", "--config", config],
                stdout=log,
                stderr=log,
                env={**os.environ, "STATE_DIRECTORY": str(config.parent / "state"), **environ},
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)
            self.close()


def written(folder: Path, source: str) -> Path:
    """A configuration without a broker."""
    path = folder / "config.yaml"
    path.write_text(json.dumps(config_for(f"mqtt://127.0.0.1:{free_port()}", source, loop=True)))
    return path


def test_it_is_ready_after_its_self_test_pings_while_frames_finish_and_says_when_it_stops(
    tmp_path: Path,
) -> None:
    """Without a broker, which is no reason to wait."""
    source = f"images:{write_pictures(tmp_path / 'pictures', 5)}"
    manager = Manager(tmp_path)
    with manager.service(written(tmp_path, source)) as process:
        manager.wait("READY=1")
        assert manager.heard[0] == "READY=1"
        assert "first_inference_ms" in manager.log.read_text()
        manager.wait("STATUS=1 camera; ")
        manager.wait("WATCHDOG=1", count=5)
        process.send_signal(signal.SIGTERM)
        manager.wait("STOPPING=1")
        assert process.wait(15) == 0


def test_a_box_without_its_camera_is_ready_and_alive(tmp_path: Path) -> None:
    """An unplugged camera must not become a loop of starts: it is declared out, and tried again."""
    manager = Manager(tmp_path)
    with manager.service(written(tmp_path, f"rtsp://127.0.0.1:{free_port()}/nobody")):
        manager.wait("READY=1")
        manager.wait("STATUS=1 camera, 1 without picture (main); ")
        manager.wait("WATCHDOG=1", count=5)


def test_the_watchdogs_bite_leaves_a_trace_of_what_stood_still(tmp_path: Path) -> None:
    """SIGABRT is how systemd ends it: the journal has each thread's stack then."""
    manager = Manager(tmp_path)
    with manager.service(written(tmp_path, "pattern:")) as process:
        manager.wait("READY=1")
        process.send_signal(signal.SIGABRT)
        code = process.wait(15)
    log = manager.log.read_text()
    assert "Fatal Python error: " in log
    assert "most recent call first" in log
    # Python reads the stacks of threads that run on, and may fall over one: that is told instead.
    assert code == -signal.SIGSEGV or (code == -signal.SIGABRT and "in wait" in log)


def test_a_model_that_cannot_be_loaded_is_never_ready(tmp_path: Path) -> None:
    """Exit code 69: systemd does not try again."""
    path = written(tmp_path, "pattern:")
    config = json.loads(path.read_text())
    (tmp_path / "broken.tflite").write_bytes(b"\0" * 100)
    config["models"]["default"]["path"] = "broken.tflite"
    path.write_text(json.dumps(config))
    manager = Manager(tmp_path)
    with manager.service(path) as process:
        assert process.wait(60) == 69
    assert manager.heard == []


def test_instances_on_one_board_have_other_names() -> None:
    """Topics and client id follow: see `edgecam@.service`."""
    assert instance_name({}) == ""
    assert instance_name({"EDGECAM_INSTANCE": "Front Porch"}) == "front-porch"
    assert device_id(instance="porch") == f"{device_id()}-porch"

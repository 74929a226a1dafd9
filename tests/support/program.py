"""The real program, started as a user would start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_STOP_S = 15.0
# No test leaves anything in the user's home.
_NO_STATE = {
    "EDGECAM_MQTT__OUTBOX__PATH": "memory",
    "STATE_DIRECTORY": str(Path(tempfile.gettempdir()) / "edgecam-tests"),
}
PHOTOS = Path(__file__).parents[1] / "data"


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


def edgecam(*arguments: str | Path, timeout_s: float = 60.0, cwd: Path | None = None, **environ: str) -> Done:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "edgecam", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        cwd=cwd,
        env={**os.environ, **_NO_STATE, **environ},
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


class Program:
    """`edgecam run` in the background, with a configuration of the test's own."""

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        *,
        sets: Sequence[str] = (),
        trace: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Args: a folder for configuration and log; the configuration; --set; --trace; more variables."""
        self._environ = environ or {}
        self._folder = folder
        self._config = folder / "config.yaml"
        # JSON is YAML.
        self._config.write_text(json.dumps(config, indent=1), encoding="utf-8")
        self._options: list[str | Path] = [argument for text in sets for argument in ("--set", text)]
        if trace is not None:
            self._options += ["--trace", trace]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, whatever it does."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(_STOP_S)

    @property
    def log(self) -> str:
        """What it has written to stderr."""
        return (self._folder / "edgecam.log").read_text(encoding="utf-8")

    @property
    def pid(self) -> int:
        """Of the running program."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, again if it has ended."""
        with (self._folder / "edgecam.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edgecam", "run", "--config", self._config, *self._options],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={**os.environ, "STATE_DIRECTORY": str(self._folder / "state"), **self._environ},
            )

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, timeout_s: float = 60.0) -> int:
        """Its exit code, once it has ended."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """End it by a signal; its exit code and how long that took, in seconds."""
        began = time.monotonic()
        self.send(number)
        return self.wait(_STOP_S), time.monotonic() - began

    def wait_log(self, done: Callable[[str], object], timeout_s: float = 30.0) -> None:
        """Wait until `done(log)` is true."""
        ends = time.monotonic() + timeout_s
        while not done(self.log):
            assert time.monotonic() < ends, f"not logged in time:\n{self.log}"
            assert self._process is not None
            assert self._process.poll() is None, f"it has ended:\n{self.log}"
            time.sleep(0.05)


def has_ended(pid: int) -> bool:
    """Whether a process has, though nobody may have asked for its exit code."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return True


def config_for(url: str, source: str, **camera: Any) -> dict[str, Any]:
    """One camera `main` on a device `box`, the shipped model, a heartbeat each second."""
    return {
        "device": "box",
        "cameras": {"main": {"source": source, **camera}},
        "models": {"default": {"path": "efficientnet_lite0_int8"}},
        "mqtt": {"url": url, "heartbeat_s": 1, "predictions": {"enabled": True, "max_hz": 1000}},
    }


def picture(seed: int, *, width: int = 96, height: int = 72) -> NDArray[np.uint8]:
    """A picture of coloured blocks, (height, width, 3) BGR, another one for each seed."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (6, 8, 3), np.uint8)
    return np.kron(blocks, np.ones((height // 6, width // 8, 1), np.uint8)).astype(np.uint8)


def write_pictures(folder: Path, count: int) -> Path:
    """`count` pictures in a new folder."""
    import cv2

    folder.mkdir()
    for number in range(count):
        assert cv2.imwrite(str(folder / f"{number:05}.jpg"), picture(number % 7))
    return folder


def write_photos(folder: Path, *, each: int, rounds: int = 1) -> Path:
    """A new folder in which a cat is seen for `each` frames, then an espresso, and so on."""
    folder.mkdir()
    number = 0
    for _ in range(rounds):
        for name in ("cat.jpg", "espresso.jpg"):
            for _ in range(each):
                (folder / f"{number:05}.jpg").hardlink_to(_local_copy(folder.parent, name))
                number += 1
    return folder


def _local_copy(folder: Path, name: str) -> Path:
    """A copy that can be linked to, since the checkout may lie on another disk."""
    copy = folder / name
    if not copy.exists():
        copy.write_bytes((PHOTOS / name).read_bytes())
    return copy

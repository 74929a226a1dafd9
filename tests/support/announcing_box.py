"""edgecam as an owner of Home Assistant has it: run by another Python than the check's own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PHOTOS = Path(__file__).parents[1] / "data"
FPS = 5
SECONDS_EACH = 4
HEARTBEAT_S = 1


class Edgecam:
    """The program, with two cameras: one sees a cat and an espresso by turns, one watches every label."""

    def __init__(self, python: str, folder: Path, url: str) -> None:
        self._python = python
        self._folder = folder
        photos = folder / "photos"
        photos.mkdir()
        for number in range(2 * FPS * SECONDS_EACH):
            name = "cat.jpg" if number < FPS * SECONDS_EACH else "espresso.jpg"
            (photos / f"{number:03}.jpg").write_bytes((PHOTOS / name).read_bytes())
        watch = {"cat": {"hold_s": 0}, "espresso": {"hold_s": 0}}
        config = {
            "device": "box",
            "cameras": {
                "porch": {"source": f"images:{photos}", "fps": FPS, "loop": True, "watch": watch},
                "yard": {"source": "pattern:", "fps": 2},
            },
            "models": {"default": {"path": "efficientnet_lite0_int8"}},
            "budget_ms": 2000,
            "mqtt": {
                "url": url,
                "heartbeat_s": HEARTBEAT_S,
                "home_assistant": {"enabled": True},
                "snapshots": {"enabled": True},
                "outbox": {"path": "outbox.db"},
            },
        }
        (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        """How it is called."""
        return [self._python, "-m", "edgecam", *arguments, "--config", str(self._folder / "config.yaml")]

    def announced(self) -> dict[str, dict[str, Any]]:
        """What it says that it announces, by topic."""
        done = subprocess.run(
            self.command("discovery", "--print"), check=True, capture_output=True, timeout=60
        )
        told: dict[str, dict[str, Any]] = json.loads(done.stdout)
        return told

    @contextmanager
    def running(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run it; it must end well."""
        with (self._folder / "edgecam.log").open("ab") as log:
            process = subprocess.Popen(self.command("run", *options), stderr=log)
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            code = process.wait(20)
            assert code == 0, f"edgecam run ended with {code}"
        except BaseException:
            sys.stderr.write((self._folder / "edgecam.log").read_text())
            raise
        finally:
            process.kill()
            process.wait()

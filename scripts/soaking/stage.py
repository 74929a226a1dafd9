"""One edgecam with all that it needs, each part of which can be hurt."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
from mosquitto import Mosquitto
from program import PHOTOS
from resilience.proxy import Proxy
from stream_servers import MjpegServer

from soaking.listener import Listener
from soaking.manager import Manager

CAMERA = "yard"
BUDGET_MS = 1000
_FPS = 5
_EACH = 5
_SMALL_DISK_BYTES = 8_000_000
_HERE = Path(__file__).parent


class BadCamera(MjpegServer):
    """A cat and an espresso in turn, so that there are events; or rubbish, or another size."""

    def __init__(self, rng: random.Random) -> None:
        photos = [cv2.imread(str(PHOTOS / name)) for name in ("cat.jpg", "espresso.jpg")]
        self._sizes = [
            [_jpeg(photo, size) for photo in photos for _ in range(_EACH)]
            for size in ((320, 240), (640, 480))
        ]
        super().__init__(range(len(self._sizes[0])), fps=_FPS)  # type: ignore[arg-type] # numbers, until they are sent
        self._rng = rng
        self.is_garbled = False
        self.is_large = False

    def frames(self) -> Iterator[bytes]:
        """As the camera is at this moment."""
        for number in super().frames():
            jpeg = self._sizes[self.is_large][number]  # type: ignore[call-overload] # see above
            yield self._garbled(jpeg) if self.is_garbled else jpeg

    def _garbled(self, jpeg: bytes) -> bytes:
        """Cut, full of noise, or only noise."""
        start = self._rng.choice((0, 20, len(jpeg) // 2))
        return jpeg[:start] + self._rng.randbytes(self._rng.choice((0, len(jpeg) - start)))


class Stage:
    """Broker, link, camera, disk, clock, configuration, manager and subscriber of one edgecam."""

    def __init__(self, folder: Path, *, device: str, rng: random.Random, shim: Path | None) -> None:
        folder.mkdir()
        state = folder / "state"
        state.mkdir()
        self.rng = rng
        self.disk = state if _mount_small_disk(state) else None
        """A small one, in which edgecam keeps its state; None: it cannot be made here."""
        self.noticed_s: list[float] = []
        """How long each half-open link was taken for a good one."""
        self.order = folder / "order"
        self.clock = folder / "clock" if shim else None
        """The file that moves its wall clock; None: it cannot be moved here."""
        self.broker = Mosquitto(folder)
        self.broker.start()
        self.link = Proxy(self.broker.port, rng)
        self.camera = BadCamera(rng)
        self.camera.start()
        self.config = folder / "config.yaml"
        self._device = device
        self.write_config()
        environ = {"SOAK_ORDER": str(self.order), "PYTHONPATH": _with_injected()}
        if shim and self.clock:
            self.move_clock(0)
            environ |= {"LD_PRELOAD": str(shim), "SOAK_CLOCK": str(self.clock)}
        self.listener = Listener(self.broker.port, device=device, camera=CAMERA, budget_ms=BUDGET_MS)
        self.manager = Manager(folder, self.config, environ)

    def write_config(self, *, broken: bool = False, **camera: Any) -> None:
        """Write it, whole and at once, as editors do; `broken`: with a fault on its last line."""
        config = {
            "device": self._device,
            "budget_ms": BUDGET_MS,
            "cameras": {
                CAMERA: {
                    "source": self.camera.url,
                    "fps": _FPS,
                    "smoothing_s": 0,
                    "watch": {"cat": {"hold_s": 0}, "cup": {"hold_s": 0}},
                    **camera,
                }
            },
            "mqtt": {
                "url": f"mqtt://127.0.0.1:{self.link.port}",
                "heartbeat_s": 5,
                "predictions": {"enabled": True, "max_hz": 1000},
            },
        }
        text = json.dumps(config, indent=1)
        if broken:
            text = text.removesuffix("}") + self.rng.choice(
                (', "bugdet_ms": 3}', ', "starve_s": "x"}', "", ", [}")
            )
        draft = self.config.with_suffix(".new")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.config)

    def settle(self) -> None:
        """Put back what faults leave changed behind."""
        self.camera.is_large = False
        self.move_clock(0)
        self.write_config()
        self.manager.send(signal.SIGHUP)

    def move_clock(self, offset_s: int) -> None:
        """Let its wall clock be so much before the true one."""
        if self.clock is None:
            return
        if not self.clock.exists():
            self.clock.write_bytes(struct.pack("l", 0))
        with self.clock.open("r+b") as file:
            file.write(struct.pack("l", offset_s))

    def close(self) -> None:
        """End everything."""
        self.manager.close()
        self.listener.close()
        self.camera.stop()
        self.link.close()
        self.broker.stop()
        if self.disk is not None:
            subprocess.run(["umount", "--lazy", self.disk], check=False)


def build_shim(folder: Path) -> Path | None:
    """The library that moves a process's wall clock; None where there is no C compiler."""
    shim = folder / "clock_shim.so"
    try:
        subprocess.run(
            ["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", shim, _HERE / "clock_shim.c"], check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return shim


def fill(folder: Path, *, for_s: float) -> None:
    """Let its disk be full for a while."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(65536))
    except OSError:
        time.sleep(for_s)
    finally:
        filler.unlink(missing_ok=True)


def _mount_small_disk(folder: Path) -> bool:
    # EDGECAM_OWN_MOUNTS: what scripts/soak says when the machine does not see our mounts.
    if os.geteuid() != 0 or "EDGECAM_OWN_MOUNTS" not in os.environ:
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK_BYTES}", "soak", str(folder)]
    return subprocess.run(command, check=False).returncode == 0


def _with_injected() -> str:
    """The path on which our sitecustomize is the first."""
    given = os.environ.get("PYTHONPATH", "")
    return f"{_HERE / 'injected'}{os.pathsep}{Path(__file__).parents[2]}{os.pathsep}{given}"


def _jpeg(photo: Any, size: tuple[int, int]) -> bytes:
    return bytes(cv2.imencode(".jpg", cv2.resize(photo, size))[1])

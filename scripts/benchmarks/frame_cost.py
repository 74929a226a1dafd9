"""What a frame costs beyond `invoke()`: bare engine and real pipeline in turn, ratios of medians.

The pipeline runs as a user would run it, publishing every prediction to a real mosquitto on loopback, with a
subscriber in this process; its source is `pattern:`, whose own cost is measured apart and taken off.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgecam.capture.camera import CameraSettings, open_camera
from edgecam.client import PredictionMessage, Subscriber
from edgecam.config.source import parse_source

MODEL = "efficientnet_lite0_int8"
SIZE_PX = (640, 480)
FPS = 30
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Bare:
    """One run of bare.py."""

    cpu_ms: float
    wall_ms: float
    resident_bytes: int
    imports_s: float
    """From the start of the process to the end of its imports."""


@dataclass(frozen=True)
class Live:
    """One run of the pipeline."""

    cpu_ms: float
    """Per captured frame, the source's own cost taken off."""
    ages_ms: list[int]
    resident_bytes: int
    first_s: float
    """From the start of the process to the first prediction at the subscriber."""


def boot_s() -> float:
    """CLOCK_BOOTTIME, which processes share."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """A broker on a free loopback port."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        sys.exit("bench: mosquitto is not installed: apt-get install mosquitto")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="ascii")
    process = subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)


def run_bare(count: int) -> Bare:
    """The engine alone, in a process of its own."""
    started_s = boot_s()
    script = Path(__file__).with_name("bare.py")
    done = subprocess.run(
        [sys.executable, script, MODEL, str(count)], capture_output=True, text=True, check=True
    )
    said = json.loads(done.stdout)
    return Bare(said["cpu_ms"], said["wall_ms"], said["resident_bytes"], said["imported_boot_s"] - started_s)


def source_cpu_ms(count: int) -> float:
    """What the test source costs a frame by itself."""
    settings = CameraSettings(size_px=SIZE_PX, fps=1000)
    with open_camera(parse_source("pattern:"), settings) as camera:
        begun_s = time.process_time()
        for _ in range(count):
            camera.read(1)
        return (time.process_time() - begun_s) * 1e3 / count


def run_pipeline(folder: Path, port: int, *, seconds: float, source_ms: float) -> Live:
    """The real program at 30 fps."""
    config = {
        "device": "bench",
        "cameras": {"main": {"source": "pattern:", "size": SIZE_PX, "fps": FPS}},
        "models": {"default": {"path": MODEL, "threads": 1}},
        "mqtt": {"url": f"mqtt://127.0.0.1:{port}", "predictions": {"enabled": True, "max_hz": 1000}},
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    with Subscriber(f"mqtt://127.0.0.1:{port}", device="bench") as subscriber:
        while not subscriber.connected:
            time.sleep(0.01)
        started_s = boot_s()
        command = [sys.executable, "-m", "edgecam", "run", "--config", str(path)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            wait_for_prediction(subscriber)
            first_s = boot_s() - started_s
            listen(subscriber, 2.0)
            cpu_s = cpu_of(process.pid)
            seqs, ages_ms = listen(subscriber, seconds)
            cpu_ms = (cpu_of(process.pid) - cpu_s) * 1e3 / (seqs[-1] - seqs[0] + 1)
            resident = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
        finally:
            process.terminate()
            process.wait(15)
    return Live(cpu_ms - source_ms, ages_ms, resident * _PAGE_BYTES, first_s)


def wait_for_prediction(subscriber: Subscriber) -> None:
    """Until one comes; a minute at most."""
    ends_s = time.monotonic() + 60
    while not isinstance(subscriber.get(1.0), PredictionMessage):
        if time.monotonic() > ends_s:
            sys.exit("bench: no prediction came within a minute")


def listen(subscriber: Subscriber, seconds: float) -> tuple[list[int], list[int]]:
    """Frame numbers and ages of the predictions heard for so long."""
    seqs: list[int] = []
    ages_ms: list[int] = []
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        message = subscriber.get(0.1)
        if isinstance(message, PredictionMessage) and message.seq is not None and message.age_ms is not None:
            seqs.append(message.seq)
            ages_ms.append(message.age_ms)
    return seqs, ages_ms


def cpu_of(pid: int) -> float:
    """CPU seconds of a process so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def show(name: str, values: list[float], unit: str) -> float:
    """One line: median and spread; returns the median."""
    middle = statistics.median(values)
    print(f"{name:<54} {middle:8.2f} {unit:<4} ({min(values):.2f} to {max(values):.2f})")
    return middle


def main() -> None:
    """Measure in turn, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run of the pipeline")
    arguments = parser.parse_args()
    bares, lives = [], []
    with tempfile.TemporaryDirectory(prefix="edgecam-bench-") as name, mosquitto(Path(name)) as port:
        source_ms = statistics.median(source_cpu_ms(200) for _ in range(3))
        for _ in range(arguments.repeats):
            bares.append(run_bare(300))
            lives.append(run_pipeline(Path(name), port, seconds=arguments.seconds, source_ms=source_ms))
    pairs = list(zip(bares, lives, strict=True))
    show("invoke(), wall", [b.wall_ms for b in bares], "ms")
    show("invoke(), CPU", [b.cpu_ms for b in bares], "ms")
    show("pipeline, CPU per frame without the source's", [live.cpu_ms for live in lives], "ms")
    show("  ratio to invoke()", [live.cpu_ms / b.cpu_ms for b, live in pairs], "x")
    show("age at the hand-over, median", [statistics.median(live.ages_ms) for live in lives], "ms")
    show("  ratio to invoke()", [statistics.median(live.ages_ms) / b.wall_ms for b, live in pairs], "x")
    show("resident, engine and libraries alone", [b.resident_bytes / 1e6 for b in bares], "MB")
    show("resident, pipeline", [live.resident_bytes / 1e6 for live in lives], "MB")
    show("  ratio", [live.resident_bytes / b.resident_bytes for b, live in pairs], "x")
    show(
        "first prediction after the imports could have ended",
        [live.first_s - b.imports_s for b, live in pairs],
        "s",
    )
    print(
        f"(source alone {source_ms:.2f} ms a frame; {arguments.repeats} repeats in turn; 1 thread; {FPS} fps)"
    )


if __name__ == "__main__":
    main()

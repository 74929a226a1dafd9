"""The speed targets that are measured in one process: bare `invoke()`, then the pipeline in three situations, in turn.

The pipeline is the real one, publishing every prediction to a real mosquitto on loopback, with a subscriber in
another process; its sources are `pattern:`, whose own CPU is measured apart and taken off.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgecam.capture.camera import CameraSettings, open_camera
from edgecam.config.loader import LoadedConfig, load_config
from edgecam.config.source import parse_source
from edgecam.inference.engine import open_engine
from edgecam.inference.self_test import synthetic_tensor
from edgecam.measure.blocks import LiveBlock, run_bare, run_live, run_source
from edgecam.model.store import find_model, load_model

MODEL = "efficientnet_lite0_int8"
SIZE_PX = (640, 480)
FPS = 30
# More than any of these engines takes with one thread.
FLOOD_FPS = 1000
CAMERAS = 8


@dataclass(frozen=True)
class Round:
    """What one repeat gave."""

    invoke_ms: float
    """Median of the bare loop."""
    invoke_cpu_ms: float
    invokes_per_s: float
    saturated_fps: float
    saturated_cpu_ms: float
    """Per classified frame, the source's own taken off."""
    ages_ms: Sequence[float]
    """At 30 fps: capture to the subscriber."""
    paced_cpu_ms: float
    """At 30 fps, per frame, the source's own taken off."""
    eight_fps: float
    """Of eight cameras together."""
    shares: Mapping[str, int]
    """How often each of the eight was classified."""


class Ears:
    """The subscriber's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def heard(self) -> dict[tuple[str, int], int]:
        """Camera and seq of the predictions since the last call, and when each arrived, BOOTTIME ns."""
        assert self._process.stdin is not None  # noqa: S101 - it was opened with pipes
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return {(camera, seq): at_ns for camera, seq, at_ns in json.loads(self._process.stdout.readline())}


@contextmanager
def subscriber(port: int) -> Iterator[Ears]:
    """A subscriber that is ready."""
    script = Path(__file__).with_name("subscriber.py")
    process = subprocess.Popen(
        [sys.executable, script, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None  # noqa: S101 - it was opened with pipes
        if process.stdout.readline().strip() != "ready":
            sys.exit("bench: the subscriber did not start")
        yield Ears(process)
    finally:
        process.terminate()
        process.wait(10)


def measure(folder: Path, port: int, *, repeats: int, seconds: float) -> Iterator[Round]:
    """Measure in turn; a block of each kind a repeat, and bare `invoke()` before and after each."""
    model = load_model(find_model(MODEL, folder=Path()))
    with open_engine(model, threads=1) as engine, subscriber(port) as ears:
        tensor = synthetic_tensor(model.card.input, engine.input)
        source_ms = source_cpu_ms()
        for _ in range(repeats):
            bares = [run_bare(engine, tensor, seconds=seconds / 4)]
            flood = run_live(configuration(folder, port, cameras=1, fps=FLOOD_FPS), seconds=seconds)
            bares.append(run_bare(engine, tensor, seconds=seconds / 4))
            ears.heard()
            paced = run_live(configuration(folder, port, cameras=1, fps=FPS), seconds=seconds)
            ages_ms = ages_at_the_subscriber(paced, ears)
            bares.append(run_bare(engine, tensor, seconds=seconds / 4))
            eight = run_live(
                configuration(folder, port, cameras=CAMERAS, fps=FLOOD_FPS // CAMERAS), seconds=seconds
            )
            bares.append(run_bare(engine, tensor, seconds=seconds / 4))
            count = sum(bare.count for bare in bares)
            yield Round(
                invoke_ms=statistics.median(wall for bare in bares for wall in bare.walls_ns.tolist()) / 1e6,
                invoke_cpu_ms=sum(bare.cpu_ns for bare in bares) / count / 1e6,
                invokes_per_s=count / (sum(bare.span_ns for bare in bares) / 1e9),
                saturated_fps=rate(flood),
                saturated_cpu_ms=(flood.cpu_ns / 1e6 - source_ms * flood.captured) / len(flood.results),
                ages_ms=ages_ms,
                paced_cpu_ms=(paced.cpu_ns / 1e6 - source_ms * paced.captured) / len(paced.results),
                eight_fps=rate(eight),
                shares={name: len(books.results) for name, books in eight.cameras.items()},
            )


def rate(block: LiveBlock) -> float:
    """Classified frames per second."""
    return len(block.results) / (block.span_ns / 1e9)


def ages_at_the_subscriber(block: LiveBlock, ears: Ears) -> list[float]:
    """In ms, of every classified frame that was heard."""
    heard = ears.heard()
    return [
        (heard[result.camera, result.seq] - result.captured_ns) / 1e6
        for result in block.results
        if (result.camera, result.seq) in heard
    ]


def source_cpu_ms() -> float:
    """What the test source costs a frame by itself."""
    with open_camera(parse_source("pattern:"), CameraSettings(size_px=SIZE_PX, fps=FLOOD_FPS)) as camera:
        blocks = [run_source(camera, seconds=0.5) for _ in range(3)]
    return statistics.median(block.cpu_ns / block.count / 1e6 for block in blocks)


def configuration(folder: Path, port: int, *, cameras: int, fps: int) -> LoadedConfig:
    """Cameras on the shipped model with one thread; every prediction is published."""
    camera = {"source": "pattern:", "size": SIZE_PX, "fps": fps}
    config = {
        "device": "bench",
        "prefer": "freshness" if fps == FPS else "throughput",
        "cameras": {f"c{index}": camera for index in range(cameras)},
        "models": {"default": {"path": MODEL, "threads": 1}},
        "mqtt": {"url": f"mqtt://127.0.0.1:{port}", "predictions": {"enabled": True, "max_hz": 1000}},
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    return load_config(path, environ={})

"""The speed targets that are measured in one process: bare `invoke()` and the pipeline, in turn.

The pipeline is the real one, publishing every prediction to a real mosquitto on loopback, with a subscriber
in another process; its sources are `pattern:`, whose own CPU is measured apart and taken off.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgecam import clock
from edgecam.capture.camera import CameraSettings, open_camera
from edgecam.config.loader import LoadedConfig, load_config
from edgecam.config.source import parse_source
from edgecam.inference.engine import Engine, open_engine
from edgecam.inference.self_test import synthetic_tensor
from edgecam.measure.blocks import BareBlock, LiveBlock, run_bare, run_live, run_source
from edgecam.model.store import find_model, load_model

MODEL = "efficientnet_lite0_int8"
SIZE_PX = (640, 480)
FPS = 30
# A saturated engine is offered so many times what it can take, and 200 frames per second at least.
FLOOD = 1.4
LEAST_FLOOD_FPS = 200
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
    paced_invoke_ms: float
    """Median of the bare `invoke()` when it is called 30 times a second: what a pause alone costs."""
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
    """Measure in turn; a block of each kind a repeat, and bare `invoke()` between them."""
    model = load_model(find_model(MODEL, folder=Path()))
    source_ms = source_cpu_ms()
    with open_engine(model, threads=1) as engine, subscriber(port) as ears:
        bench = _Bench(folder, port, engine, synthetic_tensor(model.card.input, engine.input), seconds)
        for _ in range(repeats):
            yield _round(bench, ears, source_ms)


@dataclass(frozen=True, eq=False)
class _Bench:
    """What every block needs."""

    folder: Path
    port: int
    engine: Engine
    tensor: NDArray[Any]
    seconds: float

    def bare(self) -> BareBlock:
        """`invoke()` in a loop."""
        return run_bare(self.engine, self.tensor, seconds=self.seconds / 4)

    def live(self, *, cameras: int, fps: int) -> LiveBlock:
        """The pipeline."""
        loaded = configuration(self.folder, self.port, cameras=cameras, fps=fps)
        return run_live(loaded, seconds=self.seconds)


def _round(bench: _Bench, ears: Ears, source_ms: float) -> Round:
    bares = [bench.bare()]
    flood_fps = round(max(LEAST_FLOOD_FPS, min(1000, FLOOD * 1e9 * bares[0].count / bares[0].span_ns)))
    flood = bench.live(cameras=1, fps=flood_fps)
    bares.append(bench.bare())
    ears.heard()
    paced = bench.live(cameras=1, fps=FPS)
    ages_ms = ages_at_the_subscriber(paced, ears)
    paced_invoke_ms = paced_invoke(bench.engine, bench.tensor, seconds=bench.seconds / 2)
    bares.append(bench.bare())
    eight = bench.live(cameras=CAMERAS, fps=-(-flood_fps // CAMERAS))
    bares.append(bench.bare())
    count = sum(bare.count for bare in bares)
    return Round(
        invoke_ms=statistics.median(wall for bare in bares for wall in bare.walls_ns.tolist()) / 1e6,
        invoke_cpu_ms=sum(bare.cpu_ns for bare in bares) / count / 1e6,
        invokes_per_s=count / (sum(bare.span_ns for bare in bares) / 1e9),
        saturated_fps=rate(flood),
        saturated_cpu_ms=cpu_ms(flood, source_ms),
        ages_ms=ages_ms,
        paced_cpu_ms=cpu_ms(paced, source_ms),
        paced_invoke_ms=paced_invoke_ms,
        eight_fps=rate(eight),
        shares={name: len(books.results) for name, books in eight.cameras.items()},
    )


def cpu_ms(block: LiveBlock, source_ms: float) -> float:
    """CPU of the process per classified frame, without that of the source."""
    return (block.cpu_ns / 1e6 - source_ms * block.captured) / len(block.results)


def paced_invoke(engine: Engine, tensor: NDArray[Any], *, seconds: float) -> float:
    """Median of `invoke()`, in ms, after a pause each time."""
    walls_ms = []
    for _ in range(round(seconds * FPS)):
        time.sleep(1 / FPS)
        began_ns = clock.boot_ns()
        engine.invoke(tensor)
        walls_ms.append((clock.boot_ns() - began_ns) / 1e6)
    return statistics.median(walls_ms)


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
    with open_camera(parse_source("pattern:"), CameraSettings(size_px=SIZE_PX, fps=1000)) as camera:
        blocks = [run_source(camera, seconds=0.5) for _ in range(3)]
    return statistics.median(block.cpu_ns / block.count / 1e6 for block in blocks)


def configuration(folder: Path, port: int, *, cameras: int, fps: int) -> LoadedConfig:
    """Cameras on the shipped model with one thread; every prediction is published."""
    return load_config(write_configuration(folder, port, cameras=cameras, fps=fps), environ={})


def write_configuration(folder: Path, port: int, *, cameras: int, fps: int) -> Path:
    """The same as a file; any JSON is YAML."""
    camera = {"source": "pattern:", "size": SIZE_PX, "fps": fps}
    config = {
        "device": "bench",
        "prefer": "freshness" if fps == FPS else "throughput",
        "cameras": {f"c{index}": camera for index in range(cameras)},
        "models": {"default": {"path": MODEL, "threads": 1}},
        "mqtt": {
            "url": f"mqtt://127.0.0.1:{port}",
            "predictions": {"enabled": True, "max_hz": 1000},
            # Else one run would send what another has left.
            "outbox": {"path": "memory"},
        },
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path

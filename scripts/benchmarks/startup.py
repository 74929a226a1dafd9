"""What the program costs as a whole: memory, the time to the first prediction, the time of `--help`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed import FPS, MODEL, Ears, subscriber, write_configuration
from edgecam import clock

_SETTLED_S = 4.0
_FIRST_S = 60.0
_LOOK_S = 0.005
_STOP_S = 15


@dataclass(frozen=True)
class Start:
    """What one repeat gave."""

    resident_bytes: int
    """Of `edgecam run`, after some seconds at 30 fps."""
    yardstick_bytes: int
    """Of a process with the same imports and the same model."""
    first_s: float
    """From the moment when the imports could have ended to the first prediction at the subscriber."""
    help_s: float
    """Of the whole process `edgecam --help`."""
    imports_s: float
    """Of importing numpy and OpenCV alone, the interpreter's own start taken off."""


def measure(folder: Path, port: int, *, repeats: int) -> Iterator[Start]:
    """Measure in turn."""
    config = write_configuration(folder, port, cameras=1, fps=FPS)
    with subscriber(port) as ears:
        for _ in range(repeats):
            began_ns = clock.boot_ns()
            script = Path(__file__).with_name("same_imports.py")
            done = subprocess.run([sys.executable, script, MODEL], capture_output=True, text=True, check=True)
            yardstick = json.loads(done.stdout)
            imports_s = (yardstick["imported_ns"] - began_ns) / 1e9
            first_s, resident_bytes = _run(config, ears)
            bare_s, with_s = _seconds("-c", "pass"), _seconds("-c", "import numpy, cv2")
            yield Start(
                resident_bytes=resident_bytes,
                yardstick_bytes=yardstick["resident_bytes"],
                first_s=first_s - imports_s,
                help_s=_seconds("-m", "edgecam", "--help"),
                imports_s=with_s - bare_s,
            )


def _run(config: Path, ears: Ears) -> tuple[float, int]:
    """Start the program: seconds to its first prediction, and its resident memory later on."""
    ears.heard()
    began_ns = clock.boot_ns()
    command = [sys.executable, "-m", "edgecam", "run", "--config", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        arrivals: Sequence[int] = ()
        while not arrivals:
            if clock.boot_ns() - began_ns > _FIRST_S * 1e9 or process.poll() is not None:
                sys.exit(f"bench: edgecam gave no prediction within {_FIRST_S:g} s")
            time.sleep(_LOOK_S)
            arrivals = list(ears.heard().values())
        time.sleep(_SETTLED_S)
        pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
    finally:
        process.terminate()
        process.wait(_STOP_S)
    return (min(arrivals) - began_ns) / 1e9, pages * 4096


def _seconds(*arguments: str) -> float:
    """How long a Python process takes, from its start to its end; the best of three, with warm caches."""
    took = []
    for _ in range(3):
        began_s = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        took.append(time.perf_counter() - began_s)
    return min(took)

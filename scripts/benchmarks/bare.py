"""The yardstick: the same libraries, the same engine, nothing but `invoke()`. Prints one JSON line.

Run as a process of its own: `python bare.py MODEL COUNT`.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import paho.mqtt.client

from edgecam.config.loader import load_config
from edgecam.inference.engine import open_engine
from edgecam.model.store import find_model, load_model


def resident_bytes() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Measure."""
    imported_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    model = load_model(find_model(sys.argv[1], folder=Path()))
    count = int(sys.argv[2])
    with open_engine(model, threads=1) as engine:
        rng = np.random.default_rng(1)
        tensor = rng.integers(-128, 128, engine.input.shape, np.int8)
        for _ in range(20):
            engine.invoke(tensor)
        walls_ms = []
        cpu_s = time.process_time()
        for _ in range(count):
            begun_s = time.perf_counter()
            engine.invoke(tensor)
            walls_ms.append((time.perf_counter() - begun_s) * 1e3)
        cpu_ms = (time.process_time() - cpu_s) * 1e3 / count
    print(
        json.dumps(
            {
                "imported_boot_s": imported_s,
                "cpu_ms": cpu_ms,
                "wall_ms": statistics.median(walls_ms),
                "resident_bytes": resident_bytes(),
                "libraries": [cv2.__version__, paho.mqtt.__version__, load_config.__module__],
            }
        )
    )


if __name__ == "__main__":
    main()

"""The yardstick of memory and start: the same imports, and the same model, loaded and run. Prints JSON.

Run as a process of its own: `same_imports.py MODEL`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import paho.mqtt.client

from edgecam import clock
from edgecam.appliance.board import board_stats
from edgecam.config.loader import load_config
from edgecam.inference.engine import open_engine
from edgecam.inference.self_test import synthetic_tensor
from edgecam.model.store import find_model, load_model

_INVOKES = 20


def main() -> None:
    """Measure."""
    imported_ns = clock.boot_ns()
    model = load_model(find_model(sys.argv[1], folder=Path()))
    with open_engine(model, threads=1) as engine:
        tensor = synthetic_tensor(model.card.input, engine.input)
        for _ in range(_INVOKES):
            engine.invoke(tensor)
        said = {
            "imported_ns": imported_ns,
            "resident_bytes": board_stats().memory_bytes,
            "libraries": [cv2.__version__, np.__version__, paho.mqtt.__version__, load_config.__module__],
        }
    print(json.dumps(said))


if __name__ == "__main__":
    main()

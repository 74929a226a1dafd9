"""A process whose engine is opened anew again and again does not grow."""

from __future__ import annotations

import platform
import subprocess
import sys

import numpy as np
import pytest

from edgecam.config.shipped import shipped_folder
from edgecam.inference import litert
from edgecam.inference.litert import LiteRtEngine

MODEL = shipped_folder() / "models" / "efficientnet_lite0_160_int8" / "model.tflite"
FREE_AND_GIVE_BACK = """
from edgecam.inference.memory import give_back_memory
def resident_kb():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:")))
blocks = [bytearray(1000) for _ in range(30_000)]
on_top = bytearray(1000)
del blocks
before = resident_kb()
give_back_memory()
print(before - resident_kb())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked for it")
def test_freed_memory_goes_back() -> None:
    """30 MB in small blocks below one that lives: without asking, the C library keeps them."""
    command = [sys.executable, "-c", FREE_AND_GIVE_BACK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) > 20_000


def test_an_engine_that_is_closed_gives_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the interpreter has gone, and once: closing twice is allowed."""
    open_then: list[bool] = []
    engine = LiteRtEngine(MODEL, threads=1)
    engine.invoke(np.zeros(engine.input.shape, engine.input.dtype))
    monkeypatch.setattr(litert, "give_back_memory", lambda: open_then.append(engine._interpreter is not None))
    engine.close()
    engine.close()
    assert open_then == [False]

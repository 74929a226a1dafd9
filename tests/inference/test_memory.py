"""A process whose engine is opened anew again and again does not grow."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecam.commands import run as run_command
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
ALLOCATE_IN_THREADS = """
import ctypes, sys, threading
from edgecam.inference.memory import use_one_heap
if sys.argv[1] == "one":
    use_one_heap()
libc = ctypes.CDLL(None)
all_are_here = threading.Barrier(4)
def allocate():
    all_are_here.wait()
    libc.malloc(5000)
    all_are_here.wait()
threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""
ONLY_GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked for it")


@ONLY_GLIBC
def test_threads_share_one_heap() -> None:
    """What one thread has freed is for all: else each has a heap of its own, at its own peak."""
    heaps = {}
    for wanted in ("one", "usual"):
        command = [sys.executable, "-c", ALLOCATE_IN_THREADS, wanted]
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("MALLOC", "GLIBC"))
        }
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environ)
        heaps[wanted] = done.stdout.count("<heap nr=")
    assert heaps["one"] == 1
    assert heaps["usual"] > 1


def test_a_run_shares_one_heap_before_all_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heap that a thread has already stays: it is asked for before the configuration is even read."""

    class AskedError(Exception):
        pass

    def ask() -> None:
        raise AskedError

    monkeypatch.setattr(os, "umask", lambda _mask: 0)
    monkeypatch.setattr(run_command, "use_one_heap", ask)
    with pytest.raises(AskedError):
        run_command.run(tmp_path / "absent.yaml")


@ONLY_GLIBC
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

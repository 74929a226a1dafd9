"""The threads of a run share one heap, and frames do not go to the system and back."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

ALLOCATE_IN_THREADS = """
import ctypes, sys, threading
from edgecam.commands.heap import use_one_heap
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
TAKE_FRAMES = """
import resource
from edgecam.commands.heap import use_one_heap
use_one_heap()
def take_frame():
    return bytearray(6_220_800)
frames = [take_frame() for _ in range(3)]
del frames
faults_before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    frames = [take_frame() for _ in range(3)]
    del frames
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults_before)
"""
RUN = """
import sys
from pathlib import Path
from edgecam import cli
from edgecam.commands import heap
heap.use_one_heap = lambda: sys.exit("numpy" in sys.modules)
cli.run(Path("absent.yaml"))
"""
_ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC", "GLIBC"))}
ONLY_GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked for it")


@ONLY_GLIBC
def test_threads_share_one_heap() -> None:
    """What one thread has freed is for all: else each has a heap of its own, at its own peak."""
    heaps = {}
    for wanted in ("one", "usual"):
        command = [sys.executable, "-c", ALLOCATE_IN_THREADS, wanted]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=_ENVIRON)
        heaps[wanted] = done.stdout.count("<heap nr=")
    assert heaps["one"] == 1
    assert heaps["usual"] > 1


@ONLY_GLIBC
def test_a_frame_takes_the_memory_of_the_one_before() -> None:
    """300 frames of 1920x1080: the system is asked for the pages of the first three, not for 450,000."""
    command = [sys.executable, "-c", TAKE_FRAMES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=_ENVIRON)
    assert int(done.stdout) < 1000


def test_a_run_shares_one_heap_before_all_else() -> None:
    """A heap that a thread has already stays, and numpy brings threads."""
    done = subprocess.run([sys.executable, "-c", RUN], timeout=60, check=False)
    assert done.returncode == 0

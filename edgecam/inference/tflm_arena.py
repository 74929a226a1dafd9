"""How much memory a model takes in TFLite Micro: run once in a child process, which it may end.

`python -m edgecam.inference.tflm_arena MODEL BYTES` runs the model in an arena of so many bytes; TFLite
Micro's own recording allocator then writes what it took to stderr.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecam.errors import EngineError

_RUN_S = 120
_TOTAL = re.compile(r"Arena allocation total (\d+) bytes")
# Of the first run: far more than any microcontroller has.
_TIMES_MODEL, _GENEROUS_BYTES = 10, 4_000_000
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Arena:
    """The memory for all tensors of a model."""

    used_bytes: int
    """What TFLite Micro took of it, with plain kernels on a 64-bit machine."""
    bytes: int
    """What it is given: a tenth more, in whole KiB; it has run in that."""


def measure_arena(path: Path) -> Arena:
    """Run a `.tflite` in TFLite Micro, and again in an arena just large enough.

    Raises:
        EngineError: TFLite Micro is not installed, refuses the model, or ends.
    """
    used_bytes = _run(path, max(_GENEROUS_BYTES, _TIMES_MODEL * path.stat().st_size))
    enough_bytes = -(-used_bytes * 11 // (10 * _KIB)) * _KIB
    _run(path, enough_bytes)
    return Arena(used_bytes, enough_bytes)


def _run(path: Path, arena_bytes: int) -> int:
    """What it used of it."""
    command = [sys.executable, "-m", "edgecam.inference.tflm_arena", str(path.resolve()), str(arena_bytes)]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, this package's module
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_RUN_S,
            cwd=Path(__file__).parents[2],
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"{path}: TFLite Micro did not end within {_RUN_S} s; use a smaller model"
        ) from error
    found = _TOTAL.search(done.stderr)
    if done.returncode == 0 and found:
        return int(found[1])
    ended = f"ended by signal {-done.returncode}" if done.returncode < 0 else "fails"
    raise EngineError(f"{path}: TFLite Micro {ended} in {arena_bytes} bytes: {_reason(done.stderr)}")


def _reason(said: str) -> str:
    """Its own words, which come first; else the exception's."""
    lines = [line for line in said.splitlines() if line.strip()] or ["it says nothing"]
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0]).strip()[:200]


def _child(path: str, arena_bytes: int) -> None:
    try:
        from tflite_micro.python.tflite_micro import runtime
    except ImportError as error:
        raise SystemExit(
            f"it is not installed ({error}): `pip install 'edgecam[tflm]'` (64-bit x86)"
        ) from error
    interpreter = runtime.Interpreter.from_bytes(Path(path).read_bytes(), arena_size=arena_bytes)
    details = interpreter.get_input_details(0)
    interpreter.set_input(np.zeros(details["shape"], details["dtype"]), 0)
    interpreter.invoke()
    interpreter.print_allocations()


if __name__ == "__main__":
    _child(sys.argv[1], int(sys.argv[2]))

"""The measuring end of a process in which an engine is tried."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import EngineError
from edgecam.inference.bond import end_before_us, how_it_ended
from edgecam.inference.habits import ClosedAfterUse
from edgecam.measure.trial import Candidate, Opened
from edgecam.model.model import Model

# Some accelerators compile the model first; a microcontroller's kernels take seconds for a picture.
_OPEN_S = 180.0
_SLACK_S = 120.0
_STOP_S = 2.0
# With `-m`, what it answers with would be of a module `__main__`, which is another one here.
_MAIN = "from edgecam.measure.trial import main; main()"


class TrialProcess(ClosedAfterUse):
    """An engine in a process of its own; starts that in the constructor.

    Each method raises EngineError: the engine refuses or fails, or its process has ended or hangs.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, this package's module
                [sys.executable, "-c", _MAIN, str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                # Python looks here first: the same edgecam as ours.
                cwd=Path(__file__).parents[2],
            )
        end_before_us(self._process.pid)
        self._line = Connection(ours.detach())

    def open(self, model: Model, candidate: Candidate) -> Opened:
        """Open the engine and test it."""
        opened: Opened = self._ask(_OPEN_S, "open", model, candidate)
        return opened

    def measure(self, seconds: float) -> NDArray[np.int64]:
        """(count,): how long each inference took, in ns."""
        walls_ns: NDArray[np.int64] = self._ask(seconds + _SLACK_S, "measure", seconds)
        return walls_ns

    def memory_mb(self) -> float | None:
        """Resident now, with all child processes."""
        memory_mb: float | None = self._ask(_SLACK_S, "memory_mb")
        return memory_mb

    def classify(self, pictures: list[Path]) -> list[int | None]:
        """The best class of each picture; None: it cannot be read."""
        best: list[int | None] = self._ask(_SLACK_S + 10 * len(pictures), "classify", pictures)
        return best

    def close(self) -> None:
        """End the process, whatever it does."""
        self._line.close()
        with self._process as process:
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()

    def _ask(self, deadline_s: float, what: str, *arguments: Any) -> Any:
        try:
            self._line.send((what, arguments))
            if not self._line.poll(deadline_s):
                raise EngineError(f"does not come back (for {deadline_s:.0f} s)")
            done, value = self._line.recv()
        except (EOFError, OSError) as error:
            raise EngineError(self._end()) from error
        if not done:
            raise EngineError(value)
        return value

    def _end(self) -> str:
        try:
            code = self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            return "its process does not answer any more"
        return f"it ends its process ({how_it_ended(code)})"

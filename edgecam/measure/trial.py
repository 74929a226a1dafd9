"""One engine tried in a process of its own, so that its memory is its own and an abort ends nobody else.

`main` is what that process does; its arguments are the descriptor of its end of a socket, and who started it.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.capture.images import read_picture
from edgecam.errors import EdgecamError, UnreadableFrame
from edgecam.inference.apart import ChildEngine
from edgecam.inference.bond import end_with
from edgecam.inference.contract import check_contract
from edgecam.inference.delegates import DelegateUse
from edgecam.inference.engine import Engine, EngineInfo
from edgecam.inference.engines import EngineRequest, load_engine
from edgecam.inference.self_test import run_self_test, synthetic_tensor
from edgecam.model.model import Model
from edgecam.vision.geometry import View
from edgecam.vision.preprocess import Preprocessor

WARM_UP_INVOKES = 5
"""Before each block, not measured."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine, and how it is to be tried."""

    engine: str
    """As `load_engine` calls it."""
    threads: int = 1
    delegate: DelegateUse | None = None
    apart: bool = False
    """In a child process of the one that tries it, as edgecam runs an accelerator."""
    file: Path | None = None
    """What it runs, if that is not the model's own file."""

    @property
    def name(self) -> str:
        """What was asked for, for messages."""
        what = self.engine if self.delegate is None else self.delegate.name
        return f"{what} in a child" if self.apart else what


@dataclass(frozen=True, slots=True)
class Opened:
    """What an engine is, once it is open and has passed its self-test."""

    info: EngineInfo
    open_ms: float
    """Opening it, without the first inference."""
    first_ms: float
    """The first inference."""
    delegated: int | None
    """Operators that run on an accelerator; None: the engine does not say."""
    operators: int | None
    """Of so many."""
    before_mb: float | None
    """Resident memory before it was opened: Python and edgecam."""


Answer = tuple[bool, Any]
"""True and the value, or False and why there is none."""


class Trial:
    """What the process does when it is asked; each method raises EdgecamError."""

    def __init__(self) -> None:
        self._model: Model
        self._engine: Engine

    def open(self, model: Model, candidate: Candidate) -> Opened:
        """Open the engine and test it; once."""
        before_mb = resident_mb()
        began_ns = time.perf_counter_ns()
        engine = _load(model, candidate)
        open_ms = (time.perf_counter_ns() - began_ns) / 1e6
        check_contract(engine, model)
        self._model, self._engine = model, engine
        first_ms = run_self_test(engine, model)
        delegated, operators = getattr(engine, "delegated", None), getattr(engine, "operators", None)
        return Opened(engine.info, open_ms, first_ms, delegated, operators, before_mb)

    def measure(self, seconds: float) -> NDArray[np.int64]:
        """(count,): how long each inference took, in ns, one after the other for so long."""
        tensor = synthetic_tensor(self._model.card.input, self._engine.input)
        for _ in range(WARM_UP_INVOKES):
            self._engine.invoke(tensor)
        times_ns = [time.perf_counter_ns()]
        ends_ns = times_ns[0] + round(seconds * 1e9)
        while len(times_ns) == 1 or times_ns[-1] < ends_ns:
            self._engine.invoke(tensor)
            times_ns.append(time.perf_counter_ns())
        times = np.asarray(times_ns, np.int64)
        return times[1:] - times[:-1]

    def memory_mb(self) -> float | None:
        """Resident now, with all child processes; None: the kernel does not say."""
        return resident_mb()

    def classify(self, pictures: list[Path]) -> list[int | None]:
        """The best class of each; None: it cannot be read."""
        see = Preprocessor(self._model.card.input, self._engine.input, View())
        best: list[int | None] = []
        for path in pictures:
            try:
                best.append(int(self._engine.invoke(see(read_picture(path))).argmax()))
            except UnreadableFrame:
                best.append(None)
        return best


def resident_mb(pid: str = "self") -> float | None:
    """Resident memory of a process and its descendants; None: the kernel does not say."""
    place = Path("/proc") / pid
    try:
        said = (place / "status").read_text(encoding="utf-8")
        own_kb = next(int(line.split()[1]) for line in said.splitlines() if line.startswith("VmRSS:"))
        children = " ".join(path.read_text() for path in place.glob("task/*/children")).split()
    except (OSError, StopIteration):
        return None
    return own_kb * 1024 / 1e6 + sum(resident_mb(child) or 0.0 for child in children)


def main() -> None:
    """Do what the other end asks for, one thing at a time, until it hangs up."""
    # Ctrl-C is for the parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # It may be ended in whatever way, and an engine that hangs here would take a core for ever.
    end_with(int(sys.argv[2]))
    trial = Trial()
    with Connection(int(sys.argv[1])) as line:
        while True:
            try:
                what, arguments = line.recv()
            except EOFError:
                return
            line.send(_answer(getattr(trial, what), arguments))


def _answer(work: Callable[..., Any], arguments: tuple[Any, ...]) -> Answer:
    try:
        return True, work(*arguments)
    except EdgecamError as fault:
        return False, str(fault)
    except Exception as fault:  # noqa: BLE001 - whatever a stranger's engine raises
        return False, f"{type(fault).__name__}: {fault}"


def _load(model: Model, candidate: Candidate) -> Engine:
    if candidate.apart:
        return ChildEngine(model, candidate.engine, threads=candidate.threads)
    request = EngineRequest(
        candidate.file or model.path, threads=candidate.threads, delegate=candidate.delegate
    )
    return load_engine(candidate.engine, request)

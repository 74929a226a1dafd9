"""An engine whose delegate runs in a child process; the CPU in this one serves whenever the child does not.

No frame waits for a child to start: a keeper, one thread that lives as long as the engine, starts it,
proves it on a known picture, and takes it away when it fails. The frame on which it failed goes to the CPU,
like all that follow.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import EngineError
from edgecam.inference.child_process import ChildProcess, Order
from edgecam.inference.engine import Engine, EngineInfo
from edgecam.inference.patience import InvokeDeadline, RestartBudget

log = logging.getLogger(__name__)

# Some delegates compile the model when it is run for the first time.
_FIRST_S = 60.0
_LOOK_EVERY_S = 1.0
_JOIN_S = 3.0
# How far an answer may be from the CPU's, as a share of the range of its scores.
_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Change:
    """Another engine serves from now on, or still none but the CPU and for another reason."""

    info: EngineInfo
    """What serves."""
    why: str
    """Why it is the CPU; empty: it is not."""
    delegated: int = 0
    """Operators that run on the delegate, as the interpreter says."""
    operators: int = 0
    """Of so many."""


class IsolatedEngine:
    """A delegate in a child, the CPU beside it; an `Engine`. Serves from the CPU until the child is proved.

    Args:
        cpu: the same model on the CPU, open and tested; it is closed with this engine.
        order: what the child opens.
        known: an input tensor with an answer that tells right from wrong.
        told: hears of each change, in the keeper's thread.
        timeout_ms: of one inference; None: max(250 ms, 10 times the 99th percentile).
        budget: of restarts.
    """

    def __init__(
        self,
        cpu: Engine,
        order: Order,
        *,
        known: NDArray[Any],
        told: Callable[[Change], None],
        timeout_ms: float | None = None,
        budget: RestartBudget | None = None,
    ) -> None:
        self.input, self.output = cpu.input, cpu.output
        self._cpu = cpu
        self._order = order
        self._known, self._expected = known, cpu.invoke(known)
        self._told = told
        self._deadline = InvokeDeadline(None if timeout_ms is None else timeout_ms / 1e3)
        self._budget = budget or RestartBudget()
        self._closing = Event()
        self._child: ChildProcess | None = None
        """Whatever child there is; written by the keeper alone."""
        self._why = ""
        self._has_served = False
        self._keeper = Thread(target=self._keep, name=f"delegate-{order.delegate.name}", daemon=True)
        self._keeper.start()

    @property
    def info(self) -> EngineInfo:
        """What serves the next frame."""
        child = self._serving()
        return self._cpu.info if child is None or child.info is None else child.info

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """Run the network once, here or in the child; see `Engine.invoke`."""
        child = self._serving()
        fits = tensor.shape == self.input.shape and tensor.dtype == np.dtype(self.input.dtype)
        if child is not None and fits:
            began_s = time.monotonic()
            try:
                output = child.invoke(tensor, self._deadline.s)
            except EngineError as fault:
                self._why = str(fault)
                child.failed.set()
            else:
                self._deadline.record(time.monotonic() - began_s)
                return output
        return self._cpu.invoke(tensor)

    def close(self) -> None:
        """End the child and let both engines go; may be called twice."""
        self._closing.set()
        child = self._child
        if child is not None:
            child.hang_up()
        self._keeper.join(_JOIN_S)
        self._cpu.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _serving(self) -> ChildProcess | None:
        child = self._child
        return child if child is not None and child.is_proved and not child.failed.is_set() else None

    def _keep(self) -> None:
        said = None
        while not self._closing.wait(self._budget.wait_s(time.monotonic())):
            self._budget.started(time.monotonic())
            try:
                self._run_child()
            except EngineError as fault:
                self._why = str(fault)
            if not self._closing.is_set() and (self._why != said or self._has_served):
                said = self._why
                log.warning("delegate failed delegate=%s fault=%s", self._order.delegate.name, said)
                self._told(Change(self._cpu.info, said))

    def _run_child(self) -> None:
        """From start to end of one child; raises EngineError."""
        self._has_served = False
        child = self._child = ChildProcess(self._order)
        try:
            if self._closing.is_set():
                return
            info = child.open(_FIRST_S)
            self._prove(child)
            self._has_served = child.is_proved = True
            began_s = time.monotonic()
            log.info(
                "delegate serves delegate=%s operators=%d/%d",
                info.delegate, child.delegated, child.operators,
            )  # fmt: skip
            self._told(Change(info, "", child.delegated, child.operators))
            self._watch(child)
            self._budget.served(time.monotonic() - began_s)
        finally:
            self._child = None
            child.end()

    def _watch(self, child: ChildProcess) -> None:
        while not child.failed.wait(_LOOK_EVERY_S):
            if not child.is_alive():
                raise EngineError(
                    f"the process of the delegate {self._order.delegate.name} has ended by itself"
                )

    def _prove(self, child: ChildProcess) -> None:
        """Raises EngineError: it does not say what the CPU says of the known picture."""
        found = child.invoke(self._known, _FIRST_S).astype(np.float64)
        expected = self._expected.astype(np.float64)
        off = np.abs(found - expected).max() / max(np.ptp(expected), np.finfo(np.float32).tiny)
        if not off <= _TOLERANCE:
            raise EngineError(
                f"the delegate {self._order.delegate.name} computes wrong results: its scores for the known "
                f"picture are off by {off:.0%} of the CPU's range, and {_TOLERANCE:.0%} is allowed; "
                "update its library or driver"
            )

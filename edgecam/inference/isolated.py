"""An engine whose delegate runs in a child process; the CPU in this one serves whenever the child does not.

No frame waits for a child to start, nor longer for its answer than the deadline: the very frame on which it
fails goes to the CPU, like all that follow, until a keeper has another one that is proved.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import EngineError
from edgecam.inference.child_process import ChildProcess, Order
from edgecam.inference.engine import Engine, EngineInfo
from edgecam.inference.habits import ClosedAfterUse
from edgecam.inference.keeper import Keeper, Known
from edgecam.inference.patience import InvokeDeadline, RestartBudget

log = logging.getLogger(__name__)

# One inference each was measured: less says nothing.
_SLOWER = 2


@dataclass(frozen=True, slots=True)
class Change:
    """Another engine serves from now on, or still none but the CPU and for another reason."""

    info: EngineInfo
    """What serves."""
    why: str
    """Why it is the CPU; empty: it is not."""
    delegated: int | None = None
    """Operators that run on the delegate, as the interpreter says; None: it does not say."""
    operators: int | None = None
    """Of so many."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What ran an inference."""

    info: EngineInfo
    is_here: bool = True
    """In this process, from start to end."""
    is_second: bool = False
    """Another engine had failed on it before: what it took says nothing of this one."""


class IsolatedEngine(ClosedAfterUse):
    """A delegate in a child, the CPU beside it; an `Engine`. Serves from the CPU until the child is proved.

    Args:
        cpu: the same model on the CPU, open and tested; it is closed with this engine.
        order: what the child opens.
        known: an input tensor with an answer that tells right from wrong.
        told: hears of each change, in the keeper's thread.
        timeout_ms: of one inference; None: max(250 ms, 10 times the 99th percentile).
        signs: what is there of library and device, to be compared; a change ends a pause.
        is_seen: whether the device is there, as far as one can tell.
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
        signs: Callable[[], object] = lambda: None,
        is_seen: Callable[[], bool] = lambda: True,
        budget: RestartBudget | None = None,
    ) -> None:
        self.input, self.output = cpu.input, cpu.output
        self.ran = Ran(cpu.info)
        """What ran the last inference."""
        self.last_change: Change | None = None
        """None: the child is being started for the first time."""
        self._cpu = cpu
        self._name = order.delegate.name if order.delegate else order.engine
        self._told = told
        self._deadline = InvokeDeadline(None if timeout_ms is None else timeout_ms / 1e3)
        began_ns = time.monotonic_ns()
        answer = cpu.invoke(known)
        self.cpu_ns = time.monotonic_ns() - began_ns
        """What the CPU took for the known picture."""
        self._keeper = Keeper(
            order,
            Known(known, answer),
            serves=self._serves,
            fails=self._fails,
            signs=signs,
            is_seen=is_seen,
            deadline=self._deadline,
            budget=budget or RestartBudget(),
        )
        self._keeper.start()

    @property
    def info(self) -> EngineInfo:
        """What serves the next frame."""
        child = self._keeper.serving
        return self._cpu.info if child is None or child.opened is None else child.opened.info

    @property
    def deadline_ns(self) -> int:
        """How long a frame may be with the child before the CPU has it."""
        return int(self._deadline.s * 1e9)

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """Run the network once, here or in the child; see `Engine.invoke`."""
        child = self._keeper.serving
        is_second = False
        # One that is being looked after is not waited for.
        if child is not None and self._fits(tensor) and child.in_use.acquire(blocking=False):
            try:
                output = self._ask(child, tensor)
            finally:
                child.in_use.release()
            if output is not None and child.opened is not None:
                self.ran = Ran(child.opened.info, is_here=False)
                return output
            is_second = True
        output = self._cpu.invoke(tensor)
        self.ran = Ran(self._cpu.info, is_here=not is_second, is_second=is_second)
        return output

    def close(self) -> None:
        """End the child and let both engines go; may be called twice."""
        self._keeper.close()
        self._cpu.close()

    def _fits(self, tensor: NDArray[Any]) -> bool:
        return tensor.shape == self.input.shape and tensor.dtype == np.dtype(self.input.dtype)

    def _ask(self, child: ChildProcess, tensor: NDArray[Any]) -> NDArray[Any] | None:
        """The child's answer; None, and it is given up, if there is none in time."""
        began_s = time.monotonic()
        try:
            output = child.invoke(tensor, self._deadline.s)
        except EngineError as fault:
            child.give_up(str(fault))
            return None
        self._deadline.record(time.monotonic() - began_s)
        return output

    def _serves(self, child: ChildProcess) -> None:
        if (opened := child.opened) is None:
            return
        share = (opened.delegated, opened.operators)
        log.info("delegate serves delegate=%s delegated=%s operators=%s", self._name, *share)
        if child.took_s * 1e9 > _SLOWER * self.cpu_ns:
            log.warning(
                "delegate is slower than the CPU, try delegate: cpu delegate=%s took_ms=%.3g cpu_ms=%.3g",
                *(self._name, child.took_s * 1e3, self.cpu_ns / 1e6),
            )
        self._tell(Change(opened.info, "", *share))

    def _fails(self, why: str) -> None:
        log.warning("delegate failed, the CPU serves delegate=%s fault=%s", self._name, why)
        self._tell(Change(self._cpu.info, why))

    def _tell(self, change: Change) -> None:
        self.last_change = change
        self._told(change)


def what_ran(engine: Engine) -> Ran:
    """What ran the last inference of an engine, which need not be what runs the next."""
    return engine.ran if isinstance(engine, IsolatedEngine) else Ran(engine.info)

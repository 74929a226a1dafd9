"""Keeps a delegate's child process: starts it, proves it, looks after it, ends it, in one thread.

That thread outlives whatever a child may do or say. No frame waits for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import EngineError, LastingError
from edgecam.inference.child_process import ChildProcess, Order
from edgecam.inference.patience import InvokeDeadline, RestartBudget

log = logging.getLogger(__name__)

# Some delegates compile the model when it is run for the first time; meanwhile the CPU serves.
_FIRST_S = 180.0
_LOOK_EVERY_S = 1.0
# A child that nobody has asked for so long is asked for the known picture; then nobody waits for its answer.
_IDLE_S = 5.0
_IDLE_DEADLINE_S = 5.0
_JOIN_S = 3.0
# How far an answer may be from the CPU's, as a share of the range of its scores.
_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Known:
    """A picture with an answer that tells right from wrong."""

    tensor: NDArray[Any]
    answer: NDArray[Any]
    """The CPU's."""


class Keeper:
    """Has a child serve whenever one can.

    Args:
        order: what a child opens.
        known: it has to say of this what the CPU says.
        serves: called in the keeper's thread with each child that serves from now on,
        fails: and with the reason when none does; not for the same reason again.
        signs: what is there of library and device; when it changes, no pause is kept.
        is_seen: whether the device is there as far as one can tell; while it is not, it is waited for.
        deadline: of an inference; it learns from the first child's how long one takes.
        budget: of restarts.
    """

    def __init__(
        self,
        order: Order,
        known: Known,
        *,
        serves: Callable[[ChildProcess], None],
        fails: Callable[[str], None],
        signs: Callable[[], object],
        is_seen: Callable[[], bool],
        deadline: InvokeDeadline,
        budget: RestartBudget,
    ) -> None:
        self._order, self._known = order, known
        self._name = order.delegate.name if order.delegate else order.engine
        self._serves, self._fails = serves, fails
        self._signs, self._is_seen = signs, is_seen
        self._seen: object = None
        self._deadline, self._budget = deadline, budget
        self._closing = Event()
        self._child: ChildProcess | None = None
        """Whatever child there is; written by the keeper's thread alone."""
        self._thread = Thread(target=self._keep, name=f"delegate-{self._name}", daemon=True)

    def start(self) -> None:
        """Begin; until `close`."""
        try:
            self._thread.start()
        except RuntimeError as error:  # the service has all that it may have
            self._fails(
                f"the delegate {self._name}: no thread for it: {error}; let edgecam have more of them"
            )

    @property
    def serving(self) -> ChildProcess | None:
        """The child that the next frame may be given to."""
        child = self._child
        return child if child is not None and child.is_proved and not child.failed.is_set() else None

    def close(self) -> None:
        """End the child; may be called twice."""
        self._closing.set()
        child = self._child
        if child is not None:
            child.hang_up()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)

    def _keep(self) -> None:
        told = None
        while self._may_start():
            self._budget.started(time.monotonic())
            fault, has_served = self._run_child()
            if (fault != told or has_served) and not self._closing.is_set():
                told = fault
                self._fails(fault)

    def _may_start(self) -> bool:
        """Wait until a child may be started; False: there is to be none."""
        ends_s = time.monotonic() + self._budget.wait_s(time.monotonic())
        while (left_s := ends_s - time.monotonic()) > 0:
            if self._closing.wait(min(left_s, _LOOK_EVERY_S)):
                return False
            if self._signs() != self._seen:
                self._budget.forgive()
                break
        self._seen = self._signs()
        return not self._closing.is_set()

    def _run_child(self) -> tuple[str, bool]:
        """One child, from start to end; returns why it ended, and whether it had served."""
        began_s = None
        child = None
        try:
            child = self._child = ChildProcess(self._order)
            if not self._closing.is_set():
                child.open(_FIRST_S)
                self._prove(child, _FIRST_S)
                self._time(child)
                child.is_proved = True
                began_s = time.monotonic()
                self._serves(child)
                self._watch(child)
        except EngineError as error:
            fault = str(error)
            if isinstance(error, LastingError) or not self._is_seen():
                self._budget.lasts()
        except Exception as error:  # whatever it is, the next child must be started
            log.exception("delegate's keeper surprised delegate=%s", self._name)
            fault = f"{type(error).__name__}: {error}"
        else:
            fault = ""
        finally:
            self._child = None
            if child is not None:
                child.end()
        if began_s is not None:
            self._budget.served(time.monotonic() - began_s)
        return fault, began_s is not None

    def _time(self, child: ChildProcess) -> None:
        """Once more, as a frame will be; raises EngineError: it takes longer than those before it did."""
        deadline_s = self._deadline.s if self._deadline.is_known else _FIRST_S
        began_s = time.monotonic()
        self._prove(child, deadline_s)
        child.took_s = time.monotonic() - began_s
        self._deadline.record(child.took_s)

    def _watch(self, child: ChildProcess) -> None:
        """While it serves; raises EngineError: it does so no more."""
        while not child.failed.wait(_LOOK_EVERY_S):
            if not child.is_alive():
                raise EngineError(f"the process of the delegate {self._name} has ended by itself")
            is_idle = time.monotonic() - child.answered_s >= _IDLE_S
            if is_idle and child.in_use.acquire(blocking=False):
                try:
                    self._prove(child, max(_IDLE_DEADLINE_S, self._deadline.s))
                finally:
                    child.in_use.release()
        if child.fault:
            raise EngineError(child.fault)

    def _prove(self, child: ChildProcess, deadline_s: float) -> None:
        """Raises EngineError: it does not say what the CPU says of the known picture."""
        found = child.invoke(self._known.tensor, deadline_s).astype(np.float64)
        expected = self._known.answer.astype(np.float64)
        off = np.abs(found - expected).max() / max(np.ptp(expected), np.finfo(np.float32).tiny)
        if not off <= _TOLERANCE:
            raise EngineError(
                f"the delegate {self._name} computes wrong results: its scores for the known "
                f"picture are off by {off:.0%} of the CPU's range, and {_TOLERANCE:.0%} is allowed; "
                "update its library or driver"
            )

"""A second pair of hands at a saturated engine, so that it goes from one frame to the next without a pause.

While the engine runs, the aide finishes the frame before (postprocess, decide, hand over), and prepares the
next one just in time: as late as it can, so that the frame is as fresh as one taken when the engine is free.
An engine that waits for its camera does not call for it: a hand-over between threads would only cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition

from edgecam import clock
from edgecam.pipeline.chain import Inferred, Prepared

# A thread that sleeps until a moment wakes up to so much later.
_MARGIN_NS = 150_000


@dataclass(frozen=True, slots=True)
class _Order:
    """Prepare a frame."""

    begin_ns: int
    free_ns: int


class Aide:
    """Works for one engine worker, in a thread of its own (`run`)."""

    def __init__(
        self, *, prepare: Callable[[int], Prepared | None], finish: Callable[[Inferred], None]
    ) -> None:
        """Args: choose and prepare a frame for an engine that is free then (ns); finish an inferred one."""
        self._prepare = prepare
        self._finish = finish
        self._changed = Condition()
        self._running = self._busy = self._closed = False
        self._order: _Order | None = None
        self._inferred: Inferred | None = None
        self._prepared: Prepared | None = None
        self._fault: BaseException | None = None

    def run(self) -> None:
        """Serve until `close`."""
        with self._changed:
            self._running = not self._closed
            while not self._closed:
                self._changed.wait(self._patience_s())
                while not self._closed and (job := self._next_job()) is not None:
                    self._do(job)
            self._running = False
            self._changed.notify_all()

    def look_ahead(self, *, begin_ns: int, free_ns: int) -> None:
        """Prepare a frame for an engine that is free then; begin at `begin_ns` to be ready in time."""
        with self._changed:
            if self._running:
                self._order = _Order(begin_ns - _MARGIN_NS, free_ns)
                self._changed.notify_all()

    def collect(self) -> Prepared | None:
        """What is prepared, once the aide's hands are empty; an order not begun is cancelled.

        Raises:
            BaseException: whatever the aide met.
        """
        prepared, fault = self.drain()
        if fault is not None:
            if prepared is not None:
                with self._changed:
                    self._prepared = prepared
            raise fault
        return prepared

    def drain(self) -> tuple[Prepared | None, BaseException | None]:
        """As `collect`, but what the aide met is returned."""
        with self._changed:
            self._order = None
            self._wait_until_empty()
            prepared, self._prepared = self._prepared, None
            fault, self._fault = self._fault, None
        return prepared, fault

    def hand_over(self, inferred: Inferred) -> None:
        """Finish this one; only after `collect` gave a frame."""
        with self._changed:
            self._inferred = inferred
            self._changed.notify_all()

    def close(self) -> None:
        """End `run`; what was handed over is finished first."""
        with self._changed:
            self._wait_until_empty()
            self._closed = True
            self._changed.notify_all()

    def _wait_until_empty(self) -> None:
        while self._running and (self._busy or self._inferred is not None):
            self._changed.wait()

    def _patience_s(self) -> float | None:
        if self._inferred is not None:
            return 0.0
        if self._order is None:
            return None
        return max(0.0, (self._order.begin_ns - clock.boot_ns()) / 1e9)

    def _next_job(self) -> Callable[[], Prepared | None] | None:
        """What is to be done now: first what is done with, then what is to come."""
        inferred, order = self._inferred, self._order
        if inferred is not None:
            self._inferred = None
            return lambda: self._finish(inferred)
        if order is not None and clock.boot_ns() >= order.begin_ns:
            self._order = None
            return lambda: self._prepare(order.free_ns)
        return None

    def _do(self, job: Callable[[], Prepared | None]) -> None:
        """Do it without the lock."""
        self._busy = True
        self._changed.release()
        prepared, fault = None, None
        try:
            prepared = job()
        except BaseException as error:  # noqa: BLE001 - raised in the engine's thread by `collect`
            fault = error
        self._changed.acquire()
        self._prepared, self._fault, self._busy = prepared or self._prepared, fault or self._fault, False
        self._changed.notify_all()

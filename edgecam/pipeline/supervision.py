"""What the service manager hears of a run: that it is ready, how it does, and that frames are finishing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self

from edgecam import clock
from edgecam.appliance.systemd import Notifier
from edgecam.pipeline.condition import Condition, status_line
from edgecam.pipeline.vitality import Signs, Vitality

log = logging.getLogger(__name__)

_LOOK_NS = 1_000_000_000
# Over how long frames are counted before the rate is told anew: that wakes systemd and whoever listens there.
_RATE_NS = 5_000_000_000
# So many pings fit into the time after which systemd gives a service up.
_PINGS = 4


class Supervised(Protocol):
    """A run, as far as it is looked at here."""

    @property
    def is_up(self) -> bool:
        """True once every engine has passed its self-test, or is declared to have failed."""
        ...

    def condition(self) -> Condition:
        """How it does."""
        ...

    def signs(self) -> Signs:
        """What shows whether frames are finishing."""
        ...


class Supervision:
    """Tells the service manager, from a thread of its own while it is entered.

    Not from the main loop, which a reload or a hanging disk may rightly hold up for longer than systemd waits
    for a ping; `turned` is that loop's sign of life.
    """

    def __init__(
        self, notifier: Notifier, run: Supervised, *, remark: Callable[[], str | None] = lambda: None
    ) -> None:
        """Args: who is told; of what; what else people should read there."""
        self._notifier = notifier
        self._run = run
        self._remark = remark
        self._vitality = Vitality()
        # A run that begins where another one could not go on: the pings go on, too.
        self._is_ready = notifier.has_been_ready
        self._look_due_ns = self._ping_due_ns = 0
        watchdog_ns = notifier.watchdog_ns
        self._ping_ns = watchdog_ns // _PINGS if watchdog_ns else None
        self._look_ns = min(_LOOK_NS, self._ping_ns or _LOOK_NS)
        self._still: list[str] = []
        self._rate = ""
        self._counted: tuple[int, int] | None = None
        """Frames finished, and when that was counted."""
        self._main_turns = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervision", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def turned(self) -> None:
        """The main loop has turned."""
        self._main_turns += 1

    def _watch(self) -> None:
        while not self._over.wait(self._look_ns / 1e9):
            self.tend()

    def tend(self) -> None:
        """Look, and tell what there is to tell; called now and then."""
        now_ns = clock.boot_ns()
        if now_ns < self._look_due_ns or not (self._is_ready or self._run.is_up):
            return
        self._look_due_ns = now_ns + self._look_ns
        if not self._is_ready:
            self._is_ready = True
            self._notifier.ready()
            log.info("ready")
        self._look(now_ns)
        if self._ping_ns is not None and not self._still and now_ns >= self._ping_due_ns:
            self._ping_due_ns = now_ns + self._ping_ns
            self._notifier.watchdog()
        self._tell(now_ns)

    def _look(self, now_ns: int) -> None:
        still = self._vitality.observe(replace(self._run.signs(), main_turns=self._main_turns), now_ns=now_ns)
        if still != self._still:
            if still:
                log.error("stands still, no ping until it moves what=%s", ", ".join(still))
            else:
                log.info("moves again")
        self._still = still

    def _tell(self, now_ns: int) -> None:
        condition = self._run.condition()
        self._count(condition.finished, now_ns)
        text = status_line(condition, rate=self._rate, still=self._still)
        self._notifier.status("; ".join(filter(None, [text, self._remark()])))

    def _count(self, finished: int, now_ns: int) -> None:
        before, since_ns = self._counted or (finished, now_ns)
        if self._counted is None or now_ns - since_ns >= _RATE_NS:
            if now_ns > since_ns:
                # A camera that was taken out of the configuration takes its count along.
                self._rate = f"{max(0, finished - before) / (now_ns - since_ns) * 1e9:.1f} fps"
            self._counted = finished, now_ns

"""How many threads an engine gets: measured when a model is first opened on a board, then remembered."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from threading import Lock

from edgecam.errors import EngineError
from edgecam.inference.engine import Engine, default_threads
from edgecam.inference.self_test import synthetic_tensor
from edgecam.inference.thread_rule import candidates, choose
from edgecam.inference.thread_store import Place, ThreadStore
from edgecam.model.model import Model

log = logging.getLogger(__name__)

_BUDGET_NS = 3_000_000_000
_ROUNDS = 15
# As between two frames: the threads of the engine before must have gone to sleep, and waking ours counts.
_PAUSE_S = 0.01

Open = Callable[[int], Engine]
"""Opens and proves a model's engine with so many threads; raises EngineError."""


class ThreadChoice:
    """Opens engines with the number of threads that serves them best; for any thread.

    A measurement holds for one model, runtime, version of that, board, and number of cores. Accelerators are
    not measured: threads are nothing to them, and not all can be opened twice.
    """

    def __init__(
        self,
        store: ThreadStore,
        *,
        board: str,
        cores: int,
        read_ns: Callable[[], int] = time.perf_counter_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Build it.

        Args:
            store: what is remembered.
            board: what this board is.
            cores: that this process may use.
            read_ns: a steady clock.
            sleep: for so many seconds.
        """
        self._store = store
        self._board = board
        self._cores = cores
        self._read_ns, self._sleep = read_ns, sleep
        self._measuring = Lock()

    def open(self, model: Model, open_with: Open, *, may_measure: bool) -> Engine:
        """Open the model's engine.

        Args:
            model: what `open_with` opens.
            open_with: opens it.
            may_measure: for the first time it may take up to 3 s more; else, what was measured of another
                model has to do for one that was not.

        Raises:
            EngineError: it does not open.
        """
        guess = self._store.guess(model.sha256, board=self._board, cores=self._cores)
        opened = open_with(guess or default_threads(self._cores))
        try:
            threads = self._threads_for(model, opened, open_with if may_measure else None)
        except BaseException:
            opened.close()
            raise
        if threads == opened.info.threads:
            return opened
        opened.close()
        return open_with(threads)

    def _threads_for(self, model: Model, opened: Engine, open_with: Open | None) -> int:
        info = opened.info
        if info.delegate != "cpu" or self._cores == 1:
            return info.threads
        place = Place(model.sha256, info.runtime, info.version, self._board, self._cores)
        # Two that measured at once would measure each other; and one that hangs must not hold up all others.
        if not self._measuring.acquire(timeout=2 * _BUDGET_NS / 1e9):
            return info.threads
        try:
            known = self._store.recall(place)
            if known is not None or open_with is None:
                return known or info.threads
            median_ms = self._measure(model, opened, open_with)
        finally:
            self._measuring.release()
        threads = choose(median_ms, cores=self._cores) if median_ms else info.threads
        told = ",".join(f"{count}:{value:.2f}" for count, value in sorted(median_ms.items()))
        log.info("threads chosen model=%s threads=%d medians_ms=%s", model.name, threads, told or "too slow")
        self._store.keep(place, threads)
        return threads

    def _measure(self, model: Model, opened: Engine, open_with: Open) -> dict[int, float]:
        """Medians of interleaved inferences, in ms, by threads; empty: there was no time for one of each."""
        ends_ns = self._read_ns() + _BUDGET_NS
        tensor = synthetic_tensor(model.card.input, opened.input)
        with ExitStack() as others:
            engines = {opened.info.threads: opened}
            for count in candidates(self._cores):
                if count in engines or self._read_ns() >= ends_ns:
                    continue
                try:
                    engines[count] = others.enter_context(open_with(count))
                except EngineError as fault:
                    log.warning("threads not tried threads=%d fault=%s", count, fault)
            rounds: list[dict[int, int]] = []
            for number in range(_ROUNDS):
                took_ns = dict[int, int]()
                for count in sorted(engines, reverse=number % 2 == 1):
                    self._sleep(_PAUSE_S)
                    began_ns = self._read_ns()
                    if began_ns >= ends_ns:
                        break
                    engines[count].invoke(tensor)
                    took_ns[count] = self._read_ns() - began_ns
                # One that was cut short does not count: the moods of the machine are to fall on all alike.
                if len(took_ns) < len(engines):
                    break
                rounds.append(took_ns)
        if not rounds:
            return {}
        return {count: statistics.median(taken[count] for taken in rounds) / 1e6 for count in engines}

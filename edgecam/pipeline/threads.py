"""Threads that do not die in silence."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event, Thread

log = logging.getLogger(__name__)


class Crew:
    """Named threads of one kind; the first exception in any of a runner's crews ends the run."""

    def __init__(self, fail: Callable[[BaseException], None]) -> None:
        """Args: fail: told of an exception that a thread let through; called from that thread."""
        self._fail = fail
        self._threads: list[Thread] = []

    def start(self, name: str, work: Callable[[], None]) -> Event:
        """Start a thread; the event is set when its work is done.

        It is a daemon: a driver that hangs in a read must not keep the process from leaving.

        Raises:
            RuntimeError: there can be no more threads.
        """
        done = Event()

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - every death is told
                self._fail(error)
            finally:
                done.set()

        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = Thread(target=guarded, name=name, daemon=True)
        thread.start()
        # Only then: one that could not be started cannot be waited for.
        self._threads.append(thread)
        return done

    def join(self, *, timeout_s: float) -> None:
        """Wait for all threads together; those that hang are named in the log and left behind."""
        deadline_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
            if thread.is_alive():
                log.warning("thread hangs and is left behind thread=%s", thread.name)

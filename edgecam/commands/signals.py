"""SIGTERM and Ctrl-C: an ordered stop; a second one leaves at once."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from types import FrameType

from edgecam.errors import EXIT_OK

_LOOK_S = 0.1


def leave_on_sigterm() -> None:
    """Until there is something to stop, SIGTERM just ends the program, with the code of an ordered stop."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(EXIT_OK))


class ReloadSignal:
    """Turns SIGHUP into a reload; but it ends a program whose terminal was closed, as is usual.

    While the program loads, nobody listens yet: a reload that is asked for then is done after the start.
    """

    def __init__(self) -> None:
        """From now on it ends nobody who has no terminal."""
        self._ask: Callable[[], None] | None = None
        self._hang_up: Callable[[], None] = lambda: os._exit(128 + signal.SIGHUP)
        self._was_asked = False
        self._had_terminal = os.isatty(0)
        # Whoever was started with nohup is not to be stopped by it; a reload is what is left.
        signal.signal(signal.SIGHUP, self._handle)

    def attach(self, ask: Callable[[], None], hang_up: Callable[[], None]) -> None:
        """Args: called from the signal handler, they must only set a flag: to reload; to stop."""
        self._ask, self._hang_up = ask, hang_up
        if self._was_asked:
            self._was_asked = False
            ask()

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._had_terminal and not os.isatty(0):
            self._hang_up()
        elif self._ask is None:
            self._was_asked = True
        else:
            self._ask()


class StopSignals:
    """Turns SIGTERM and Ctrl-C into a call of `request_stop`."""

    def __init__(self) -> None:
        """From now on they are remembered."""
        self._request_stop: Callable[[], None] = lambda: None
        self._received: signal.Signals | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def attach(self, request_stop: Callable[[], None]) -> None:
        """Args: request_stop: must only set a flag: called from the signal handler; at once, if one came."""
        self._request_stop = request_stop
        if self._received is not None:
            request_stop()

    def wait(self, seconds: float) -> bool:
        """Sleep; at most until one comes. Returns True if one came."""
        ends_s = time.monotonic() + seconds
        while self._received is None and (left_s := ends_s - time.monotonic()) > 0:
            # A signal's handler runs at once, but the sleep goes on after it.
            time.sleep(min(_LOOK_S, left_s))
        return self.received

    @property
    def received(self) -> bool:
        """True after either."""
        return self._received is not None

    @property
    def interrupted(self) -> bool:
        """True after Ctrl-C."""
        return self._received is signal.SIGINT

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._received is not None:
            os._exit(128 + number)
        self._received = signal.Signals(number)
        # Not through the log, whose lock the interrupted code may hold.
        with contextlib.suppress(OSError):
            os.write(2, f"{self._received.name}: stopping; once more leaves at once\n".encode())
        self._request_stop()

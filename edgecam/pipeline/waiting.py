"""Waiting in the main loop for something that may take its time, while the run may be told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from edgecam.errors import EdgecamError

_LOOK_S = 0.1


class StoppingError(EdgecamError):
    """The run is to end; what was under way is given up."""


def wait_unless_stopping(event: Event, *, ends_s: float, is_stopping: Callable[[], bool]) -> bool:
    """Wait for an event.

    Args:
        event: what is waited for.
        ends_s: until when, by `time.monotonic()`.
        is_stopping: the run is to end.

    Returns:
        True if it has happened, False if it has not in time.

    Raises:
        StoppingError: the run is to end before either.
    """
    while not event.wait(min(_LOOK_S, max(0.0, ends_s - time.monotonic()))):
        if is_stopping():
            raise StoppingError("edgecam stops")
        if time.monotonic() >= ends_s:
            return False
    return True

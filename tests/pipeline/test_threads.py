"""Threads that do not die in silence, and those that cannot be."""

from __future__ import annotations

import threading
from threading import Event

import pytest

from edgecam.pipeline.threads import Crew


def test_a_thread_that_cannot_be_started_is_not_waited_for() -> None:
    """Whoever stops the others for it must not stumble over it: brokers would never hear that we leave."""
    crew, leave = Crew(lambda _error: None), Event()

    def work() -> None:
        leave.wait(60)

    done = crew.start("first", work)
    # No machine has room for its stack.
    before_bytes = threading.stack_size(2**62)
    try:
        with pytest.raises(RuntimeError, match="can't start new thread"):
            crew.start("second", leave.set)
    finally:
        threading.stack_size(before_bytes)
    leave.set()
    crew.join(timeout_s=60)
    assert done.is_set()

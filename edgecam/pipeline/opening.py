"""Whether a camera should work: its schedule and its switch as one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Event

from edgecam import clock
from edgecam.config.hours import ALWAYS, Schedule


class Opening:
    """A camera works while its switch is on and its schedule is open. For any thread."""

    def __init__(
        self, schedule: Schedule = ALWAYS, *, local_now: Callable[[], datetime] = clock.local_now
    ) -> None:
        """Args: its hours; the wall clock that they go by. The switch is on."""
        self._schedule = schedule
        self._local_now = local_now
        self._is_on = True
        self._changed = Event()

    @property
    def is_on(self) -> bool:
        """What the switch says; cheap, as it is asked before every frame."""
        return self._is_on

    @property
    def why_closed(self) -> str | None:
        """Why the camera should not work now; None: it should."""
        if not self._is_on:
            return "switched off"
        is_open = self._schedule == ALWAYS or self._schedule.open_at(self._local_now())
        return None if is_open else "outside its schedule"

    def switch(self, *, on: bool) -> bool:
        """Set the switch and wake whoever waits; returns False if it stood so already."""
        was, self._is_on = self._is_on, on
        if was is on:
            # Else whoever repeats it would end a lost camera's back-off.
            return False
        self._changed.set()
        return True

    def set_schedule(self, schedule: Schedule) -> None:
        """Other hours from now on."""
        if schedule != self._schedule:
            self._schedule = schedule
            self._changed.set()

    def wait(self, timeout_s: float) -> None:
        """Until the switch was set, `wake` was called, or the time is over; for one thread."""
        self._changed.wait(timeout_s)
        self._changed.clear()

    def wake(self) -> None:
        """End a `wait`, this one or the next."""
        self._changed.set()

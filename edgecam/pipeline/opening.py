"""Whether a camera should work: its schedule and its switch as one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from threading import Event

from edgecam import clock
from edgecam.config.hours import ALWAYS, Schedule

log = logging.getLogger(__name__)


class Opening:
    """A camera works while its switch is on and its schedule is open. For any thread."""

    def __init__(
        self,
        schedule: Schedule = ALWAYS,
        *,
        local_now: Callable[[], datetime] = clock.local_now,
        clock_set: Callable[[], bool] = clock.wall_clock_set,
    ) -> None:
        """Args: its hours; the wall clock that they go by, and whether it was ever set. The switch is on."""
        self._schedule = schedule
        self._local_now = local_now
        self._clock_set = clock_set
        self._is_clock_set = self._is_told = False
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
        is_open = (
            self._schedule == ALWAYS or not self._knows_the_hour or self._schedule.open_at(self._local_now())
        )
        return None if is_open else "outside its schedule"

    @property
    def _knows_the_hour(self) -> bool:
        """A clock that was set once is believed from then on, though NTP may fall silent.

        Before that it may be hours wrong, for as long as there is no network: then it is better to watch.
        """
        self._is_clock_set = self._is_clock_set or self._clock_set()
        if not self._is_clock_set and not self._is_told:
            self._is_told = True
            log.warning("wall clock is not set yet, the camera works whatever its schedule says")
        return self._is_clock_set

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

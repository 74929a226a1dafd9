"""How long to wait before trying again: longer each time, capped, jittered."""

from __future__ import annotations

import random


class Backoff:
    """Delays between `first_s` and twice as much as the last time at most, up to `cap_s`.

    The jitter keeps many devices that lost the same thing from asking for it at the same moment.
    """

    def __init__(self, *, first_s: float, cap_s: float) -> None:
        """Args: the least and the longest delay."""
        self._first_s, self._cap_s = first_s, cap_s
        self._widest_s = first_s

    def next_s(self) -> float:
        """The delay to wait now; the one after it may be longer."""
        self._widest_s = min(self._cap_s, 2 * self._widest_s)
        return random.uniform(self._first_s, self._widest_s)  # noqa: S311 - jitter, no secret

    def restart(self) -> None:
        """All was well: the next failure is a first one."""
        self._widest_s = self._first_s

    def widen(self) -> None:
        """Wait as if it had failed many times."""
        self._widest_s = self._cap_s

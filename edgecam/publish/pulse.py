"""Is the other end still there? Told from when it was last heard; no clock is read here."""

from __future__ import annotations

import math

# An answer to the ping that is sent after a whole keepalive of silence; together under 1.5 keepalives.
_ANSWER_SHARE = 0.3


class Pulse:
    """One connection's: who hears nothing for a keepalive has it asked, and then waits a part of that.

    paho alone gives up only after two keepalives.
    """

    def __init__(self, keepalive_s: float, *, now_s: float) -> None:
        self._keepalive_s = keepalive_s
        self._heard_s = now_s
        self._asked_s: float | None = None

    def heard(self, now_s: float) -> None:
        """Something came."""
        self._heard_s = now_s
        self._asked_s = None

    def asked(self, now_s: float) -> None:
        """To be called whenever a ping that was due has been sent: `due_s` was 0."""
        if self._asked_s is None and self.due_s(now_s) == 0:
            self._asked_s = now_s

    def due_s(self, now_s: float) -> float:
        """Seconds until the next look is needed: a ping, or the end."""
        if not self._keepalive_s:
            return math.inf
        if self._asked_s is None:
            return max(0.0, self._heard_s + self._keepalive_s - now_s)
        return max(0.0, self._asked_s + self._keepalive_s * _ANSWER_SHARE - now_s)

    def lost(self, now_s: float) -> bool:
        """True when a ping has had its time."""
        return self._asked_s is not None and self.due_s(now_s) == 0

"""How much may happen in how short a time: a token bucket. Pure."""

from __future__ import annotations


class Allowance:
    """`burst` at once, and `per_s` in the long run."""

    def __init__(self, *, burst: int, per_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._tokens = float(burst)
        self._seen_s: float | None = None

    def set_burst(self, burst: int) -> None:
        """So many at once from now on; what is more than before may be used at once, too."""
        self._tokens += max(0, burst - self._burst)
        self._burst = burst

    def take(self, now_s: float) -> bool:
        """True if one more may happen now; `now_s` is on any clock that never goes back."""
        if self._seen_s is not None:
            self._tokens = min(self._burst, self._tokens + (now_s - self._seen_s) * self._per_s)
        self._seen_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

"""How long to wait before trying again: doubling, capped, jittered."""

from __future__ import annotations

import random


class Backoff:
    """Delays of `first_s`, twice that, and so on up to `cap_s`, each shortened at random by up to half.

    The jitter keeps many devices that lost the same thing from asking for it at the same moment.
    """

    def __init__(self, *, first_s: float, cap_s: float, rng: random.Random | None = None) -> None:
        """Args: the first and the longest delay; a source of chance (tests give a seeded one)."""
        self._first_s, self._cap_s = first_s, cap_s
        # Jitter needs no cryptographic chance.
        self._rng = rng or random.Random()  # noqa: S311
        self._next_s = first_s

    def next_s(self) -> float:
        """The delay to wait now; the one after it is longer."""
        delay_s = self._next_s
        self._next_s = min(2 * delay_s, self._cap_s)
        return delay_s * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It worked: begin again with the first delay."""
        self._next_s = self._first_s

"""How long the chain will take, from how long it took."""

from __future__ import annotations

import math
from collections import deque

_WINDOW = 20
# Above the median, so that a frame let in will most probably make it; below the maximum, so that
# two outliers in the window move nothing.
_QUANTILE = 0.85
# With fewer, that quantile would be the maximum, and one hiccup after the start would silence a camera.
_ENOUGH = 7


class ServiceTime:
    """A running quantile of one camera's last service times, in ns; of the first few, the least."""

    def __init__(self) -> None:
        """Nothing is expected before the first measurement."""
        self._window: deque[int] = deque(maxlen=_WINDOW)
        self._expected_ns = 0

    @property
    def expected_ns(self) -> int:
        """What the next frame will probably take; 0 before the first."""
        return self._expected_ns

    def record(self, took_ns: int, *, probe: bool = False) -> None:
        """Take in a measurement.

        A probe was run although the window said no. Were it one voice in twenty, it would take twenty
        probes to admit that the disturbance is over; so it replaces what held the engine back.
        """
        if probe:
            self._window.clear()
        self._window.append(took_ns)
        quantile = _QUANTILE if len(self._window) >= _ENOUGH else 0.0
        rank = max(0, math.ceil(quantile * len(self._window)) - 1)
        self._expected_ns = sorted(self._window)[rank]

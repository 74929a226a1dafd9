"""Exponential smoothing in time, not in frames, since frames are skipped."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


class Smoother:
    """Exponential moving average of a vector: weight of the new value = 1 - exp(-dt / tau)."""

    def __init__(self, tau_s: float) -> None:
        """Args: tau_s: time constant; 0 passes every value through."""
        self._tau_ns = tau_s * 1e9
        self._value: NDArray[np.float32] | None = None
        self._at_ns = 0

    def update(self, value: NDArray[np.float32], at_ns: int) -> NDArray[np.float32]:
        """Take in a value of a moment; one that is not newer than the last changes nothing."""
        if self._value is None or self._tau_ns <= 0:
            self._value = value.copy()
        elif at_ns > self._at_ns:
            weight = -math.expm1(-(at_ns - self._at_ns) / self._tau_ns)
            change = value - self._value
            change *= np.float32(weight)
            # In a new array: who was given the last one may still hold it.
            change += self._value
            self._value = change
        self._at_ns = max(at_ns, self._at_ns)
        return self._value

    def set_time_constant(self, tau_s: float) -> None:
        """Smooth so from now on."""
        self._tau_ns = tau_s * 1e9

    def reset(self) -> None:
        """Forget the past: the next value stands alone."""
        self._value = None

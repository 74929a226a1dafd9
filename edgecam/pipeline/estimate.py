"""How long the stages will take, from how long they took. Pure."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from edgecam.records import StageTimes

_WINDOW = 20
# Above the median, so that a frame let in will most probably make it; below the maximum, so that
# two outliers in the window move nothing.
_QUANTILE = 0.85
# With fewer, that quantile would be the maximum, and one hiccup after the start would silence a camera.
_ENOUGH = 7


class RunningQuantile:
    """A quantile of the last durations, in ns; of the first few, the least."""

    def __init__(self) -> None:
        """Nothing is expected before the first measurement."""
        self._window: deque[int] = deque(maxlen=_WINDOW)
        self.expected_ns = 0
        """What the next one will probably take; 0 before the first."""

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
        self.expected_ns = sorted(self._window)[rank]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the stages of a frame will probably take."""

    preprocess_ns: int = 0
    infer_ns: int = 0
    postprocess_ns: int = 0

    @property
    def total_ns(self) -> int:
        """From being taken to the result."""
        return self.preprocess_ns + self.infer_ns + self.postprocess_ns


class ServiceTimes:
    """The stages' estimates, per engine (model and delegate), and for preprocessing also per camera.

    Cameras differ by the size of their pictures; what runs in the engine is the same for all.
    """

    def __init__(self) -> None:
        """Nothing was measured yet."""
        self._preprocess: dict[tuple[str, str], RunningQuantile] = {}
        self._infer: dict[str, RunningQuantile] = {}
        self._postprocess: dict[str, RunningQuantile] = {}

    def expected(self, camera: str, engine: str) -> Expected:
        """What a frame of this camera will take on this engine; zeros before the first."""
        return Expected(
            _expected_ns(self._preprocess.get((camera, engine))),
            _expected_ns(self._infer.get(engine)),
            _expected_ns(self._postprocess.get(engine)),
        )

    def record(self, camera: str, engine: str, stages: StageTimes, *, probe: bool = False) -> None:
        """Take in what a frame took."""
        for quantile, took_ns in (
            (self._preprocess.setdefault((camera, engine), RunningQuantile()), stages.preprocess_ns),
            (self._infer.setdefault(engine, RunningQuantile()), stages.infer_ns),
            (self._postprocess.setdefault(engine, RunningQuantile()), stages.postprocess_ns),
        ):
            quantile.record(took_ns, probe=probe)


def _expected_ns(quantile: RunningQuantile | None) -> int:
    return 0 if quantile is None else quantile.expected_ns

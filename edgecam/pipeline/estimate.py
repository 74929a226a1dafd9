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
# Whoever wants to be ready in time for the end goes by this one.
_EARLY_QUANTILE = 0.2
# With fewer, that quantile would be the maximum, and one hiccup after the start would silence a camera.
_ENOUGH = 7


class RunningQuantile:
    """A quantile of the last durations, in ns; of the first few, the least."""

    def __init__(self) -> None:
        """Nothing is expected before the first measurement."""
        self._window: deque[int] = deque(maxlen=_WINDOW)
        self.expected_ns = 0
        """What the next one will probably take at most; 0 before the first."""
        self.early_ns = 0
        """What it will probably take at least."""

    def record(self, took_ns: int, *, probe: bool = False) -> None:
        """Take in a measurement.

        A probe was run although the window said no. Were it one voice in twenty, it would take twenty
        probes to admit that the disturbance is over; so one that was quicker than expected replaces what
        held the engine back.
        """
        if probe and took_ns < self.expected_ns:
            self._window.clear()
        self._window.append(took_ns)
        ordered = sorted(self._window)
        quantile = _QUANTILE if len(ordered) >= _ENOUGH else 0.0
        self.expected_ns = ordered[max(0, math.ceil(quantile * len(ordered)) - 1)]
        self.early_ns = ordered[int(_EARLY_QUANTILE * len(ordered))]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the stages of a frame will probably take."""

    preprocess_ns: int = 0
    infer_ns: int = 0
    postprocess_ns: int = 0
    early_infer_ns: int = 0
    """What the engine will probably take at least."""

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
        preprocess, infer = self._preprocess.get((camera, engine)), self._infer.get(engine)
        postprocess = self._postprocess.get(engine)
        # Another thread may just be recording the first of them.
        if preprocess is None or infer is None or postprocess is None:
            return Expected()
        return Expected(preprocess.expected_ns, infer.expected_ns, postprocess.expected_ns, infer.early_ns)

    def record(self, camera: str, engine: str, stages: StageTimes, *, probe: bool = False) -> None:
        """Take in what a frame took."""
        for quantile, took_ns in (
            (self._preprocess.setdefault((camera, engine), RunningQuantile()), stages.preprocess_ns),
            (self._infer.setdefault(engine, RunningQuantile()), stages.infer_ns),
            (self._postprocess.setdefault(engine, RunningQuantile()), stages.postprocess_ns),
        ):
            quantile.record(took_ns, probe=probe)

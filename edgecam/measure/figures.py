"""What was measured, and how much it varied: a value a round, of which the median counts."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

Better = Literal["lower", "higher"]

PERCENTS = (50, 90, 99)
# By the end of a figure's name. What is not listed is judged by nobody: it differs, or it does not.
_UNITS = {"_ms": "ms", "_mb": "MB", "_ratio": "x", "_share": "", "_c": "°C"}
_HIGHER = ("fps_out", "runs_per_s")
_NEUTRAL = ("fps_in",)


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity, measured once in each round."""

    unit: str
    better: Better | None
    """Which way is good; None: neither."""
    rounds: tuple[float, ...]
    """At least one."""

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.rounds)

    @property
    def low(self) -> float:
        """The least of the rounds."""
        return min(self.rounds)

    @property
    def high(self) -> float:
        """The greatest of the rounds."""
        return max(self.rounds)

    def as_json(self) -> dict[str, Any]:
        """As docs/schemas/bench.schema.json has it."""
        return {
            "unit": self.unit,
            "better": self.better,
            "value": _rounded(self.value),
            "low": _rounded(self.low),
            "high": _rounded(self.high),
            "rounds": [_rounded(value) for value in self.rounds],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The opposite of `as_json`; raises KeyError, TypeError or ValueError when it is no figure."""
        better: Better | None = data["better"]
        figure = cls(str(data["unit"]), better, tuple(float(value) for value in data["rounds"]))
        if (
            not figure.rounds
            or not np.isfinite(figure.rounds).all()
            or better not in {"lower", "higher", None}
        ):
            raise ValueError("no figure")
        return figure


def figure(name: str, rounds: Iterable[float | None]) -> Figure | None:
    """The figure of this name; None when no round gave a value.

    Args:
        name: with its unit at the end (`age_p50_ms`), which also tells which way is good.
        rounds: a value a round; None: this round could not tell.
    """
    values = tuple(float(value) for value in rounds if value is not None)
    if not values:
        return None
    unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), "1/s")
    better: Better | None = "lower"
    if name in _NEUTRAL:
        better = None
    elif name in _HIGHER:
        better = "higher"
    return Figure(unit, better, values)


def figures_json(rounds_by_name: Mapping[str, Iterable[float | None]]) -> dict[str, Any]:
    """Figures by name, without those that no round could tell."""
    made = {name: figure(name, rounds) for name, rounds in rounds_by_name.items()}
    return {name: made_figure.as_json() for name, made_figure in made.items() if made_figure is not None}


def percentile_ms(samples_ns: ArrayLike, percent: int) -> float | None:
    """A nearest-rank percentile in ms: one of the samples, so no value is invented; None of no samples."""
    samples = np.asarray(samples_ns)
    if samples.size == 0:
        return None
    return float(np.percentile(samples, percent, method="inverted_cdf")) / 1e6


def percentiles_ms(name: str, blocks_ns: Sequence[ArrayLike]) -> dict[str, list[float | None]]:
    """`{name}_p50_ms`, `{name}_p90_ms` and `{name}_p99_ms`, each with a value a block."""
    return {
        f"{name}_p{percent}_ms": [percentile_ms(samples, percent) for samples in blocks_ns]
        for percent in PERCENTS
    }


def ratio(above: float | None, below: float | None) -> float | None:
    """One by the other; None when either is not known, or the lower one is 0."""
    return above / below if above is not None and below else None


def _rounded(value: float) -> float:
    """Six digits: more would only be noise."""
    return float(f"{value:.6g}")

"""From blocks to plots: each a common x and a stepped line or a cloud of points for each series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgecam.measure.model_bench import ModelRun
from edgecam.measure.pipeline_bench import PipelineRun

Plot = dict[str, Any]
"""title, note, x_label, y_label, style, x and series (label, y); None in y: nothing here."""
Style = Literal["points", "steps"]

_BINS = 160
# The rest, one in two hundred, would press all others into a corner; it is told in the note.
_SHOWN_SHARE = 0.995
_MOST_POINTS = 4000
_SKIP_STEP_S = 0.5


def model_plots(run: ModelRun) -> list[Plot]:
    """How the durations of `invoke()` are spread, and how they went over time."""
    walls = {v.name: np.concatenate([block.walls_ns for block in v.blocks]) for v in run.variants}
    began = {v.name: np.concatenate([block.began_ns for block in v.blocks]) for v in run.variants}
    clouds = {name: (began[name], walls[name]) for name in walls}
    start_ns = min(times.min() for times in began.values())
    return [
        distribution("Latency of invoke()", walls),
        over_time("invoke() over time", "ms", clouds, start_ns=start_ns),
    ]


def pipeline_plots(run: PipelineRun) -> list[Plot]:
    """How ages are spread beside bare `invoke()`, how they went over time, and what was skipped when."""
    spread: dict[str, Sequence[ArrayLike]] = {
        f"bare invoke() of {name}": [block.walls_ns for block in blocks] for name, blocks in run.bare.items()
    }
    ages: dict[str, tuple[list[int], list[int]]] = {}
    skips: dict[str, list[int]] = {}
    for block in run.live:
        for camera, books in block.cameras.items():
            times, values = ages.setdefault(f"{camera}: age at the decision", ([], []))
            times += [result.finished_ns for result in books.results]
            values += books.ages_ns
            times, values = ages.setdefault(f"{camera}: age at the broker's socket", ([], []))
            times += [books.sent_ns[result.seq] for result in books.results if result.seq in books.sent_ns]
            values += books.sent_ages_ns
            for cause, at_ns in books.skips:
                skips.setdefault(f"{camera}: {cause}", []).append(at_ns)
    spread |= {name: [values] for name, (_, values) in ages.items()}
    spans = [(block.began_ns, block.began_ns + block.span_ns) for block in run.live]
    return [
        distribution("Latency: bare invoke() and the age of results", _joined(spread)),
        over_time("Age of results over time", "ms", ages, start_ns=spans[0][0]),
        skips_over_time(skips, spans),
    ]


def distribution(title: str, samples_ns: Mapping[str, ArrayLike]) -> Plot:
    """The share of samples at or below each duration, on a common axis in ms."""
    samples = {name: np.sort(np.asarray(values)) / 1e6 for name, values in samples_ns.items()}
    samples = {name: values for name, values in samples.items() if values.size}
    if not samples:
        return _plot(title, "nothing was measured", ("ms", "% at or below"), np.zeros(0), {})
    low = min(float(values[0]) for values in samples.values())
    high = max(float(np.quantile(values, _SHOWN_SHARE)) for values in samples.values())
    x = np.linspace(low, max(high, low * 1.01), _BINS)
    shares = {
        name: 100 * np.searchsorted(values, x, side="right") / values.size for name, values in samples.items()
    }
    slowest = max(float(values[-1]) for values in samples.values())
    note = f"steeper is steadier, further left is faster; the slowest of all took {slowest:.1f} ms"
    return _plot(title, note, ("ms", "% at or below"), x, shares)


def over_time(
    title: str, unit: str, clouds: Mapping[str, tuple[ArrayLike, ArrayLike]], *, start_ns: int
) -> Plot:
    """Durations in ns at moments in BOOTTIME ns, as points; of too many, the highest of each stretch."""
    thinned = {name: _thinned(np.asarray(t), np.asarray(v)) for name, (t, v) in clouds.items()}
    times = np.unique(np.concatenate([t for t, _ in thinned.values()] or [np.zeros(0, np.int64)]))
    series = {}
    for name, (moments, values) in thinned.items():
        y = np.full(times.size, np.nan)
        y[np.searchsorted(times, moments)] = values / 1e6
        series[name] = y
    x = (times - start_ns) / 1e9
    return _plot(title, "gaps: other blocks had their turn", ("s", unit), x, series, style="points")


def skips_over_time(skips: Mapping[str, Sequence[int]], spans: Sequence[tuple[int, int]]) -> Plot:
    """Skipped frames a second within the spans of the blocks, both in BOOTTIME ns; by camera and cause."""
    title, labels = "Skipped frames over time, by cause", ("s", "skips a second")
    if not skips:
        return _plot(title, "no frame was skipped", labels, np.zeros(0), {})
    x: list[float] = []
    series: dict[str, list[float]] = {name: [] for name in skips}
    for began_ns, ended_ns in spans:
        steps = max(1, round((ended_ns - began_ns) / 1e9 / _SKIP_STEP_S))
        edges = np.linspace(began_ns, ended_ns, steps + 1)
        x += [*((edges - spans[0][0]) / 1e9), (ended_ns + 1e6 - spans[0][0]) / 1e9]
        for name, at_ns in skips.items():
            counts, _ = np.histogram(at_ns, edges)
            rates = counts / np.diff(edges) * 1e9
            # The last step reaches to the end of the block; then there is nothing until the next begins.
            series[name] += [*rates, rates[-1], float("nan")]
    return _plot(title, "gaps: other blocks had their turn", labels, np.asarray(x), series)


def _thinned(times: NDArray[Any], values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if times.size <= _MOST_POINTS:
        return times, values
    stretches = np.array_split(np.arange(times.size), _MOST_POINTS)
    highest = [stretch[np.argmax(values[stretch])] for stretch in stretches]
    return times[highest], values[highest]


def _joined(parts: Mapping[str, Sequence[ArrayLike]]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([np.asarray(part) for part in several]) for name, several in parts.items()}


def _plot(
    title: str,
    note: str,
    labels: tuple[str, str],
    x: NDArray[Any],
    series: Mapping[str, Iterable[float]],
    *,
    style: Style = "steps",
) -> Plot:
    return {
        "title": title,
        "note": note,
        "x_label": labels[0],
        "y_label": labels[1],
        "style": style,
        "x": [round(float(value), 4) for value in x],
        "series": [
            {"label": label, "y": [None if np.isnan(value) else round(float(value), 4) for value in y]}
            for label, y in series.items()
        ],
    }

"""From the runs of the contenders to the table of the comparison."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.contender import Outcome

LIMIT = "bare `invoke()`"


@dataclass(frozen=True)
class Round:
    """A contender's two runs of one round."""

    paced: Outcome
    fastest: Outcome


@dataclass(frozen=True)
class Row:
    """One contender: medians over the rounds; ratios are taken within a round."""

    contender: str
    age_ms: float
    """Median age at the paced rate."""
    age_span_ms: tuple[float, float]
    """The least and the greatest of the rounds' medians."""
    p99_ms: float
    times_invoke: float
    """Median age as a multiple of the median `invoke()` of a loop without pause."""
    cpu_ms: float
    """Per frame at the paced rate."""
    most_fps: float
    share_of_invoke: float
    """Most frames a second as a share of what the bare `invoke()` loop does."""
    resident_bytes: int
    answers: list[int | None]
    versions: dict[str, str]


def rows_of(rounds: Mapping[str, Sequence[Round]]) -> list[Row]:
    """A row per contender, by name; the n-th round of each was run beside the n-th of the others."""
    limits = [one.fastest for one in rounds[LIMIT]]
    return [_row(name, runs, limits) for name, runs in rounds.items()]


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    heads = (
        "contender",
        "median age, ms",
        "99th percentile, ms",
        "of `invoke()`",
        "CPU per frame, ms",
        "frames/s at most",
        "of `invoke()`",
        "resident, MB",
    )
    lines = [heads, ("---", *["--:"] * (len(heads) - 1)), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(name: str, runs: Sequence[Round], limits: Sequence[Outcome]) -> Row:
    ages_ms = [statistics.median(run.paced.ages_ms) for run in runs]
    invokes_ms = [statistics.median(limit.ages_ms) for limit in limits]
    rates = [run.fastest.fps_out for run in runs]
    return Row(
        contender=name,
        age_ms=statistics.median(ages_ms),
        age_span_ms=(min(ages_ms), max(ages_ms)),
        p99_ms=statistics.median(float(np.percentile(run.paced.ages_ms, 99)) for run in runs),
        times_invoke=statistics.median(a / b for a, b in zip(ages_ms, invokes_ms, strict=True)),
        cpu_ms=statistics.median(run.paced.cpu_ms for run in runs),
        most_fps=statistics.median(rates),
        share_of_invoke=statistics.median(a / b.fps_out for a, b in zip(rates, limits, strict=True)),
        resident_bytes=round(statistics.median(run.paced.resident_bytes for run in runs)),
        answers=runs[-1].paced.answers,
        versions=runs[-1].paced.versions,
    )


def _cells(row: Row) -> tuple[str, ...]:
    least, most = row.age_span_ms
    return (
        row.contender,
        f"{row.age_ms:.2f} ({least:.2f} to {most:.2f})",
        f"{row.p99_ms:.2f}",
        f"{row.times_invoke:.2f}",
        f"{row.cpu_ms:.2f}",
        f"{row.most_fps:.0f}",
        f"{row.share_of_invoke:.2f}",
        f"{row.resident_bytes / 1e6:.0f}",
    )

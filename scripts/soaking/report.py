"""What a soak has shown: by kind of fault, and against its targets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median_low
from typing import Any

FAULTS_PER_MINUTE = 10
KINDS = 10
EACH_PER_MINUTES = 3
"""A fault of each kind in so many minutes."""
RECOVERY_S = 10.0
GROWTH_BYTES = 5_000_000
_FEWEST_SAMPLES = 2


@dataclass(frozen=True)
class Outcome:
    """What became of one fault."""

    kind: str
    recovery_s: float | None
    """From the end of its cause to the first result on time; None: it did not come."""
    complaint: str | None
    """Why it was not survived; None: it was."""


@dataclass(frozen=True)
class Row:
    """One kind's."""

    kind: str
    injected: int
    survived: int
    p50_s: float | None
    p99_s: float | None


@dataclass(frozen=True)
class Memory:
    """Of the process that lived through all."""

    samples_bytes: Sequence[int]
    """One after each round of all kinds."""

    @property
    def growth_bytes(self) -> int:
        """From the first quarter of the samples to the last, by their medians."""
        quarter = max(1, len(self.samples_bytes) // 4)
        return median_low(self.samples_bytes[-quarter:]) - median_low(self.samples_bytes[:quarter])


@dataclass(frozen=True)
class Report:
    """All of it."""

    seed: int
    minutes: float
    rows: Sequence[Row]
    left_out: Sequence[str]
    """Kinds that this machine does not allow."""
    p99_s: float | None
    half_open_s: tuple[float, float] | None
    """How long half-open links were taken for good ones, p50 and p99: not part of their recovery."""
    memory: Memory
    results: int
    late: int
    unmarked: Sequence[str]
    complaints: Sequence[str]

    @property
    def missed(self) -> list[str]:
        """The targets that were not met."""
        return list(_missed(self))

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "schema": 1,
            **asdict(self),
            "growth_bytes": self.memory.growth_bytes if self.memory.samples_bytes else None,
            "missed": self.missed,
        }

    def __str__(self) -> str:
        lines = [f"{'fault':16}{'injected':>9}{'survived':>9}{'p50 s':>8}{'p99 s':>8}"]
        lines += [
            f"{row.kind:16}{row.injected:9}{row.survived:9}{_shown(row.p50_s):>8}{_shown(row.p99_s):>8}"
            for row in self.rows
        ]
        injected, survived = (
            sum(getattr(row, name) for row in self.rows) for name in ("injected", "survived")
        )
        lines += [f"{'all':16}{injected:9}{survived:9}{'':8}{_shown(self.p99_s):>8}"]
        lines += [f"left out: {kind}" for kind in self.left_out]
        if self.half_open_s is not None:
            lines.append("half-open links noticed after p50 {:.1f} s, p99 {:.1f} s".format(*self.half_open_s))
        if self.memory.samples_bytes:
            sizes = " ".join(f"{size / 1e6:.1f}" for size in self.memory.samples_bytes)
            lines.append(f"memory of one process in MB, after each round of all kinds: {sizes}")
        lines.append(
            f"{self.results} results, {self.late} marked late, {len(self.unmarked)} stale and unmarked"
        )
        lines += [f"NOT SURVIVED: {complaint}" for complaint in self.complaints]
        lines += [f"MISSED: {target}" for target in self.missed] or ["every target is met"]
        return "\n".join(lines)


def rows_of(outcomes: Sequence[Outcome], kinds: Sequence[str]) -> list[Row]:
    """A row for each kind."""
    rows = []
    for kind in kinds:
        own = [outcome for outcome in outcomes if outcome.kind == kind]
        times_s = recoveries_s(own)
        survived = sum(outcome.complaint is None for outcome in own)
        rows.append(Row(kind, len(own), survived, percentile(times_s, 50), percentile(times_s, 99)))
    return rows


def recoveries_s(outcomes: Sequence[Outcome]) -> list[float]:
    """Those that came."""
    return [outcome.recovery_s for outcome in outcomes if outcome.recovery_s is not None]


def percentile(values: Sequence[float], share: float) -> float | None:
    """By nearest rank: a value that was measured; None of nothing."""
    return sorted(values)[max(0, math.ceil(share / 100 * len(values)) - 1)] if values else None


def _missed(report: Report) -> Iterator[str]:
    injected = sum(row.injected for row in report.rows)
    if injected < report.minutes * FAULTS_PER_MINUTE:
        yield f"{report.minutes * FAULTS_PER_MINUTE:.0f} faults, got {injected}"
    each = max(1, math.floor(report.minutes / EACH_PER_MINUTES))
    often = sum(row.injected >= each for row in report.rows)
    if often < KINDS:
        yield f"{KINDS} kinds with {each} faults each, got {often}"
    if report.complaints:
        yield f"all survived, {len(report.complaints)} were not"
    if report.p99_s is None or report.p99_s > RECOVERY_S:
        yield f"recovery within {RECOVERY_S:g} s at p99, got {_shown(report.p99_s)}"
    if len(report.memory.samples_bytes) < _FEWEST_SAMPLES:
        yield "memory of one process over the run: too few samples"
    elif report.memory.growth_bytes > GROWTH_BYTES:
        yield f"growth of at most {GROWTH_BYTES / 1e6:g} MB, got {report.memory.growth_bytes / 1e6:.1f} MB"
    if report.unmarked:
        yield f"no stale result unmarked, got {len(report.unmarked)}, the first: {report.unmarked[0]}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"

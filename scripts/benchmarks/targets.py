"""Every speed target with the figure reached; ends with exit 1 if one is missed. See docs/latency.md.

Figures are ratios taken in one run: bare `invoke()` and the pipeline in turn. The median of the repeats
counts; the spread is shown.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import contenders, isolation, speed, startup
from benchmarks.broker import mosquitto
from benchmarks.rows import table
from benchmarks.speed import Round
from benchmarks.startup import Start
from edgecam.measure.machine import describe_machine


@dataclass(frozen=True)
class Target:
    """A figure, and what it must not pass."""

    name: str
    values: Sequence[float]
    """One a repeat."""
    limit: float
    at_least: bool = False
    unit: str = "x"

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def holds(self) -> bool:
        """True if the figure is on the right side."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def line(self) -> str:
        """The row of the table."""
        sign = ">=" if self.at_least else "<="
        spread = f"{min(self.values):.2f} to {max(self.values):.2f}"
        figure = f"{self.value:6.2f} {self.unit:<2} {sign} {self.limit:4.2f}"
        return f"{self.name:<66} {figure}  {'holds ' if self.holds else 'MISSED'} ({spread})"


def speed_targets(rounds: Sequence[Round]) -> list[Target]:
    """Of the blocks in one process."""

    def each(figure: Callable[[Round], float]) -> list[float]:
        return [figure(one) for one in rounds]

    return [
        Target(
            "saturated: classified frames per second, of the bare invoke() loop",
            each(lambda one: one.saturated_fps / one.invokes_per_s), 0.95, at_least=True,
        ),
        Target(
            "30 fps: median age at the subscriber, of the median invoke()",
            each(lambda one: statistics.median(one.ages_ms) / one.invoke_ms), 1.25,
        ),
        Target(
            "30 fps: 99th percentile of the age, of the median invoke()",
            each(lambda one: percentile(one.ages_ms, 99) / one.invoke_ms), 1.6,
        ),
        Target(
            "saturated: CPU per frame, of invoke() alone",
            each(lambda one: one.saturated_cpu_ms / one.invoke_cpu_ms), 1.2,
        ),
        Target(
            "30 fps: CPU per frame, of invoke() alone",
            each(lambda one: one.paced_cpu_ms / one.invoke_cpu_ms), 1.2,
        ),
        Target(
            "eight cameras, saturated: frames per second, of one camera's",
            each(lambda one: one.eight_fps / one.saturated_fps), 0.95, at_least=True,
        ),
        Target(
            "eight cameras, saturated: Jain fairness",
            each(lambda one: jain(list(one.shares.values()))), 0.98, at_least=True,
        ),
    ]  # fmt: skip


def startup_targets(starts: Sequence[Start]) -> list[Target]:
    """Of whole processes."""
    return [
        Target(
            "resident memory, of the same imports and the same model",
            [one.resident_bytes / one.yardstick_bytes for one in starts], 1.2,
        ),
        Target(
            "first prediction, after the imports could have ended",
            [one.first_s for one in starts], 1.0, unit="s",
        ),
        Target(
            "edgecam --help, of importing numpy and OpenCV",
            [one.help_s / one.imports_s for one in starts], 0.5,
        ),
    ]  # fmt: skip


def isolation_targets(added_ms: Sequence[float]) -> list[Target]:
    """Of an accelerator's child process."""
    return [Target("an engine in a child process: what it costs a frame", added_ms, 0.3, unit="ms")]


def percentile(values: Sequence[float], percent: int) -> float:
    """Nearest rank."""
    return sorted(values)[-(-percent * len(values) // 100) - 1]


def jain(shares: Sequence[int]) -> float:
    """Jain's fairness index, (sum x)^2 / (n sum x^2): 1 when all are equal."""
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


def context(rounds: Sequence[Round]) -> str:
    """What the ratios are ratios of."""
    invoke_ms = statistics.median(one.invoke_ms for one in rounds)
    age_ms = statistics.median(statistics.median(one.ages_ms) for one in rounds)
    paced = statistics.median(one.paced_invoke_ms / one.invoke_ms for one in rounds)
    to_paced = statistics.median(statistics.median(one.ages_ms) / one.paced_invoke_ms for one in rounds)
    return (
        f"invoke() takes {invoke_ms:.2f} ms here; called 30 times a second it takes {paced:.2f} of that, "
        "as caches and cores cool down.\n"
        f"The median age at the subscriber is {age_ms:.2f} ms, "
        f"{to_paced:.2f} of an invoke() at the same pace."
    )


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each block of the pipeline")
    parser.add_argument(
        "--no-contenders", action="store_true", help="leave out what a user would pick instead"
    )
    options = parser.parse_args()
    here = describe_machine()
    print(
        f"{here['cpu']}, {here['cores']} cores, {here['arch']}, Python {here['python']}, {here['versions']}\n"
    )
    with tempfile.TemporaryDirectory(prefix="edgecam-bench-") as name, mosquitto(Path(name)) as port:
        rounds = list(speed.measure(Path(name), port, repeats=options.repeats, seconds=options.seconds))
        starts = list(startup.measure(Path(name), port, repeats=options.repeats))
        added_ms = list(isolation.measure(speed.MODEL, repeats=options.repeats))
        targets = speed_targets(rounds) + startup_targets(starts) + isolation_targets(added_ms)
        for target in targets:
            print(target.line())
        print(context(rounds))
        if not options.no_contenders:
            others = contenders.known_contenders()
            print("\nThe shipped model with uint8 ends, one thread; ages and CPU at 30 fps:\n")
            print(table(contenders.measure(others, repeats=options.repeats, seconds=options.seconds / 2)))
    missed = [target.name for target in targets if not target.holds]
    print(f"\n{len(targets) - len(missed)} of {len(targets)} targets hold")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Age of information by simulation: the scheduler, always-take and always-wait, as a Markdown table.

One camera, a budget that nothing exceeds. Times are in frame periods; capture times and services jitter
independently by a normal distribution.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.simulation import MS, Chooser, Outcome, SimCamera, simulate
from edgecam.pipeline.scheduler import Policy, Run, Wait, Waiting

PERIOD_NS = 33 * MS
RATIOS = (0.2, 0.5, 0.8, 0.9, 1.0, 1.1, 1.3, 1.5, 1.7, 1.9, 2.1, 2.5, 3.1, 3.5, 4.1, 5.0)
JITTERS = (0.0, 0.05, 0.2)
_FRAMES = 12_000
_POLICY = Policy(budget_ns=3600 * 1000 * MS, starve_ns=3600 * 1000 * MS)


class AlwaysTake:
    """Runs whatever waits, at once."""

    def choose(self, waiting: Sequence[Waiting], *, now_ns: int) -> Run | None:  # noqa: ARG002 - as the scheduler
        """The frame that is there."""
        return Run(waiting[0].camera) if waiting else None

    def ran(self, camera: str, captured_ns: int, *, now_ns: int) -> None:
        """It remembers nothing."""


class AlwaysWait:
    """Runs only a frame that has come since the engine is free."""

    def __init__(self) -> None:
        self._free_ns = 0
        self._running = False

    def choose(self, waiting: Sequence[Waiting], *, now_ns: int) -> Run | Wait | None:
        """The frame that is there, if it is new."""
        if self._running:
            self._free_ns, self._running = now_ns, False
        if waiting and waiting[0].captured_ns >= self._free_ns:
            return Run(waiting[0].camera)
        return Wait(now_ns + 3600 * 1000 * MS) if waiting else None

    def ran(self, camera: str, captured_ns: int, *, now_ns: int) -> None:  # noqa: ARG002 - as the scheduler
        """From now on the engine is busy."""
        self._running = True


def measure(ratio: float, jitter: float, chooser: Chooser | None, *, frames: int = _FRAMES) -> Outcome:
    """One cell of the table; no chooser: the scheduler, with `prefer: freshness`."""
    rng = random.Random(7)  # noqa: S311 - a simulation

    def service_ns(_camera: str, _now_ns: int) -> int:
        return int(ratio * PERIOD_NS * max(0.1, rng.gauss(1, jitter) if jitter else 1.0))

    camera = SimCamera(_POLICY, PERIOD_NS, jitter=jitter)
    until_ns = int(frames * PERIOD_NS * max(1.0, ratio))
    return simulate(
        {"a": camera}, service_ns, until_ns=until_ns, prefer_freshness=True, chooser=chooser, seed=3
    )["a"]


CONTENDERS: dict[str, Callable[[], Chooser | None]] = {
    "always take": AlwaysTake,
    "always wait": AlwaysWait,
    "edgecam": lambda: None,
}


def main() -> None:
    """Print the table."""
    heads = [f"{name}, {jitter:.0%}" for jitter in JITTERS for name in CONTENDERS]
    print("| service / period | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 1) + "|")
    for ratio in RATIOS:
        cells = []
        for jitter in JITTERS:
            for make in CONTENDERS.values():
                outcome = measure(ratio, jitter, make())
                cells.append(f"{outcome.age_ns() / PERIOD_NS:.2f} ({outcome.busy():.2f})")
        print(f"| {ratio:g} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

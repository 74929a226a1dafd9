"""Which `threads:` to set, by a rule that a person can check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgecam.inference.thread_rule import RULE, choose


@dataclass(frozen=True, slots=True)
class Advice:
    """What to set, and why."""

    threads: int | None
    """None: nothing that was measured leaves a core free."""
    why: str
    """One sentence."""


def advise(median_ms: Mapping[int, float], *, cores: int) -> Advice:
    """The threads to set, from the median of `invoke()` for each number of threads.

    Args:
        median_ms: by threads, of one engine; at least one.
        cores: that this process may use.
    """
    if all(threads >= max(cores, 2) for threads in median_ms):
        return Advice(None, f"no advice: every measured number of threads takes all {cores} cores ({RULE})")
    threads = choose(median_ms, cores=cores)
    return Advice(threads, f"{median_ms[threads]:.2f} ms at the median; the rule: {RULE}")

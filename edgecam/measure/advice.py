"""Which `threads:` to set, by a rule that a person can check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_WITHIN = 0.10

RULE = (
    "the fewest threads whose median is within 10 % of the best, and fewer than there are cores: "
    "capture and MQTT need one"
)


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
    allowed = {threads: value for threads, value in median_ms.items() if threads < max(cores, 2)}
    if not allowed:
        return Advice(None, f"no advice: every measured number of threads takes all {cores} cores ({RULE})")
    best = min(allowed.values())
    threads = min(count for count, value in allowed.items() if value <= best * (1 + _WITHIN))
    return Advice(threads, f"{median_ms[threads]:.2f} ms at the median; the rule: {RULE}")

"""Which number of threads to take, from how long an inference took with each. Pure."""

from __future__ import annotations

from collections.abc import Mapping

# More gain nothing with networks of this size.
_MOST_THREADS = 4
# A gain that no one would notice is not worth a core,
_WITHIN = 0.10
# and the last core only what cannot be had otherwise: a network waits for the slowest of its threads, so that
# whatever else runs, capture and MQTT first, holds up all of it.
_ALL_CORES_SHARE = 0.75

RULE = (
    "the fewest threads whose median is within 10 % of the best, and fewer than there are cores: capture and "
    "MQTT need one; all cores only if they take 25 % off the best that leaves one"
)


def candidates(cores: int) -> range:
    """The numbers of threads that are worth a try on so many cores."""
    return range(1, max(1, min(cores, _MOST_THREADS)) + 1)


def choose(median_ms: Mapping[int, float], *, cores: int) -> int:
    """The number of threads to take, by `RULE`.

    Args:
        median_ms: of an inference, by threads; at least one.
        cores: that this process may use.
    """
    sparing = [value for threads, value in median_ms.items() if threads < cores]
    limit_ms = _ALL_CORES_SHARE * min(sparing, default=float("inf"))
    allowed = {threads: value for threads, value in median_ms.items() if threads < cores or value <= limit_ms}
    best_ms = min(allowed.values())
    return min(threads for threads, value in allowed.items() if value <= best_ms * (1 + _WITHIN))

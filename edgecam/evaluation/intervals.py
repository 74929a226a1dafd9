"""How far a share that was counted may be from the true one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true value lies, in `CONFIDENCE` of all cases."""

    low: float
    high: float


def z_of(confidence: float = CONFIDENCE) -> float:
    """How many standard deviations a two-sided interval reaches to each side."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(hits: int, total: int, *, confidence: float = CONFIDENCE) -> Interval:
    """The score interval of a share (E. B. Wilson 1927, JASA 22:209-212); it holds for few counts, too.

    Args:
        hits: 0 to `total`.
        total: of 0, nothing is known: 0 to 1.
        confidence: two-sided.
    """
    if not total:
        return Interval(0.0, 1.0)
    share, z = hits / total, z_of(confidence)
    shrink = 1 + z**2 / total
    middle = (share + z**2 / (2 * total)) / shrink
    reach = z / shrink * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    # At the ends it is exact; there, rounding must not leave the share outside.
    low = 0.0 if hits == 0 else middle - reach
    return Interval(low, 1.0 if hits == total else middle + reach)

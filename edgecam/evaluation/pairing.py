"""Two models on the same pictures: is one really better, or was it luck?

Only pictures on which exactly one of the two is right tell anything: McNemar's test (Q. McNemar 1947,
Psychometrika 12:153-157), in its mid-P form, which Fagerland, Lydersen and Laake recommend (2013, BMC Medical
Research Methodology 13:91), since the exact one is too careful for few pictures and the asymptotic one not
always careful enough. The interval of the difference is that of R. G. Newcombe 1998, Statistics in Medicine
17:2635-2650, method 10.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgecam.evaluation.intervals import Interval, wilson
from edgecam.evaluation.metrics import ranks
from edgecam.evaluation.scores import Scores


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models, `a` and `b`, on the same pictures."""

    delta: float
    """Accuracy of `b` less that of `a`, -1..1: above 0, `b` is better."""
    low: float
    high: float
    """95 % interval of `delta`."""
    p_value: float
    """How likely so large a difference were, were both equally good: McNemar, mid-P."""
    both: int
    """Pictures on which both are right."""
    only_a: int
    only_b: int
    neither: int

    @property
    def is_significant(self) -> bool:
        """At the level of 5 %."""
        return self.p_value < 0.05  # noqa: PLR2004 - the level that everybody uses


def compare_pair(a: Scores, b: Scores, k: int = 1) -> Pair:
    """Compare two models on the pictures that both could read.

    Args:
        a: of the one model.
        b: of the other, which may have other labels: each is held against its own truth.
        k: right is who has the class among its best `k`.

    Raises:
        ValueError: they share no picture.
    """
    right_b = dict(zip(b.names, (ranks(b) < k).tolist(), strict=True))
    shared = [
        (is_right, right_b[name])
        for name, is_right in zip(a.names, (ranks(a) < k).tolist(), strict=True)
        if name in right_b
    ]
    if not shared:
        raise ValueError("the two models were evaluated on different pictures; compare them on the same")
    counts = [shared.count(case) for case in ((True, True), (True, False), (False, True), (False, False))]
    both, only_a, only_b, neither = counts
    reach = newcombe(both, only_b, only_a, neither)
    return Pair(
        delta=(only_b - only_a) / len(shared),
        low=reach.low,
        high=reach.high,
        p_value=mcnemar_mid_p(only_a, only_b),
        both=both,
        only_a=only_a,
        only_b=only_b,
        neither=neither,
    )


def mcnemar_mid_p(only_a: int, only_b: int) -> float:
    """The two-sided mid-P value, 0..1: the exact one less half of what the observed counts contribute.

    Args:
        only_a: pictures on which the one alone is right.
        only_b: on which the other alone is.
    """
    total, fewer = only_a + only_b, min(only_a, only_b)
    tail = math.fsum(math.exp(_log_binomial(total, count)) for count in range(fewer + 1))
    return min(1.0, 2 * tail - math.exp(_log_binomial(total, fewer)))


def newcombe(both: int, only_first: int, only_second: int, neither: int) -> Interval:
    """95 % interval of the difference of two shares of the same things: of the first less the second.

    Args:
        both: things that have both properties.
        only_first: that have the first alone.
        only_second: the second alone.
        neither: none of the two; there is at least one thing in all.
    """
    total = both + only_first + only_second + neither
    first, second = both + only_first, both + only_second
    difference = (first - second) / total
    phi = _phi(both, only_first, only_second, neither)
    of_first, of_second = wilson(first, total), wilson(second, total)
    down = first / total - of_first.low, of_second.high - second / total
    up = of_first.high - first / total, second / total - of_second.low
    below, above = (math.sqrt(max(0.0, x**2 - 2 * phi * x * y + y**2)) for x, y in (down, up))
    return Interval(difference - below, difference + above)


def _phi(both: int, only_first: int, only_second: int, neither: int) -> float:
    """The correlation, -1..1, with the continuity correction of method 10 where it is above 0."""
    total = both + only_first + only_second + neither
    first, second = both + only_first, both + only_second
    margins = first * (total - first) * second * (total - second)
    product = both * neither - only_first * only_second
    corrected = max(product - total / 2, 0.0) if product > 0 else product
    return corrected / math.sqrt(margins) if margins else 0.0


def _log_binomial(total: int, count: int) -> float:
    """Logarithm of the probability of `count` heads in `total` tosses."""
    ways = math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
    return ways - total * math.log(2)

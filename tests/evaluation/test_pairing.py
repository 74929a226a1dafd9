"""Whether the difference of two models is what statistics says it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_scores import binary, drawn

from edgecam.evaluation.pairing import compare_pair, mcnemar_mid_p, newcombe
from edgecam.evaluation.scores import Scores

counts = st.integers(0, 300)


# 2 * binom.cdf(fewer, total, 0.5) - binom.pmf(fewer, total, 0.5) by scipy 1.17.1; 1 and 7 are the airways of
# Bentur et al. 2009, for which Fagerland et al. 2013 print 0.039.
@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    [
        (1, 7, 0.0390625),
        (6, 6, 1.0),
        (10, 25, 0.011330984183587134),
        (140, 100, 0.009831541178608735),
        (0, 3, 0.125),
        (3000, 3100, 0.2004484237967243),
        (0, 0, 1.0),
    ],
)
def test_mcnemars_value_is_the_published_one(only_a: int, only_b: int, p_value: float) -> None:
    """Mid-P, in thousands of pictures as in eight."""
    assert mcnemar_mid_p(only_a, only_b) == pytest.approx(p_value, abs=1e-9)


# Airways (Bentur et al. 2009) as Fagerland et al. 2014 print them; Altman et al. 2000, table 6.2.
@pytest.mark.parametrize(
    ("table", "low", "high"),
    [((1, 1, 7, 12), -0.507, -0.026), ((14, 5, 0, 22), 0.011, 0.226)],
)
def test_the_interval_of_a_difference_is_the_published_one(
    table: tuple[int, int, int, int], low: float, high: float
) -> None:
    """Newcombe's method 10, with and without its correction."""
    interval = newcombe(*table)
    assert (round(interval.low, 3), round(interval.high, 3)) == (low, high)


def test_pairs_are_counted_on_the_pictures_that_both_could_read() -> None:
    """Who is right where; a picture that one of them lacks is left out, whatever its place."""
    a = binary([0.9, 0.9, 0.9, 0.9], [True, True, False, False])
    b = binary([0.9, 0.1, 0.9, 0.1], [True, True, False, False])
    pair = compare_pair(a, b)
    assert (pair.both, pair.only_a, pair.only_b, pair.neither) == (1, 1, 1, 1)
    fewer = replace(b, names=b.names[:0:-1], truth=b.truth[:0:-1], probabilities=b.probabilities[:0:-1])
    pair = compare_pair(a, fewer)
    assert (pair.both, pair.only_a, pair.only_b, pair.neither) == (0, 1, 1, 1)


def test_models_of_different_pictures_are_not_compared() -> None:
    """Nothing is paired, so nothing is said."""
    a = binary([0.9], [True])
    with pytest.raises(ValueError, match="different pictures"):
        compare_pair(a, replace(a, names=("another.jpg",)))


def test_a_clear_difference_is_found_and_luck_is_not() -> None:
    """20 against 2 is no luck, and the interval is all on one side; 3 against 2 is."""
    truth = [True] * 122
    weaker = [0.9] * 2 + [0.1] * 20 + [0.9] * 100
    better = [0.1] * 2 + [0.9] * 20 + [0.9] * 100
    pair = compare_pair(binary(weaker, truth), binary(better, truth))
    assert pair.delta == pytest.approx(18 / 122)
    assert pair.is_significant
    assert 0 < pair.low < pair.delta < pair.high
    pair = compare_pair(binary(weaker[:5], truth[:5]), binary(better[:5], truth[:5]))
    assert not pair.is_significant


@given(drawn())
def test_a_model_is_as_good_as_itself(scores: Scores) -> None:
    """No difference, inside its interval, and no reason to believe in one."""
    pair = compare_pair(scores, scores)
    assert pair.delta == 0
    assert pair.low <= 0 <= pair.high
    assert pair.p_value == 1.0
    assert not pair.is_significant


@given(st.tuples(counts, counts, counts, counts).filter(any))
def test_the_interval_holds_its_difference_and_is_fair(table: tuple[int, int, int, int]) -> None:
    """It holds the difference, stays within -1..1, and turns over with the two."""
    both, first, second, neither = table
    interval = newcombe(both, first, second, neither)
    difference = (first - second) / sum(table)
    assert -1 - 1e-9 <= interval.low <= difference + 1e-9
    assert difference - 1e-9 <= interval.high <= 1 + 1e-9
    turned = newcombe(both, second, first, neither)
    assert (turned.low, turned.high) == pytest.approx((-interval.high, -interval.low), abs=1e-9)


@given(counts, counts)
def test_the_p_value_is_one_and_the_same_from_both_sides(a: int, b: int) -> None:
    """A probability, symmetric, and smaller the further the two are apart."""
    assert 0 <= mcnemar_mid_p(a, b) <= 1
    assert mcnemar_mid_p(a, b) == mcnemar_mid_p(b, a)
    if a >= b:
        assert mcnemar_mid_p(a + 1, b) <= mcnemar_mid_p(a, b) + 1e-12

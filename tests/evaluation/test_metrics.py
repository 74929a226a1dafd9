"""How often a model is right, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from made_scores import drawn, made

from edgecam.evaluation import metrics
from edgecam.evaluation.intervals import wilson
from edgecam.evaluation.metrics import (
    accuracy_of,
    balanced_accuracy,
    confusion,
    confusions,
    per_class,
    ranks,
    said,
    top_k,
    worst_errors,
)
from edgecam.evaluation.scores import Scores
from edgecam.vision.postprocess import top_k as named_first

# Cats, dogs and a bird: the first dog is taken for a cat, the bird for a dog, and surely.
PETS = made(
    [[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.03, 0.95, 0.02]],
    [0, 1, 1, 2],
    ["cat", "dog", "bird"],
)


# By scipy 1.17.1, binomtest(hits, total).proportion_ci(0.95, "wilson"); 81 of 263 and 15 of 148 are the
# examples of Newcombe 1998, Statistics in Medicine 17:857-872, table I.
@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        (0, 10, 0.0, 0.27753279986288926),
        (1, 10, 0.017876213095072896, 0.4041500267952385),
        (10, 10, 0.7224672001371109, 1.0),
        (81, 263, 0.2552885198782742, 0.36620957698280004),
        (15, 148, 0.06238639953073629, 0.16048724172330803),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilsons_interval_is_the_published_one(hits: int, total: int, low: float, high: float) -> None:
    """The score interval, which holds at the ends and for few counts."""
    interval = wilson(hits, total)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-12)


def test_accuracy_counts_those_whose_class_is_among_the_best() -> None:
    """Top-1 and top-k of a table that can be counted by hand."""
    assert [accuracy_of(PETS, k) for k in (1, 2, 3)] == [0.5, 0.75, 1.0]
    assert top_k(PETS).hits == 2


def test_equals_are_ranked_as_classify_names_them() -> None:
    """Of equal probabilities the first class is said: the one rule of the live path."""
    scores = made([[0.25, 0.25, 0.25, 0.25]] * 4, [0, 1, 2, 3])
    assert ranks(scores).tolist() == [0, 1, 2, 3]
    assert said(scores).tolist() == [0, 0, 0, 0]


def test_each_class_has_its_precision_and_recall() -> None:
    """Counted by hand; a class that was never said has no precision, rather than one of 0."""
    cat, dog, bird = per_class(PETS)
    assert (cat.recall.value, cat.precision.value) == (1.0, 0.5)
    assert cat.f1 == pytest.approx(2 / 3)
    assert (dog.recall.value, dog.precision.value) == (0.5, 0.5)
    assert (bird.recall.value, bird.precision.value, bird.f1) == (0.0, None, 0.0)
    assert balanced_accuracy(PETS) == pytest.approx(0.5)


def test_errors_are_told_by_frequency_and_by_sureness() -> None:
    """What is taken for what; the picture first on which the model was surest of a wrong thing."""
    assert [(c.truth, c.said, c.count) for c in confusions(PETS)] == [(1, 0, 1), (2, 1, 1)]
    assert worst_errors(PETS).tolist() == [3, 1]
    assert worst_errors(PETS, most=1).tolist() == [3]


@given(drawn())
def test_the_ways_of_counting_agree(scores: Scores) -> None:
    """Confusion, classes and ranks count the same pictures, whatever they are."""
    table = confusion(scores)
    assert table.sum() == len(scores.truth)
    assert np.trace(table) == top_k(scores).hits == sum(c.recall.hits for c in per_class(scores))
    assert table.sum(axis=1).tolist() == np.bincount(scores.truth, minlength=len(scores.labels)).tolist()
    assert sum(c.count for c in confusions(scores, most=100)) == len(worst_errors(scores, most=100))
    assert accuracy_of(scores, len(scores.labels)) == 1.0


def test_pictures_are_counted_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the sake of memory; none is lost where two lots meet, nor at the end."""
    at_once = ranks(PETS).tolist()
    assert len(set(at_once)) > 1
    for few in range(1, len(at_once) + 1):
        monkeypatch.setattr(metrics, "_PICTURES_AT_ONCE", few)
        assert ranks(PETS).tolist() == at_once


@given(drawn())
def test_top_k_is_that_of_the_live_path(scores: Scores) -> None:
    """Right among the best k is who is among those that a prediction would name."""
    for k in (1, 2, 5):
        named = [
            truth in named_first(row, k)
            for row, truth in zip(scores.probabilities, scores.truth, strict=True)
        ]
        assert top_k(scores, k).hits == sum(named)


@given(drawn())
def test_an_interval_holds_its_share(scores: Scores) -> None:
    """The share itself is never outside, and the interval never beyond 0 and 1."""
    share = top_k(scores)
    assert 0 <= share.interval.low <= accuracy_of(scores) <= share.interval.high <= 1

"""Whether a suggested threshold does what it was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_scores import binary, drawn, made

from edgecam.decision.watchlist import Threshold, Watchlist
from edgecam.evaluation import thresholds
from edgecam.evaluation.scores import Scores
from edgecam.evaluation.thresholds import suggest_thresholds


def test_the_lowest_threshold_that_is_precise_enough_is_suggested() -> None:
    """Right at 0.9 and 0.8, wrong at 0.6: everything above 0.6 will do, and 0.61 loses least."""
    scores = binary([0.9, 0.8, 0.6, 0.3], [True, True, False, True])
    first = suggest_thresholds(scores, {})[0]
    assert (first.threshold, first.support) == (0.61, 3)
    assert first.precision is not None
    assert first.recall is not None
    assert first.precision.value == 1.0
    assert first.recall.value == pytest.approx(2 / 3)
    assert not first.is_certain, "two pictures prove nothing"


def test_many_pictures_make_it_certain() -> None:
    """With a hundred of a hundred right, even the low end of the interval is beyond 0.95."""
    scores = binary([0.9] * 100 + [0.2] * 50, [True] * 100 + [False] * 50)
    assert suggest_thresholds(scores, {})[0].is_certain


def test_what_cannot_be_reached_is_said() -> None:
    """As often wrong as right at any score: there is no such threshold."""
    found = suggest_thresholds(binary([0.9, 0.9, 0.8, 0.8], [True, False, True, False]), {})[0]
    assert (found.threshold, found.precision, found.recall) == (None, None, None)
    assert not found.is_certain


def test_a_group_sums_its_members() -> None:
    """Two kinds of cat that the model cannot tell apart are surely a cat."""
    scores = made(
        [[0.5, 0.4, 0.1], [0.4, 0.5, 0.1], [0.1, 0.1, 0.8]], [0, 1, 2], ["tabby", "tiger cat", "bird"]
    )
    found = {s.name: s for s in suggest_thresholds(scores, {"cat": (0, 1)})}
    assert list(found) == ["cat", "tabby", "tiger cat", "bird"]
    assert found["cat"].is_group
    assert (found["cat"].support, found["cat"].threshold) == (2, 0.21)
    assert found["cat"].recall is not None
    assert found["cat"].recall.value == 1.0


@pytest.mark.parametrize("few", [1, 2, 3])
def test_names_are_looked_at_a_few_at_a_time(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the sake of memory; the suggestions are the same, in the same order."""
    scores = made([[0.5, 0.4, 0.1], [0.3, 0.6, 0.1], [0.1, 0.2, 0.7]], [0, 1, 2], ["tabby", "tiger", "bird"])
    at_once = suggest_thresholds(scores, {"cat": (0, 1)})
    assert [one.name for one in at_once] == ["cat", "tabby", "tiger", "bird"]
    monkeypatch.setattr(thresholds, "_NAMES_AT_ONCE", few)
    assert suggest_thresholds(scores, {"cat": (0, 1)}) == at_once


def test_a_label_without_pictures_has_no_suggestion() -> None:
    """Nothing can be said of it; a group of its name takes its place."""
    scores = made([[0.9, 0.1, 0.0]], [0], ["cat", "dog", "bird"])
    assert [(s.name, s.is_group) for s in suggest_thresholds(scores, {"cat": (0,), "pet": (1, 2)})] == [
        ("cat", True)
    ]


@given(drawn(), st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_a_threshold_does_in_the_live_path_what_it_promises(scores: Scores, wanted: float) -> None:
    """Counted as the decider compares: precision and recall hold, and a hundredth less would not do."""
    groups = {"some": (0, 1)}
    for suggestion in suggest_thresholds(scores, groups, wanted):
        threshold = (
            Threshold() if suggestion.threshold is None else Threshold(enter=suggestion.threshold, exit=0)
        )
        watch = Watchlist(scores.labels, groups, watch={suggestion.name: threshold})
        reached = np.array([watch.scores(row)[0] for row in scores.probabilities], np.float32)
        members = groups.get(suggestion.name) or (scores.labels.index(suggestion.name),)
        shows = np.isin(scores.truth, members)
        assert suggestion.support == shows.sum() > 0
        if suggestion.threshold is None or suggestion.precision is None or suggestion.recall is None:
            continue
        claims = reached >= watch.enter[0]
        assert (suggestion.precision.hits, suggestion.precision.total) == (
            (claims & shows).sum(),
            claims.sum(),
        )
        assert suggestion.precision.hits >= wanted * suggestion.precision.total
        assert suggestion.recall.total == suggestion.support
        lower = reached >= np.float32(suggestion.threshold - 0.01)
        is_first = round(suggestion.threshold * 100) == 1
        assert is_first or (lower & shows).sum() < wanted * lower.sum()

"""Whether a camera's settings make of recorded scores what they would have made of the frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_recordings import LABELS, S

from edgecam.decision.decider import Decider
from edgecam.decision.watchlist import Threshold, Watchlist
from edgecam.errors import UsageError
from edgecam.evaluation.replay import Episode, Replay, Replayer, Seen
from edgecam.evaluation.truth import Interval, by_label, hold_against
from edgecam.evaluation.variants import MOST_VARIANTS, variants_of
from edgecam.records import Edge, EventType

rows = st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.9]), min_size=3, max_size=3)
frames = st.lists(st.tuples(st.integers(1, 3 * S), rows), min_size=1, max_size=40)


def watchlist(hold_s: float = 0.0) -> Watchlist:
    """Cats and dogs from 0.6 on, until below 0.4."""
    threshold = Threshold(0.6, 0.4, round(hold_s * S))
    return Watchlist(LABELS, {}, watch={"cat": threshold, "dog": threshold})


def replayed(
    seen: Sequence[tuple[float, Sequence[float]]], *, smoothing_s: float = 0.0, hold_s: float = 0.0
) -> Replay:
    """What becomes of frames: seconds, and a probability for each label."""
    replayer = Replayer(watchlist(hold_s), smoothing_s=smoothing_s)
    for at_s, row in seen:
        replayer.take(Seen(round(at_s * S), np.array(row, np.float32)))
    return replayer.end()


def test_episodes_have_the_moments_of_the_recording() -> None:
    """The clock is the recording's: a second of it is a second, however fast it is replayed."""
    cat, nothing = (0.9, 0.0, 0.0), (0.1, 0.1, 0.1)
    found = replayed([(10, nothing), (11, cat), (12, cat), (13, nothing), (14, nothing)])
    assert found.episodes == (
        Episode("cat", 11 * S, 13 * S, pytest.approx(0.9), is_open=False),  # type: ignore[arg-type]
    )
    assert (found.frames, found.span_s, found.changes) == (5, 4.0, 2)
    assert found.changes_per_minute == 30.0


def test_what_is_still_on_ends_with_the_last_frame() -> None:
    """An episode that the recording's end cuts off is told, and marked."""
    found = replayed([(0, (0.9, 0.0, 0.0)), (1, (0.9, 0.0, 0.0))])
    assert [(e.start_ns, e.end_ns, e.is_open) for e in found.episodes] == [(0, S, True)]


def test_hold_and_smoothing_take_flicker_away() -> None:
    """What --vary is for: the same scores, fewer changes."""
    flickering = [(step / 10, (0.9, 0.0, 0.0) if step % 2 else (0.1, 0.0, 0.0)) for step in range(40)]
    raw = replayed(flickering)
    assert len(raw.episodes) == 20
    assert raw.changes == 39
    assert len(replayed(flickering, hold_s=10).episodes) == 1
    assert len(replayed(flickering, smoothing_s=1.0).episodes) <= 1


def test_one_label_after_another_is_one_change() -> None:
    """From cat to dog at once is one change, not one to nothing and one back."""
    assert replayed([(0, (0.9, 0.0, 0.0)), (1, (0.0, 0.9, 0.0))]).changes == 2


def test_how_far_a_score_may_be_short_is_bounded_from_both_sides() -> None:
    """By the share that is missing, and by what classes that were not told can have had at the most."""
    watch = Watchlist(
        LABELS, {"pet": (0, 1), "all": (0, 1, 2)}, watch={"pet": Threshold(), "cat": Threshold()}
    )
    told = np.array([0.5, 0.0, 0.0], np.float32)
    assert Seen(0, told, unknown=0.4, most_unnamed=0.1).shortfall(watch) == pytest.approx(0.1)
    assert Seen(0, told, unknown=0.05, most_unnamed=0.1).shortfall(watch) == 0.05
    nothing_told = Seen(0, np.zeros(3, np.float32), unknown=0.9, most_unnamed=0.3)
    assert nothing_told.shortfall(watch) == pytest.approx(0.6)
    assert Seen(0, told).shortfall(watch) == 0.0


def test_a_single_frame_has_no_rate() -> None:
    """Nothing is divided by a span of nothing."""
    assert replayed([(3, (0.9, 0.0, 0.0))]).changes_per_minute is None


@given(frames, st.sampled_from([0.0, 0.3, 2.0]), st.sampled_from([0.0, 1.0]))
def test_the_decisions_are_those_of_the_live_decider(
    steps: list[tuple[int, list[float]]], smoothing_s: float, hold_s: float
) -> None:
    """Whatever was recorded, the episodes are the edges that a camera's own decider gives."""
    moments = np.cumsum([step for step, _ in steps]).tolist()
    decider = Decider(watchlist(hold_s), smoothing_s=smoothing_s, episode_prefix="live")
    replayer = Replayer(watchlist(hold_s), smoothing_s=smoothing_s)
    edges: list[Edge] = []
    for at_ns, (_, row) in zip(moments, steps, strict=True):
        values = np.array(row, np.float32)
        edges += decider.observe(watchlist().scores(values), at_ns=at_ns, now_ns=at_ns + 77).edges
        replayer.take(Seen(at_ns, values))
    edges += decider.stop(now_ns=moments[-1]).edges
    ends = [edge for edge in edges if edge.type is EventType.END]
    assert [(e.label, e.start_ns, e.end_ns, e.peak_score) for e in replayer.end().episodes] == [
        (edge.label, edge.start_ns, edge.end_ns, edge.peak_score) for edge in ends
    ]


def episode(label: str, start_s: float, end_s: float) -> Episode:
    """Of a peak that does not matter."""
    return Episode(label, round(start_s * S), round(end_s * S), 0.9, is_open=False)


def interval(label: str, start_s: float, end_s: float) -> Interval:
    """What was to be seen."""
    return Interval(label, round(start_s * S), round(end_s * S))


def test_episodes_are_held_against_the_truth() -> None:
    """Counted by hand: two pieces of one cat, a late dog, one dog that is none, one cat that was missed."""
    episodes = [
        episode("cat", 11, 13),
        episode("cat", 14, 18),
        episode("dog", 32, 50),
        episode("dog", 60, 61),
    ]
    truth = [interval("cat", 10, 20), interval("dog", 30, 40), interval("cat", 70, 80)]
    verdict = hold_against(episodes, truth)
    assert (verdict.precision.hits, verdict.precision.total) == (3, 4)
    assert (verdict.recall.hits, verdict.recall.total) == (2, 3)
    assert verdict.delays_ns == (1 * S, 2 * S)
    assert (verdict.median_delay_ns, verdict.longest_delay_ns) == (1.5 * S, 2 * S)
    labels = by_label(episodes, truth)
    assert list(labels) == ["cat", "dog"]
    assert (labels["cat"].precision.value, labels["cat"].recall.value) == (1.0, 0.5)
    assert (labels["dog"].precision.value, labels["dog"].recall.value) == (0.5, 1.0)


def test_an_episode_that_never_ends_is_not_right_for_long() -> None:
    """It overlaps all that is to be seen, so the time in which it is right counts, too."""
    truth = [
        interval("cat", 10, 20),
        interval("cat", 15, 25),
        interval("cat", 80, 85),
        interval("dog", 0, 10),
    ]
    verdict = hold_against([episode("cat", 0, 100)], truth)
    assert (verdict.precision.value, verdict.recall.hits) == (1.0, 3)
    assert verdict.time_precision == 0.2
    assert verdict.time_recall == pytest.approx(20 / 30)
    assert hold_against([], []).time_precision is None


def test_who_only_touches_does_not_overlap() -> None:
    """An episode that ends where the interval begins has not seen it; another label never has."""
    truth = [interval("cat", 10, 20)]
    outside = [episode("cat", 5, 10), episode("cat", 20, 25), episode("dog", 10, 20)]
    assert hold_against(outside, truth).precision.hits == 0
    assert hold_against([episode("cat", 15, 15)], truth).precision.hits == 1
    assert hold_against([], []).median_delay_ns is None


def test_an_episode_that_had_begun_before_has_a_delay_below_nothing() -> None:
    """It is not hidden that it was on before there was anything."""
    assert hold_against([episode("cat", 8, 15)], [interval("cat", 10, 20)]).delays_ns == (-2 * S,)


def test_vary_gives_all_combinations() -> None:
    """In the order in which they are written; a value twice is one."""
    found = variants_of(["a.b=1,2,2", "c = x"])
    assert found == [{"a.b": "1", "c": "x"}, {"a.b": "2", "c": "x"}]
    assert variants_of([]) == [{}]


def test_values_keep_the_commas_in_their_brackets() -> None:
    """Lists, maps and quoted texts are single values."""
    found = variants_of(["k={cat: {enter: 0.5, exit: 0.3}},{},[1, 2],'a,b'"])
    assert [variant["k"] for variant in found] == ["{cat: {enter: 0.5, exit: 0.3}}", "{}", "[1, 2]", "'a,b'"]


@pytest.mark.parametrize("text", ["a", "=1,2", "a=", "a=1,,2", "a=1,"])
def test_a_vary_of_another_form_is_refused(text: str) -> None:
    """With what to write instead."""
    with pytest.raises(UsageError, match="expected key=value,value"):
        variants_of([text])


def test_too_many_combinations_are_refused() -> None:
    """Before hours are spent on them; and a key that comes twice, since one would win unseen."""
    many = ",".join(map(str, range(MOST_VARIANTS + 1)))
    with pytest.raises(UsageError, match="too many"):
        variants_of([f"a={many}"])
    with pytest.raises(UsageError, match="comes twice"):
        variants_of(["a=1", "a=2"])

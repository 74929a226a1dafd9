"""Hysteresis, minimum hold, episodes, and the reason for each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.decision.decider import Decider
from edgecam.decision.watchlist import Threshold, Watchlist
from edgecam.records import Decision, Edge, EventType, Reason, Status

S = 1_000_000_000
LABELS = ["cat", "dog", "cup"]


def decider(*, hold_s: float = 2.0, smoothing_s: float = 0.0) -> Decider:
    """Watches a cat and a dog."""
    threshold = Threshold(enter=0.6, exit=0.4, hold_ns=int(hold_s * S))
    watch = Watchlist(LABELS, {}, watch={"cat": threshold, "dog": threshold})
    return Decider(watch, smoothing_s=smoothing_s, episode_prefix="run-door")


def see(who: Decider, at_s: float, cat: float, dog: float = 0.0) -> Decision:
    """One frame."""
    at_ns = int(at_s * S)
    return who.observe(np.array([cat, dog], np.float32), at_ns=at_ns, now_ns=at_ns + 1)


def test_a_label_is_entered_at_its_threshold_and_kept_until_its_exit() -> None:
    """Between exit and enter the last decision stands: no flicker."""
    who = decider(hold_s=0)
    assert see(who, 0, 0.59).label is None
    entered = see(who, 1, 0.6)
    assert (entered.label, entered.reason, entered.changed) == ("cat", Reason.ENTERED, True)
    for at_s, score in enumerate((0.41, 0.59, 0.4), start=2):
        kept = see(who, at_s, score)
        assert (kept.label, kept.changed) == ("cat", False)
        assert kept.since_ns == entered.since_ns
    left = see(who, 9, 0.39)
    assert (left.label, left.score, left.reason, left.changed) == (None, None, Reason.LEFT, True)
    assert left.since_ns == 9 * S


def test_the_first_result_is_news_even_when_nothing_is_seen() -> None:
    """Subscribers learn that the camera works."""
    first = see(decider(), 0, 0.1)
    assert (first.status, first.label, first.reason, first.changed) == (
        Status.OK,
        None,
        Reason.STARTING,
        True,
    )


def test_a_label_stays_for_its_minimum_hold_and_says_so_once() -> None:
    """hold_s: a short glimpse is long enough to be noticed by an automation."""
    who = decider(hold_s=2)
    see(who, 0, 0.9)
    held = see(who, 0.5, 0.0)
    assert (held.label, held.reason, held.changed) == ("cat", Reason.HELD, True)
    again = see(who, 1.0, 0.0)
    assert (again.label, again.changed) == ("cat", False)
    assert see(who, 2.0, 0.0).reason is Reason.LEFT


def test_one_label_follows_another_at_once() -> None:
    """The end of one episode and the start of the next are told together, in this order."""
    who = decider(hold_s=0)
    first = see(who, 0, 0.9).edges[0]
    both = see(who, 1, 0.1, dog=0.8)
    assert (both.label, both.reason) == ("dog", Reason.ENTERED)
    assert [(e.type, e.label) for e in both.edges] == [(EventType.END, "cat"), (EventType.START, "dog")]
    assert both.edges[0].episode == first.episode
    assert both.edges[1].episode != first.episode


def test_an_episode_tells_its_start_end_and_peak() -> None:
    """The peak is the best smoothed score in between."""
    who = decider(hold_s=0)
    for at_s, score in enumerate((0.7, 0.95, 0.5)):
        see(who, at_s, score)
    (end,) = see(who, 3, 0.1).edges
    assert (end.start_ns, end.end_ns, end.reason) == (0, 3 * S, Reason.LEFT)
    assert end.peak_score == pytest.approx(0.95)
    assert end.score == pytest.approx(0.1)


def test_a_lost_camera_ends_the_episode_and_says_nothing_is_seen() -> None:
    """A frozen label on a dead camera is the oldest complaint there is."""
    who = decider()
    see(who, 0, 0.9)
    lost = who.change_status(Status.NO_CAMERA, Reason.CAMERA_LOST, now_ns=5 * S)
    assert (lost.status, lost.label, lost.reason) == (Status.NO_CAMERA, None, Reason.CAMERA_LOST)
    assert [(e.type, e.reason, e.end_ns) for e in lost.edges] == [(EventType.END, Reason.CAMERA_LOST, 5 * S)]
    assert not who.change_status(Status.NO_CAMERA, Reason.CAMERA_LOST, now_ns=6 * S).changed


def test_a_straggler_from_before_the_loss_changes_nothing() -> None:
    """A frame that was in the engine when the camera died must not bring the label back."""
    who = decider()
    who.change_status(Status.NO_CAMERA, Reason.CAMERA_LOST, now_ns=5 * S)
    late = see(who, 4.9, 0.99)
    assert (late.status, late.label, late.changed, late.edges) == (Status.NO_CAMERA, None, False, ())


def test_after_the_camera_is_back_the_past_does_not_count() -> None:
    """Smoothing begins anew."""
    who = decider(smoothing_s=10)
    see(who, 0, 0.9)
    who.change_status(Status.NO_CAMERA, Reason.CAMERA_LOST, now_ns=1 * S)
    who.change_status(Status.STARTING, Reason.CAMERA_BACK, now_ns=2 * S)
    back = see(who, 3, 0.0)
    assert (back.status, back.label, back.changed) == (Status.OK, None, True)


def test_stopping_ends_what_is_open_and_a_heartbeat_repeats() -> None:
    """An ordered stop leaves no open episode; a heartbeat decides nothing."""
    who = decider()
    see(who, 0, 0.9)
    beat = who.heartbeat()
    assert (beat.label, beat.reason, beat.changed, beat.edges) == ("cat", Reason.HEARTBEAT, True, ())
    (end,) = who.stop(now_ns=S).edges
    assert (end.type, end.reason) == (EventType.END, Reason.STOPPED)
    assert who.stop(now_ns=S).edges == ()


@given(
    st.lists(
        st.tuples(st.integers(1, S), st.floats(0, 1), st.floats(0, 1), st.sampled_from("rrrrrrlb")),
        max_size=60,
    )
)
def test_starts_and_ends_always_pair_up(steps: list[tuple[int, float, float, str]]) -> None:
    """Whatever is seen and whenever the camera dies: each start has one end, in order, none overlaps."""
    who = decider(smoothing_s=0.3)
    now, edges = 0, list[Edge]()
    for gap, cat, dog, what in steps:
        now += gap
        if what == "l":
            decision = who.change_status(Status.NO_CAMERA, Reason.CAMERA_LOST, now_ns=now)
        elif what == "b":
            decision = who.change_status(Status.STARTING, Reason.CAMERA_BACK, now_ns=now)
        else:
            decision = who.observe(np.array([cat, dog], np.float32), at_ns=now, now_ns=now)
        assert (decision.label is None) or decision.status is Status.OK
        edges += decision.edges
    edges += who.stop(now_ns=now).edges
    assert [e.type for e in edges] == [EventType.START, EventType.END] * (len(edges) // 2)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        assert start.episode == end.episode
        assert end.end_ns is not None
        assert end.end_ns >= start.start_ns
        assert end.peak_score >= start.score
    assert len({e.episode for e in edges}) == len(edges) // 2

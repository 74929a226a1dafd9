"""Other rules while frames come: what goes on, what ends, and that no frame loses its fate."""

from __future__ import annotations

from threading import Thread
from typing import Any

import numpy as np
import pytest
from house import MODEL, House
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from stand_ins import CAT, PICTURE, ScriptedEngine, until

from edgecam import clock
from edgecam.decision.decider import Decider
from edgecam.decision.watchlist import Threshold, Watchlist
from edgecam.errors import EngineError
from edgecam.pipeline.desk import Desk
from edgecam.pipeline.doorbell import Doorbell
from edgecam.pipeline.ladder import Ladder
from edgecam.pipeline.lane import Rules, Rung
from edgecam.pipeline.scheduler import Policy, Run, Scheduler, Skip, Waiting
from edgecam.pipeline.slot import LatestSlot
from edgecam.records import AgeBasis, Edge, EventType, Frame, Reason, SkipCause, Status
from edgecam.vision.geometry import View

S = 1_000_000_000
AT_ONCE = Threshold(hold_ns=0)


def watching(*names: str, enter: float = 0.6, leave: float = 0.4) -> Watchlist:
    """A list of these names."""
    threshold = Threshold(enter=enter, exit=leave, hold_ns=0)
    return Watchlist(("cat", "dog", "fox"), {}, watch=dict.fromkeys(names, threshold))


def decider(watchlist: Watchlist) -> Decider:
    """One that sees a cat."""
    us = Decider(watchlist, smoothing_s=0, episode_prefix="run")
    us.observe(watchlist.scores(np.array([0.9, 0.05, 0.05], np.float32)), at_ns=S, now_ns=S)
    return us


def test_an_episode_outlives_other_rules_while_its_label_is_watched() -> None:
    """Also at another place in the list; then the new thresholds say when it ends."""
    us = decider(watching("cat", "dog"))
    new = watching("fox", "cat", leave=0.1)
    assert us.revise(new, smoothing_s=0, now_ns=2 * S).edges == ()
    said = us.observe(new.scores(np.array([0.2, 0, 0], np.float32)), at_ns=3 * S, now_ns=3 * S)
    assert (said.label, said.edges) == ("cat", ())
    said = us.observe(new.scores(np.array([0.05, 0, 0], np.float32)), at_ns=4 * S, now_ns=4 * S)
    (end,) = said.edges
    assert (end.label, end.type, end.reason) == ("cat", EventType.END, Reason.LEFT)


def test_an_episode_whose_label_is_not_watched_any_more_ends_for_that_reason() -> None:
    """Nobody would ever see its end; subscribers are told at once."""
    us = decider(watching("cat", "dog"))
    said = us.revise(watching("dog"), smoothing_s=0, now_ns=2 * S)
    (end,) = said.edges
    assert (end.label, end.type, end.reason, end.end_ns) == ("cat", EventType.END, Reason.RECONFIGURED, 2 * S)
    assert (said.status, said.label, said.changed) == (Status.OK, None, True)


@given(st.lists(st.sets(st.sampled_from(["cat", "dog", "fox"]), min_size=1), max_size=6), st.integers(0, 2))
def test_every_episode_has_one_start_and_one_end_through_any_revisions(
    lists: list[set[str]], seen: int
) -> None:
    """However often the watch list changes, starts and ends alternate, each pair of one label."""
    watchlist = watching("cat", "dog", "fox")
    us = Decider(watchlist, smoothing_s=0, episode_prefix="run")
    edges, now_ns = list[Edge](), S
    for names in [*lists, {"cat"}]:
        probabilities = np.eye(3, dtype=np.float32)[seen]
        edges += us.observe(watchlist.scores(probabilities), at_ns=now_ns, now_ns=now_ns).edges
        watchlist = watching(*sorted(names))
        edges += us.revise(watchlist, smoothing_s=0.5, now_ns=now_ns + 1).edges
        now_ns += S
    edges += us.stop(now_ns=now_ns).edges
    kinds = [edge.type for edge in edges]
    assert kinds == [EventType.START, EventType.END] * (len(kinds) // 2)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        assert (start.episode, start.label) == (end.episode, end.label)


def frame(seq: int) -> Frame:
    """A frame of now."""
    return Frame("a", seq, PICTURE, clock.boot_ns(), AgeBasis.ARRIVAL)


def test_a_slot_hands_on_what_waits_and_what_still_comes() -> None:
    """A camera that holds on to the old slot reaches the new engine all the same."""
    old, bell = LatestSlot(Doorbell()), Doorbell()
    first, second, third = frame(1), frame(2), frame(3)
    old.put(first)
    heir = LatestSlot(bell)
    old.hand_on(heir)
    assert (old.empty(), heir.peek()) == (None, first)
    assert old.put(second) is first
    assert heir.empty() is second
    assert old.put_when_free(third) is None
    assert heir.close() is third
    assert old.put(first) is first


def test_a_recording_that_waits_for_room_finds_it_at_the_heir() -> None:
    """A frame that nobody may skip is not lost when its engine is replaced."""
    old, heir = LatestSlot(Doorbell()), LatestSlot(Doorbell())
    first, second = frame(1), frame(2)
    old.put(first)
    refused: list[Frame | None] = []
    waiting = Thread(target=lambda: refused.append(old.put_when_free(second)), daemon=True)
    waiting.start()
    old.hand_on(heir)
    assert heir.empty() is first
    waiting.join(10)
    assert (refused, heir.empty()) == ([None], second)


def test_a_higher_rate_counts_at_once() -> None:
    """Whoever lifts `max_fps` from one in an hour does not wait for the hour to end."""
    slow, quick = Policy(S, 2 * S, min_interval_ns=3600 * S), Policy(S, 2 * S, min_interval_ns=S)
    scheduler = Scheduler({"a": slow}, start_ns=0)
    scheduler.ran("a", 10 * S, now_ns=10 * S)
    waits = Waiting("a", 12 * S)
    assert scheduler.choose([waits], now_ns=12 * S) == Skip("a", SkipCause.RATE)
    scheduler.revise({"a": quick}, prefer_freshness=False)
    assert scheduler.choose([waits], now_ns=12 * S) == Run("a")


def test_what_was_late_under_another_budget_steps_no_ladder() -> None:
    """Evidence is evidence of its budget alone."""
    ladder = Ladder(2, budget_ns=S)
    for n in range(2):
        ladder.observe(S, age_ns=2 * S, bad=True, now_ns=n)
    ladder.set_budget(3 * S)
    assert ladder.observe(S, age_ns=2 * S, bad=True, now_ns=3) is None


@pytest.mark.parametrize("aide", [False, True])
def test_rules_change_between_two_frames_and_no_frame_loses_its_fate(aide: bool) -> None:  # noqa: FBT001
    """Scores of one watch list never meet another, however busy the engine is; the books add up."""
    house = House(aide=aide)
    lists = [
        Watchlist(MODEL.labels, {}, watch=dict.fromkeys(names, AT_ONCE))
        for names in (("dog",), ("cat", "dog"), ("dog", "cat"))
    ]
    asked = 0

    class Busy(ScriptedEngine):
        """Has its rules changed at every third frame."""

        def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
            nonlocal asked
            asked += 1
            if asked % 3 == 0 and house.worker is not None:
                chosen = lists[asked // 3 % 3]
                policy = Policy((60 + asked) * S, 600 * S, lossless=True)
                rules = Rules(policy, View(), (Rung("default", chosen),), None, 0.0, None)
                house.worker.revise({"a": rules}, prefer_freshness=False)
            return super().invoke(tensor)

    house.run(["f" * 300], open_engine=lambda _model: Busy(iter([CAT] * 400)))
    assert house.fault is None
    assert house.books() == (300, 300, {})
    assert house.fates.seqs == list(range(1, 301))
    reasons = {event.edge.reason for event in house.ear.events}
    assert reasons == {Reason.ENTERED, Reason.RECONFIGURED}
    assert len({result.budget_ns for result in house.fates.results}) > 10


def test_a_closed_desk_brings_no_topic_back() -> None:
    """A straggler of a removed camera must not fill the topic that was cleared."""
    house = House()
    desk: Desk = house.desk
    desk.open()
    desk.close(Reason.RECONFIGURED)
    told = len(house.ear.states)
    desk.camera_lost("gone")
    desk.heartbeat()
    assert len(house.ear.states) == told


def test_a_patient_engine_is_tried_again_at_its_first_opening() -> None:
    """One that replaces another in a run ends nothing when it cannot be opened."""
    house = House()
    tries = iter([EngineError("busy"), None])

    def open_engine(_model: str) -> ScriptedEngine:
        fault = next(tries)
        if fault is not None:
            raise fault
        return ScriptedEngine(iter([]))

    worker = house.engine_worker(open_engine)
    worker._patient = True
    thread = Thread(target=worker.run, daemon=True)
    thread.start()
    until(lambda: bool(worker.engine_infos))
    worker.leave()
    thread.join(10)
    assert not thread.is_alive()

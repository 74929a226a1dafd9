"""One camera's desk: what still frames say, and which trouble is told."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from stand_ins import MS, Ear, S

from edgecam.decision.decider import Decider
from edgecam.decision.watchlist import Threshold, Watchlist
from edgecam.pipeline.desk import Desk
from edgecam.publish.publisher import Publisher
from edgecam.records import AgeBasis, Reason, Result, StageTimes, Status

NOTHING, CAT = np.array([0.0], np.float32), np.array([0.95], np.float32)


class Scene:
    """A desk whose camera sees 10 frames a second."""

    def __init__(self, *, hold_s: float = 0.0, smoothing_s: float = 0.5) -> None:
        self.ear = Ear()
        watch = Watchlist(["cat"], {}, watch={"cat": Threshold(hold_ns=int(hold_s * S))})
        decider = Decider(watch, smoothing_s=smoothing_s, episode_prefix="run")
        self.desk = Desk("a", decider, cast("Publisher", self.ear), prediction_interval_ns=None)
        self._now_ns = 0

    def classified(self, scores: np.ndarray, count: int = 1) -> None:
        """So many frames that moved."""
        for _ in range(count):
            self._now_ns += 100 * MS
            stages = StageTimes(0, 0, 0)
            now = self._now_ns
            result = Result("a", 1, now, AgeBasis.ARRIVAL, now, S, (), "default", "made/cpu", stages)
            self.desk.classified(result, scores)

    def still(self, seconds: float) -> None:
        """So long nothing moves."""
        for _ in range(int(seconds * 10)):
            self._now_ns += 100 * MS
            self.desk.still(self._now_ns)

    @property
    def edges(self) -> list[tuple[str, int]]:
        """Type and decision time, in ms, of each end of an episode."""
        return [
            (event.edge.type.value, (event.edge.end_ns or event.edge.start_ns) // MS)
            for event in self.ear.events
        ]


def test_one_flash_after_a_still_hour_is_smoothed_like_any_other() -> None:
    """What is still goes on saying what it said: else the first frame after it would stand alone."""
    scene = Scene()
    scene.classified(NOTHING)
    scene.still(3600)
    scene.classified(CAT)
    scene.classified(NOTHING, 5)
    assert scene.edges == []


def test_a_minimum_hold_ends_when_it_is_over_though_nothing_moves() -> None:
    """The cat has left, and the empty scene is still: the episode does not wait for the next motion."""
    scene = Scene(hold_s=30, smoothing_s=0)
    scene.classified(CAT)
    scene.classified(NOTHING)
    scene.still(60)
    assert scene.edges == [("start", 100), ("end", 30_100)]


def test_what_rests_is_still_seen() -> None:
    """A sleeping cat is a cat, for hours; a state says so once."""
    scene = Scene()
    scene.classified(CAT, 20)
    told = len(scene.ear.states)
    scene.still(7200)
    assert [kind for kind, _ in scene.edges] == ["start"]
    assert len(scene.ear.states) == told


@pytest.mark.parametrize("worse", ["camera_lost", "disabled"])
def test_nothing_is_seen_in_still_frames_after_a_trouble(worse: str) -> None:
    """What was seen before it says nothing of now: the next frame has to be classified."""
    scene = Scene()
    scene.classified(CAT, 20)
    getattr(scene.desk, worse)("away")
    scene.desk.camera_back() if worse == "camera_lost" else scene.desk.enabled()
    assert not scene.desk.is_ok
    scene.still(10)
    assert scene.ear.statuses[-1] is Status.STARTING
    assert [kind for kind, _ in scene.edges] == ["start", "end"]


def test_the_worst_trouble_is_told_whatever_the_order() -> None:
    """Switched off on purpose before an absent camera before a failing engine."""
    scene = Scene()
    scene.desk.engine_failed("gone")
    scene.desk.disabled("at night")
    scene.desk.camera_lost("unplugged")
    assert scene.ear.statuses == [Status.ERROR, Status.DISABLED]
    scene.desk.enabled()
    scene.desk.engine_back()
    assert scene.ear.statuses == [Status.ERROR, Status.DISABLED, Status.NO_CAMERA]
    assert scene.ear.states[-1].decision.reason is Reason.ENABLED

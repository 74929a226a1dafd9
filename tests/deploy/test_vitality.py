"""What a ping vouches for, on a clock of the test's own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.pipeline.vitality import CameraSigns, Signs, Vitality

S = 1_000_000_000
WORKING = CameraSigns(captured=0, decided=0, in_flight=1, declared_within_ns=10 * S)
LONGEST_S = 15
"""Something may stand still for so long beyond its own rules."""


class Watch:
    """A run that is looked at each second."""

    def __init__(self) -> None:
        """Nothing was seen."""
        self.vitality = Vitality()
        self.now_s = 0
        self.turns = self.main_turns = 0

    def see(
        self,
        camera: CameraSigns | None,
        *,
        seconds: int,
        captured: int,
        decided: int,
        turns: int = 1,
        main_turns: int = 1,
    ) -> CameraSigns | None:
        """So many frames are captured and decided each second; the camera at the end."""
        for _ in range(seconds):
            self.now_s += 1
            self.turns += turns
            self.main_turns += main_turns
            if camera is not None:
                camera = replace(
                    camera, captured=camera.captured + captured, decided=camera.decided + decided
                )
            self.still = self.look(camera)
        return camera

    def look(self, camera: CameraSigns | None) -> list[str]:
        """What stands still."""
        cameras = {} if camera is None else {"main": camera}
        signs = Signs(cameras, self.turns, main_turns=self.main_turns)
        return self.vitality.observe(signs, now_ns=self.now_s * S)


def test_frames_that_finish_are_life() -> None:
    """A day of work without a complaint."""
    watch = Watch()
    watch.see(WORKING, seconds=86_400, captured=30, decided=10)
    assert watch.still == []


def test_a_frozen_engine_is_noticed_though_frames_push_each_other_out() -> None:
    """Capture goes on, and its superseded frames come to an end: the frame in hand does not."""
    watch = Watch()
    camera = watch.see(WORKING, seconds=60, captured=30, decided=30)
    camera = watch.see(camera, seconds=LONGEST_S, captured=30, decided=0)
    assert watch.still == []
    watch.see(camera, seconds=1, captured=30, decided=0)
    assert watch.still == ["engine of camera main"]


def test_it_is_believed_again_as_soon_as_it_moves() -> None:
    """A slow moment is no death sentence."""
    watch = Watch()
    camera = watch.see(WORKING, seconds=20, captured=30, decided=0)
    assert watch.still
    watch.see(camera, seconds=1, captured=30, decided=1)
    assert watch.still == []


@pytest.mark.parametrize("in_hand", [0, 1])
def test_a_declared_outage_excuses_the_silence_but_no_frame_in_hand(in_hand: int) -> None:
    """An unplugged camera that is being reopened is life; an engine that froze with its last frame is not."""
    watch = Watch()
    out = replace(WORKING, is_out=True, in_flight=in_hand)
    watch.see(out, seconds=3600, captured=0, decided=0)
    assert watch.still == ["engine of camera main"] * in_hand


def test_a_camera_that_is_silent_and_was_not_declared_lost_is_no_life() -> None:
    """Its own worker should have said so long ago: that has frozen, too."""
    watch = Watch()
    silent = replace(WORKING, in_flight=0)
    watch.see(silent, seconds=1 + 10 + LONGEST_S, captured=0, decided=0)
    assert watch.still == []
    watch.see(silent, seconds=1, captured=0, decided=0)
    assert watch.still == ["camera main"]


def test_an_engine_that_waits_to_be_opened_anew_is_life() -> None:
    """The frame in the slot waits meanwhile."""
    watch = Watch()
    watch.see(replace(WORKING, engine_is_out=True), seconds=600, captured=0, decided=0)
    assert watch.still == []


def test_a_slow_engine_has_the_time_that_its_own_deadline_gives() -> None:
    """Who watches the call ends the process; the watchdog is not to be quicker."""
    watch = Watch()
    slow = replace(WORKING, engine_may_take_ns=60 * S)
    slow_after = watch.see(slow, seconds=1 + 60 + LONGEST_S, captured=1, decided=0)
    assert watch.still == []
    watch.see(slow_after, seconds=1, captured=1, decided=0)
    assert watch.still == ["engine of camera main"]


def test_a_frozen_publish_worker_is_noticed() -> None:
    """After a time in which no name server answers."""
    watch = Watch()
    camera = watch.see(WORKING, seconds=1, captured=30, decided=30)
    camera = watch.see(camera, seconds=90, captured=30, decided=30, turns=0)
    assert watch.still == []
    watch.see(camera, seconds=1, captured=30, decided=30, turns=0)
    assert watch.still == ["publish worker"]


def test_a_frozen_main_loop_is_noticed_but_a_reload_may_take_its_time() -> None:
    """Frames finish without it; but nobody would hear of SIGTERM any more."""
    watch = Watch()
    camera = watch.see(WORKING, seconds=10, captured=30, decided=30)
    camera = watch.see(camera, seconds=120, captured=30, decided=30, main_turns=0)
    assert watch.still == []
    watch.see(camera, seconds=1, captured=30, decided=30, main_turns=0)
    assert watch.still == ["main loop"]


def test_a_camera_that_comes_with_a_reload_begins_anew() -> None:
    """What is new has stood still for no time, and what is gone is forgotten."""
    watch = Watch()
    watch.see(WORKING, seconds=100, captured=0, decided=0)
    assert watch.still == ["camera main", "engine of camera main"]
    watch.see(None, seconds=1, captured=0, decided=0)
    assert watch.still == []
    watch.see(WORKING, seconds=LONGEST_S, captured=0, decided=0)
    assert watch.still == []


def test_waking_from_suspend_costs_at_most_a_look() -> None:
    """BOOTTIME has run on meanwhile; the first frame after it is proof enough."""
    watch = Watch()
    camera = watch.see(WORKING, seconds=10, captured=30, decided=30)
    watch.now_s += 8 * 3600
    watch.see(camera, seconds=1, captured=1, decided=1)
    assert watch.still == []


moments = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans(), st.booleans()), max_size=120
)


@given(moments)
def test_alive_means_that_frames_finish_or_that_somebody_said_why_not(
    story: list[tuple[int, int, bool, bool]],
) -> None:
    """In every story: no complaint exactly if each count moved or was excused within its time."""
    watch, camera = Watch(), WORKING
    watch.look(camera)
    camera_since_s = engine_since_s = 0
    for captured, decided, is_out, is_busy in story:
        watch.now_s += 1
        watch.turns += 1
        camera = CameraSigns(
            captured=camera.captured + captured,
            decided=camera.decided + decided,
            in_flight=int(is_busy),
            declared_within_ns=10 * S,
            is_out=is_out,
        )
        camera_since_s = watch.now_s if captured or is_out else camera_since_s
        engine_since_s = watch.now_s if decided or not is_busy else engine_since_s
        expected = {
            "camera main": watch.now_s - camera_since_s > LONGEST_S + 10,
            "engine of camera main": watch.now_s - engine_since_s > LONGEST_S,
        }
        assert watch.look(camera) == [name for name, is_still in expected.items() if is_still]

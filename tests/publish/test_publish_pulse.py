"""When a connection counts as gone, on a made clock."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.publish.pulse import Pulse


@given(keepalive_s=st.integers(1, 1000), looks=st.lists(st.floats(0, 100), max_size=20))
def test_silence_is_noticed_within_one_and_a_half_keepalives(keepalive_s: int, looks: list[float]) -> None:
    """Whoever looks when `due_s` says so, and as often as it likes besides, hears of it in time."""
    pulse, now_s = Pulse(keepalive_s, now_s=0.0), 0.0
    steps = iter(looks)
    while not pulse.lost(now_s):
        assert now_s < 1.5 * keepalive_s
        pulse.asked(now_s)
        due_s = pulse.due_s(now_s)
        now_s += min(due_s, next(steps, due_s))
    assert now_s > 1.2 * keepalive_s


def test_an_answer_saves_it() -> None:
    """Whatever comes is an answer."""
    pulse = Pulse(10, now_s=0)
    pulse.asked(9.9)
    assert pulse.due_s(9.9) < 1
    pulse.asked(10)
    assert not pulse.lost(12.9)
    pulse.heard(12.9)
    assert not pulse.lost(20)
    assert pulse.due_s(20) == pytest.approx(2.9)


def test_a_long_sleep_is_no_silence() -> None:
    """A machine that was suspended asks before it gives up."""
    pulse = Pulse(10, now_s=0)
    assert not pulse.lost(1000)
    pulse.asked(1000)
    assert not pulse.lost(1002)
    assert pulse.lost(1003)


def test_without_a_keepalive_there_is_no_silence() -> None:
    """A broker may set it to 0."""
    pulse = Pulse(0, now_s=0)
    pulse.asked(1e9)
    assert not pulse.lost(1e9)
    assert pulse.due_s(0) == math.inf

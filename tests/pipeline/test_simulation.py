"""The scheduler over time, on a made clock: shares, starvation, disturbances, what subscribers know."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle, pairwise

import pytest
from benchmarks.scheduling import PERIOD_NS, AlwaysTake, AlwaysWait, measure
from benchmarks.simulation import MS, Done, Outcome, S, SimCamera, simulate
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecam.pipeline.scheduler import Policy

FPS_30 = S // 30
FPS_60 = S // 60


def camera(budget_ms: int, *, period_ns: int = FPS_30, phase_ns: int = 0, weight: float = 1.0) -> SimCamera:
    """A camera with the default starve_s."""
    policy = Policy(budget_ms * MS, 2 * S, weight=weight)
    return SimCamera(policy, period_ns, phase_ns=phase_ns, lag_ns=MS)


def served(outcomes: dict[str, Outcome]) -> list[int]:
    """How often each was."""
    return [len(outcome.done) for outcome in outcomes.values()]


def test_equal_cameras_on_a_saturated_engine_get_equal_shares() -> None:
    """Eight cameras, 20 ms each: Jain fairness (sum x)^2 / (n sum x^2) of at least 0.98."""
    cameras = {f"c{i}": camera(300, phase_ns=i * 7 * MS) for i in range(8)}
    counts = served(simulate(cameras, lambda _c, _t: 20 * MS, until_ns=20 * S))
    assert sum(counts) ** 2 / (len(counts) * sum(x * x for x in counts)) >= 0.98
    assert sum(counts) >= 990


def test_a_tight_budget_is_served_more_often_and_starves_nobody() -> None:
    """One camera of 60 ms and one of 600 ms on an engine that the first alone could fill."""
    tight, wide = served(
        simulate({"tight": camera(60), "wide": camera(600)}, lambda _c, _t: 30 * MS, until_ns=20 * S)
    )
    assert tight > 3 * wide
    assert wide >= 20


def test_weights_share_out_an_overloaded_engine() -> None:
    """Sixteen cameras at 100 ms each, one with a weight of 3: it gets three times as much as another."""
    cameras = {f"c{i}": camera(400, weight=3.0 if i == 0 else 1.0) for i in range(16)}
    counts = served(simulate(cameras, lambda _c, _t: 100 * MS, until_ns=120 * S))
    assert 2.7 <= counts[0] / (sum(counts[1:]) / 15) <= 3.3


def test_a_slow_camera_does_not_lock_a_quick_one_out() -> None:
    """20 ms at a budget of 100 ms and 30 fps beside 110 ms at a budget of 1 s and 4 fps, on one engine."""
    service = {"small": 20 * MS, "big": 110 * MS}
    cameras = {"small": camera(100), "big": camera(1000, period_ns=S // 4)}
    small, big = served(simulate(cameras, lambda name, _t: service[name], until_ns=60 * S))
    assert small >= 10 * 60
    assert big >= 2 * 60


OVERLOAD = [(0, 80), (15, 140), (30, 300), (45, 80)]
"""From so many seconds on, the engine takes so many ms."""


def overloaded(_camera: str, now_ns: int) -> int:
    """The engine of the overload."""
    return next(ms for begin_s, ms in reversed(OVERLOAD) if now_ns >= begin_s * S) * MS


@pytest.mark.parametrize("fresh", [True, False])
def test_after_each_jump_of_the_engine_the_stream_settles_within_two_seconds(*, fresh: bool) -> None:
    """60 fps in, 80 ms, then 140, 300 and back, at a budget of 150 ms: each phase gives what it can."""
    outcome = simulate(
        {"a": camera(150, period_ns=FPS_60)}, overloaded, until_ns=60 * S, prefer_freshness=fresh
    )["a"]
    phases = [[one for one in outcome.done if settled(one, begin_s)] for begin_s, _ in OVERLOAD]
    for (_, took_ms), phase in zip(OVERLOAD, phases, strict=True):
        on_time = [one for one in phase if not one.late]
        if took_ms < 150:
            assert len(on_time) == len(phase), "late although it could be on time"
            assert len(phase) >= 0.75 * 13_000 / (took_ms + 17), "the engine stands idle"
        else:
            assert all(one.probe for one in phase)
            gaps = [b.ended_ns - a.ended_ns for a, b in pairwise(phase)]
            assert max(gaps) <= 2.3 * S, "it went silent"


def settled(one: Done, begin_s: int) -> bool:
    """Taken in this phase, more than two seconds after its begin."""
    return (begin_s + 2) * S <= one.began_ns < (begin_s + 15) * S


@given(
    services_ms=st.lists(st.integers(1, 1500), min_size=1, max_size=40),
    budgets_ms=st.lists(st.integers(20, 1000), min_size=1, max_size=4),
    max_fps=st.sampled_from([0, 5, 20]),
    fresh=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_whatever_the_engine_does_the_books_close_and_nobody_starves(
    services_ms: list[int], budgets_ms: list[int], max_fps: int, *, fresh: bool
) -> None:
    """Every frame has one fate; a camera is classified again within its starvation and one round."""
    interval_ns = S // max_fps if max_fps else 0
    cameras = {}
    for index, budget_ms in enumerate(budgets_ms):
        made = camera(budget_ms, phase_ns=index * 5 * MS)
        cameras[f"c{index}"] = replace(made, policy=replace(made.policy, min_interval_ns=interval_ns))
    taken = cycle(services_ms)
    outcomes = simulate(cameras, lambda _c, _t: next(taken) * MS, until_ns=30 * S, prefer_freshness=fresh)
    # The one that runs, then those that have waited longer, then this one.
    longest_ns = 2 * S + len(cameras) * max(services_ms) * MS + 2 * interval_ns + 3 * FPS_30
    for outcome in outcomes.values():
        fates = len(outcome.done) + outcome.skipped.total() + outcome.waiting
        assert fates == outcome.captured
        begins = [0, *(one.began_ns for one in outcome.done)]
        assert max(b - a for a, b in pairwise(begins)) <= longest_ns


@given(slow_ms=st.integers(200, 3000), slow_s=st.floats(0.5, 10))
@settings(max_examples=40, deadline=None)
def test_a_disturbance_leaves_no_trace_two_seconds_after_it(slow_ms: int, slow_s: float) -> None:
    """No lock-up: however long the engine was slow, then every frame is on time again, one each period."""
    calm_ns = int((10 + slow_s) * S)

    def service_ns(_camera: str, now_ns: int) -> int:
        return (slow_ms if 10 * S <= now_ns < calm_ns else 20) * MS

    outcome = simulate({"a": camera(150)}, service_ns, until_ns=40 * S)["a"]
    after = [one for one in outcome.done if one.began_ns >= calm_ns + slow_ms * MS + 2 * S]
    assert after
    assert not any(one.late or one.probe for one in after)
    assert len(after) >= (40 * S - after[0].began_ns) / FPS_30 - 2


@pytest.mark.parametrize(
    ("ratio", "periods"), [(1.1, 1.92), (1.5, 2.50), (2.1, 3.39)], ids=["1.1", "1.5", "2.1"]
)
def test_the_rule_keeps_subscribers_better_informed_than_taking_or_waiting_alone(
    ratio: float, periods: float
) -> None:
    """Age of information at 5 % jitter, in frame periods; docs/latency.md has the whole table."""
    age = {
        name: measure(ratio, 0.05, chooser, frames=4000).age_ns() / PERIOD_NS
        for name, chooser in (("edgecam", None), ("take", AlwaysTake()), ("wait", AlwaysWait()))
    }
    assert age["edgecam"] <= periods + 0.005
    assert age["edgecam"] <= min(age["take"], age["wait"]) + 0.005

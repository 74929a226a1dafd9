"""When a call is taken for hung: decided on given durations and given looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.pipeline.deadline import CallWatch, EngineCalls, InvokeDeadline

MS = 1_000_000
S = 1_000_000_000


@pytest.mark.parametrize(("took_ms", "limit_ms"), [(5, 2_000), (100, 2_000), (101, 2_020), (3_000, 60_000)])
def test_an_inference_may_take_twenty_times_the_99th_percentile_and_two_seconds_at_least(
    took_ms: int, limit_ms: int
) -> None:
    """A slow model on a slow board is not hung; a quick one has 2 s, as hiccups are no hang either."""
    deadline = InvokeDeadline()
    for _ in range(200):
        deadline.record(took_ms * MS)
    assert deadline.limit_ns == limit_ms * MS


def test_one_outlier_of_a_hundred_moves_nothing_and_the_window_forgets() -> None:
    """The 99th percentile of the last 100: a hiccup does not lengthen the deadline, a slow past ends."""
    deadline = InvokeDeadline()
    for _ in range(99):
        deadline.record(200 * MS)
    deadline.record(30 * S)
    assert deadline.limit_ns == 4 * S
    for _ in range(100):
        deadline.record(MS)
    assert deadline.limit_ns == 2 * S


def test_the_first_inference_has_a_minute() -> None:
    """It loads, compiles and fills caches, and nothing is known of the engine yet."""
    deadline = InvokeDeadline()
    assert deadline.limit_ns == deadline.first_ns == 60 * S
    deadline.record(MS)
    assert deadline.limit_ns == 2 * S


@pytest.mark.parametrize(("timeout_ms", "first_s"), [(100, 60), (90_000, 90)])
def test_a_timeout_that_was_set_takes_the_place_of_the_rule(timeout_ms: int, first_s: int) -> None:
    """`timeout_ms` may be shorter or longer; the first inference never has less than a minute."""
    deadline = InvokeDeadline(timeout_ns=timeout_ms * MS)
    assert deadline.limit_ns == first_s * S
    deadline.record(50 * S)
    assert deadline.limit_ns == timeout_ms * MS


@given(st.lists(st.integers(min_value=0, max_value=100 * S), min_size=1, max_size=250))
def test_no_deadline_is_shorter_than_most_of_what_was_measured(took_ns: list[int]) -> None:
    """Of the last hundred inferences at most one took longer than a twentieth of the deadline."""
    deadline = InvokeDeadline()
    for took in took_ns:
        deadline.record(took)
    longer = [took for took in took_ns[-100:] if 20 * took > deadline.limit_ns]
    assert len(longer) <= 1


def test_a_call_lasts_from_look_to_look_until_another_takes_its_place() -> None:
    """The same inference, seen again and again, is the one that hangs."""
    watch = CallWatch()
    assert [watch.look(1, now_ns=at * 100 * MS) for at in range(4)] == [0, 100 * MS, 200 * MS, 300 * MS]
    assert watch.look(2, now_ns=400 * MS) == 0
    assert watch.look(None, now_ns=500 * MS) == 0
    assert watch.look(None, now_ns=600 * MS) == 0
    assert watch.look(2, now_ns=700 * MS) == 0


def test_a_machine_that_slept_makes_no_call_look_hung() -> None:
    """A suspended machine, a stopped process, a starved watcher: it is we who were away."""
    watch = CallWatch()
    watch.look(1, now_ns=0)
    assert watch.look(1, now_ns=3600 * S) == S // 2
    assert watch.look(1, now_ns=3600 * S + 100 * MS) == 600 * MS


def looked_at(calls: EngineCalls, *, from_ns: int, to_ns: int) -> int | None:
    """Look ten times a second; after how many ns it is found to hang."""
    for now_ns in range(from_ns, to_ns, 100 * MS):
        if calls.hangs(now_ns=now_ns):
            return now_ns - from_ns
    return None


def test_an_inference_that_does_not_come_back_hangs_and_one_that_does_not() -> None:
    """By the rule of its own model; the other one's slowness is no excuse."""
    calls = EngineCalls({})
    for model, took_ns in (("quick", 10 * MS), ("slow", S)):
        calls.begin(model)
        calls.end(took_ns)
    calls.begin("slow")
    assert looked_at(calls, from_ns=0, to_ns=20 * S) is None
    calls.end(S)
    assert looked_at(calls, from_ns=20 * S, to_ns=100 * S) is None
    calls.begin("quick")
    assert looked_at(calls, from_ns=100 * S, to_ns=200 * S) == 2 * S + 100 * MS
    assert calls.hangs(now_ns=102 * S + 100 * MS) == "an inference of quick does not come back (for 2.1 s)"


def test_opening_an_engine_has_a_minute_whatever_its_inferences_take() -> None:
    """A delegate compiles the model; after a failure it does so again."""
    calls = EngineCalls({})
    calls.begin("m")
    calls.end(MS)
    calls.begin("m", opening=True)
    assert looked_at(calls, from_ns=0, to_ns=100 * S) == 60 * S + 100 * MS
    calls.end()
    calls.begin("m")
    assert looked_at(calls, from_ns=100 * S, to_ns=200 * S) == 2 * S + 100 * MS


def test_the_timeout_of_the_configuration_holds_for_its_model() -> None:
    """`timeout_ms`, in the place of the rule."""
    calls = EngineCalls({"m": 500 * MS})
    calls.begin("m")
    calls.end(MS)
    calls.begin("m")
    assert looked_at(calls, from_ns=0, to_ns=10 * S) == 600 * MS

"""How long a child is waited for, and how often it is started, on a made clock."""

from __future__ import annotations

from edgecam.inference.patience import InvokeDeadline, RestartBudget


def test_a_quick_engine_has_a_quarter_of_a_second() -> None:
    """The rule's floor: a hiccup of the machine is no hang."""
    deadline = InvokeDeadline()
    for _ in range(100):
        deadline.record(0.002)
    assert deadline.s == 0.25


def test_a_slow_engine_has_ten_times_its_slow_inferences() -> None:
    """It is judged by what it does, not by what others do."""
    deadline = InvokeDeadline()
    for _ in range(100):
        deadline.record(0.1)
    assert deadline.s == 1.0


def test_a_set_deadline_stays() -> None:
    """`timeout_ms` is not overruled."""
    deadline = InvokeDeadline(0.05)
    for _ in range(100):
        deadline.record(0.04)
    assert deadline.s == 0.05


def _starts(budget: RestartBudget, until_s: float) -> list[float]:
    """When a child that fails at once is started."""
    now_s, starts = 0.0, []
    while now_s < until_s:
        budget.started(now_s)
        starts.append(now_s)
        now_s += budget.wait_s(now_s)
    return starts


def test_a_child_that_fails_at_once_gets_five_starts_then_one_a_minute() -> None:
    """A broken library must not keep a core busy, and must be tried for ever."""
    starts = _starts(RestartBudget(), 300)
    assert starts == [0, 0, 1, 3, 7, 67, 127, 187, 247]


def test_a_minute_of_work_gives_the_budget_back() -> None:
    """Whoever fails once a day restarts at once each time."""
    budget = RestartBudget()
    _starts(budget, 100)
    assert budget.wait_s(127) == 0
    budget.started(127)
    budget.served(61)
    assert budget.wait_s(190) == 0


def test_what_lasts_is_tried_again_in_ten_minutes() -> None:
    """A library that is not installed does not come by being asked for."""
    budget = RestartBudget()
    budget.started(0)
    budget.lasts()
    assert budget.wait_s(1) == 599
    budget.started(600)
    assert budget.wait_s(600) < 60


def test_when_something_has_changed_all_is_forgiven() -> None:
    """A stick that was plugged in again serves at once."""
    budget = RestartBudget()
    _starts(budget, 100)
    budget.lasts()
    budget.forgive()
    assert budget.wait_s(101) == 0

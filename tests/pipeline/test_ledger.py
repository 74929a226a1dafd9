"""Every captured frame ends as exactly one thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.pipeline.ledger import Ledger
from edgecam.pipeline.witness import Witnesses
from edgecam.records import AgeBasis, Result, SkipCause, StageTimes

MS = 1_000_000


def result(age_ms: int, budget_ms: int = 200) -> Result:
    """A result of a given age."""
    stages = StageTimes(1 * MS, 5 * MS, 2 * MS)
    return Result("a", 1, 0, AgeBasis.SENSOR, age_ms * MS, budget_ms * MS, (), "m", "litert/cpu", stages)


@given(st.lists(st.sampled_from(["result", "late", *SkipCause])))
def test_the_sum_of_all_fates_is_what_was_captured(fates: list[str]) -> None:
    """Captured = results + late + skipped by cause + in flight, always."""
    ledger = Ledger("a", start_ns=0, witness=Witnesses())
    for number, fate in enumerate(fates, start=1):
        assert ledger.capture() == number
        assert ledger.in_flight == 1
        if fate in {"result", "late"}:
            ledger.finish(result(100 if fate == "result" else 300))
        else:
            ledger.skip(SkipCause(fate), 1)
    stats = ledger.report(now_ns=1)
    assert stats.captured == stats.results + stats.late + sum(stats.skipped.values()) == len(fates)
    assert stats.late == fates.count("late")
    assert set(stats.skipped) == set(SkipCause)


def test_a_result_at_the_budget_is_on_time_and_a_nanosecond_later_is_not() -> None:
    """The budget is a limit, not a guess."""
    stages = StageTimes(0, 0, 0)
    for finished, late in ((200 * MS, False), (200 * MS + 1, True)):
        made = Result("a", 1, 0, AgeBasis.SENSOR, finished, 200 * MS, (), "m", "e", stages)
        assert made.late is late


def test_rates_and_percentiles_are_of_the_time_since_the_last_report() -> None:
    """An operator wants to know how it runs now."""
    ledger = Ledger("a", start_ns=0, witness=Witnesses())
    for age_ms in (10, 20, 30):
        ledger.capture()
        ledger.finish(result(age_ms))
    ledger.capture()
    ledger.skip(SkipCause.STALE, 1)
    first = ledger.report(now_ns=2_000 * MS)
    assert (first.fps_in, first.fps_out) == (2.0, 1.5)
    assert (first.age.p50_ms, first.age.p99_ms) == (20, 30)
    assert first.infer.p50_ms == pytest.approx(5)
    second = ledger.report(now_ns=3_000 * MS)
    assert (second.fps_in, second.fps_out, second.age.p50_ms) == (0, 0, None)
    assert second.captured == 4

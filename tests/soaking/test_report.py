"""A soak that missed a target says so: which, and by how much."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import pairwise

import pytest
from soaking.faults import ENDURED, RESTARTED
from soaking.report import Memory, Outcome, Report, Row, percentile, rows_of
from soaking.run import spread

GOOD = Report(
    seed=1,
    minutes=30,
    rows=[Row(str(number), 30, 30, 0.5, 2.0) for number in range(10)],
    left_out=[],
    p99_s=9.9,
    half_open_s=(39.0, 41.0),
    memory=Memory([100_000_000, 105_000_000]),
    results=9000,
    late=3,
    unmarked=[],
    complaints=[],
)


def test_a_good_soak_misses_nothing() -> None:
    """Each target is met at its bound, and it can be said to people and machines."""
    assert GOOD.missed == []
    assert "every target is met" in str(GOOD)
    told = json.loads(json.dumps(GOOD.as_json()))
    assert (told["missed"], told["growth_bytes"]) == ([], 5_000_000)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rows": [Row("a", 299, 299, 0.5, 2.0)]}, "300 faults, got 299"),
        ({"rows": [*GOOD.rows[1:], *[Row("a", 9, 9, 0.5, 2.0)] * 4]}, "10 kinds with 10 faults each, got 9"),
        ({"complaints": ["12:00:00 killed: no result"]}, "all survived, 1 were not"),
        ({"p99_s": 10.1}, "recovery within 10 s at p99, got 10.10"),
        ({"p99_s": None}, "recovery within 10 s at p99, got -"),
        ({"memory": Memory([100_000_000, 105_100_000])}, "growth of at most 5 MB, got 5.1 MB"),
        ({"memory": Memory([100])}, "too few samples"),
        ({"unmarked": ["edgecam/box/yard/state: age_ms 1001, not late"]}, "got 1, the first: edgecam/box"),
    ],
)
def test_each_target_can_be_missed(change: dict[str, object], told: str) -> None:
    """No target is only decoration."""
    report = replace(GOOD, **change)  # type: ignore[arg-type] # the fields above
    assert any(told in missed for missed in report.missed)
    assert f"MISSED: {report.missed[0]}" in str(report)


def test_rows_count_what_came_back_and_what_did_not() -> None:
    """A fault that was not survived has no time, and is not left out."""
    outcomes = [Outcome("a", 1.0, None), Outcome("a", 3.0, None), Outcome("a", None, "gone")]
    assert rows_of(outcomes, ["a", "b"]) == [Row("a", 3, 2, 1.0, 3.0), Row("b", 0, 0, None, None)]


def test_percentiles_are_values_that_were_measured() -> None:
    """Nearest rank: the 99th of a hundred is not yet the worst."""
    values = [float(number) for number in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 99), percentile([], 99)) == (50, 99, None)


def test_growth_is_told_from_the_first_rounds_to_the_last() -> None:
    """One sample that sticks out is no growth."""
    assert Memory([10, 11, 10, 12, 13, 13, 14, 14, 15, 15, 99, 15]).growth_bytes == 5
    assert Memory([10, 12]).growth_bytes == 2


@pytest.mark.parametrize("seed", range(20))
def test_faults_on_one_part_are_kept_apart(seed: int) -> None:
    """Each comes once a round, and two on the link never one after the other: back-offs would be measured."""
    round_ = spread(ENDURED, random.Random(seed))  # noqa: S311 - no secret
    assert sorted(fault.name for fault in round_) == sorted(fault.name for fault in ENDURED)
    parts = [fault.part for fault in round_]
    assert ("link", "link") not in set(pairwise(parts))


def test_every_kind_has_a_name_of_its_own() -> None:
    """The table's rows are by name."""
    names = [fault.name for fault in (*ENDURED, *RESTARTED)]
    assert len(set(names)) == len(names) >= 10

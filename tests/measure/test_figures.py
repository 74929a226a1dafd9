"""Statistics on made data: percentiles, medians of rounds, units, advice, comparison."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.measure.advice import advise
from edgecam.measure.compare import Verdict, compare, judge
from edgecam.measure.figures import Figure, figure, figures_json, percentile_ms, percentiles_ms, ratio

durations = st.lists(st.integers(1, 10**10), min_size=1, max_size=60)


def made(*rounds: float, name: str = "age_p50_ms") -> Figure:
    """A figure of these rounds."""
    found = figure(name, rounds)
    assert found is not None
    return found


@given(samples_ns=durations, percent=st.sampled_from([50, 90, 99]))
def test_a_percentile_is_the_nearest_rank(samples_ns: list[int], percent: int) -> None:
    """The least sample with at least so many percent at or below it: no value is invented."""
    rank = math.ceil(percent / 100 * len(samples_ns))
    assert percentile_ms(samples_ns, percent) == pytest.approx(sorted(samples_ns)[rank - 1] / 1e6)


def test_no_samples_have_no_percentile() -> None:
    """A round without a result says nothing, and its figure is made of the others."""
    by_name = percentiles_ms("age", [[], [2_000_000], [4_000_000, 8_000_000]])
    assert by_name["age_p50_ms"] == [None, 2.0, 4.0]
    assert figures_json(by_name)["age_p50_ms"]["rounds"] == [2.0, 4.0]
    assert figures_json({"age_p50_ms": [None, None]}) == {}
    assert ratio(1.0, 0.0) is None
    assert ratio(None, 1.0) is None
    assert ratio(3.0, 2.0) == 1.5


def test_the_median_round_counts_and_the_range_is_shown() -> None:
    """One bad round of five moves the value not at all."""
    found = made(5.0, 4.0, 90.0, 4.5, 4.2).as_json()
    assert (found["value"], found["low"], found["high"]) == (4.5, 4.0, 90.0)
    assert found["rounds"] == [5.0, 4.0, 90.0, 4.5, 4.2]


@pytest.mark.parametrize(
    ("name", "unit", "better"),
    [
        ("invoke_p99_ms", "ms", "lower"),
        ("runs_per_s", "1/s", "higher"),
        ("fps_out", "1/s", "higher"),
        ("fps_in", "1/s", None),
        ("cpu_ratio", "x", "lower"),
        ("memory_mb", "MB", "lower"),
        ("late_share", "", "lower"),
    ],
)
def test_a_name_tells_unit_and_direction(name: str, unit: str, better: str | None) -> None:
    """A comparison that took more frames a second for worse would mislead."""
    found = made(1.0, name=name)
    assert (found.unit, found.better) == (unit, better)
    assert Figure.from_json(found.as_json()) == found


@pytest.mark.parametrize(
    ("median_ms", "cores", "threads"),
    [
        ({1: 10.0, 2: 6.0, 3: 5.5, 4: 4.5}, 4, 2),  # 6.0 is within 10 % of 5.5; 4 would take all cores
        ({1: 10.0, 2: 9.2, 3: 9.1, 4: 9.0}, 4, 1),
        ({1: 10.0, 2: 5.0}, 2, 2),
        ({1: 10.0}, 1, 1),
        ({1: 10.0, 2: 5.0, 3: 4.0}, 8, 3),
        ({4: 3.0}, 4, None),
    ],
)
def test_the_fewest_threads_near_the_best_are_advised(
    median_ms: dict[int, float], cores: int, threads: int | None
) -> None:
    """By the rule of `threads: auto`, if a core was left free at all; the sentence tells it."""
    advice = advise(median_ms, cores=cores)
    assert advice.threads == threads
    assert "within 10 %" in advice.why


def test_what_does_not_overlap_differs() -> None:
    """Five rounds beyond five others: better or worse by the figure's own direction, or just different."""
    low, high = (1.0, 1.1, 1.2, 1.3, 1.4), (1.5, 1.6, 1.7, 1.8, 1.9)
    assert judge(made(*low), made(*high)) is Verdict.WORSE
    assert judge(made(*high), made(*low)) is Verdict.BETTER
    assert judge(made(*low, name="fps_out"), made(*high, name="fps_out")) is Verdict.BETTER
    assert judge(made(*low, name="fps_in"), made(*high, name="fps_in")) is Verdict.DIFFERENT


def test_noise_is_no_news() -> None:
    """Rounds that overlap, a change below 2 %, or too few rounds give no verdict."""
    low = (1.0, 1.1, 1.2, 1.3, 1.6)
    assert judge(made(*low), made(1.5, 1.6, 1.7, 1.8, 1.9)) is Verdict.WITHIN_NOISE
    assert judge(made(*[100.0] * 5), made(*[101.0] * 5)) is Verdict.WITHIN_NOISE
    assert judge(made(*[100.0] * 5), made(*[103.0] * 5)) is Verdict.WORSE
    assert judge(made(*[0.0] * 5), made(*[0.0] * 5)) is Verdict.WITHIN_NOISE
    assert judge(made(*[0.0] * 5), made(*[1.0] * 5)) is Verdict.WORSE
    assert judge(made(*[1.0] * 4), made(*[9.0] * 4)) is Verdict.TOO_FEW_ROUNDS


@given(rounds=st.lists(st.floats(0, 1e6), min_size=5, max_size=9), order=st.randoms())
def test_a_result_is_never_better_than_itself(rounds: list[float], order: Any) -> None:
    """In whatever order its rounds came."""
    again = list(rounds)
    order.shuffle(again)
    assert judge(made(*rounds), made(*again)) is Verdict.WITHIN_NOISE


def report(*rounds: float, **changes: Any) -> dict[str, Any]:
    """A result with one part and one figure."""
    part = {"name": "camera main", "figures": figures_json({"age_p50_ms": rounds})}
    said = {"machine": {"cpu": "A", "versions": {"numpy": "2"}}, "models": {}, "settings": {"load": 0}}
    return {"schema": 1, "kind": "pipeline", "parts": [part], **said, **changes}


def test_a_comparison_tells_change_and_noise_as_shares_of_the_first() -> None:
    """5 to 6 is +20 %; the half ranges 1 and 0.5 are 30 % of 5."""
    (difference,) = compare(report(4, 5, 5, 5, 6), report(5.5, 6, 6, 6, 6.5)).differences
    assert difference.change == pytest.approx(0.2)
    assert difference.noise == pytest.approx(0.3)
    assert difference.verdict is Verdict.WITHIN_NOISE
    (difference,) = compare(report(*[0] * 5), report(*[1] * 5)).differences
    assert (difference.change, difference.noise) == (None, None)


def test_a_comparison_warns_of_whatever_else_differs() -> None:
    """Another machine, library, model, setting, or a part that only one has."""
    same = report(*[1.0] * 5)
    assert compare(same, same).warnings == ()
    other = report(
        *[1.0] * 5,
        machine={"cpu": "B", "versions": {"numpy": "1"}},
        models={"default": {"sha256": "0"}},
        settings={"load": 2},
    )
    other["parts"].append({"name": "camera yard", "figures": {}})
    told = "\n".join(compare(same, other).warnings)
    assert "machine differ: cpu: A and B" in told
    assert "versions.numpy: 2 and 1" in told
    assert "default.sha256: nothing and 0" in told
    assert "load: 0 and 2" in told
    assert "only in one of the two: camera yard" in told

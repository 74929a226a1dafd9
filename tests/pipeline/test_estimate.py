"""What the stages will take, from what they took."""

from __future__ import annotations

from edgecam.pipeline.estimate import Expected, RunningQuantile, ServiceTimes
from edgecam.records import StageTimes

MS = 1_000_000


def test_one_outlier_does_not_move_the_estimate() -> None:
    """A robust estimate: a garbage collection is no slow engine."""
    estimate = RunningQuantile()
    for _ in range(20):
        estimate.record(10 * MS)
    estimate.record(500 * MS)
    assert estimate.expected_ns == 10 * MS


def test_a_slower_engine_is_believed_within_a_few_frames() -> None:
    """A persistent change moves it."""
    estimate = RunningQuantile()
    for _ in range(20):
        estimate.record(10 * MS)
    for _ in range(4):
        estimate.record(50 * MS)
    assert estimate.expected_ns == 50 * MS


def test_one_probe_ends_a_lock_up() -> None:
    """After a disturbance twenty slow measurements must not take twenty probes to forget."""
    estimate = RunningQuantile()
    for _ in range(20):
        estimate.record(400 * MS)
    estimate.record(12 * MS, probe=True)
    assert estimate.expected_ns == 12 * MS


def test_one_hiccup_after_the_start_does_not_silence_a_camera() -> None:
    """Of the first few measurements the least counts: a cold cache is no slow engine."""
    estimate = RunningQuantile()
    estimate.record(250 * MS)
    estimate.record(12 * MS)
    assert estimate.expected_ns == 12 * MS


def test_what_runs_in_the_engine_is_common_and_what_depends_on_the_picture_is_not() -> None:
    """Per model and delegate; preprocessing also per camera."""
    times = ServiceTimes()
    times.record("small", "a@litert/cpu", StageTimes(1 * MS, 20 * MS, 2 * MS))
    times.record("big", "a@litert/cpu", StageTimes(9 * MS, 20 * MS, 2 * MS))
    assert times.expected("small", "a@litert/cpu") == Expected(1 * MS, 20 * MS, 2 * MS, 20 * MS)
    assert times.expected("big", "a@litert/cpu").total_ns == 31 * MS
    assert times.expected("small", "a@litert/coral") == Expected()


def test_a_probe_that_was_slow_forgets_nothing() -> None:
    """What one camera's hopeless frame took must not silence the others."""
    estimate = RunningQuantile()
    for _ in range(20):
        estimate.record(100 * MS)
    estimate.record(1000 * MS, probe=True)
    assert estimate.expected_ns == 100 * MS

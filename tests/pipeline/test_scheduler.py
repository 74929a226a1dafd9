"""Who is next, who is skipped, when the engine waits, and why: decided on given times."""

from __future__ import annotations

from dataclasses import replace

from edgecam.pipeline.rhythm import Rhythm
from edgecam.pipeline.scheduler import Policy, Run, Scheduler, Skip, Wait, Waiting
from edgecam.records import SkipCause

MS = 1_000_000


def policy(budget_ms: int = 200, *, max_fps: float = 0, lossless: bool = False) -> Policy:
    """A camera's rules."""
    interval = int(1e9 / max_fps) if max_fps else 0
    return Policy(budget_ms * MS, 2000 * MS, min_interval_ns=interval, lossless=lossless)


def test_a_frame_that_can_make_it_runs() -> None:
    """Age plus expected time within the budget, to the nanosecond."""
    scheduler = Scheduler({"a": policy(200)}, start_ns=0)
    waiting = [Waiting("a", 0, 80 * MS)]
    assert scheduler.choose(waiting, now_ns=120 * MS) == Run("a")
    assert scheduler.choose(waiting, now_ns=120 * MS + 1) == Skip("a", SkipCause.STALE)


def test_nothing_waiting_is_nothing_to_do() -> None:
    """The worker sleeps then."""
    assert Scheduler({"a": policy()}, start_ns=0).choose([], now_ns=1) is None


def test_a_starved_camera_is_probed_whatever_the_estimate_says() -> None:
    """A slow machine must not go silent."""
    scheduler = Scheduler({"a": policy(100)}, start_ns=0)
    assert scheduler.choose([Waiting("a", 1999 * MS, 900 * MS)], now_ns=1999 * MS) == Skip(
        "a", SkipCause.STALE
    )
    assert scheduler.choose([Waiting("a", 2000 * MS, 900 * MS)], now_ns=2000 * MS) == Run("a", probe=True)
    scheduler.ran("a", 2000 * MS, now_ns=2000 * MS)
    assert isinstance(scheduler.choose([Waiting("a", 2001 * MS, 900 * MS)], now_ns=2001 * MS), Skip)


def test_the_camera_whose_information_expires_first_is_next() -> None:
    """Earliest deadline first, the deadline being when the last result outlives its budget."""
    scheduler = Scheduler({"a": policy(), "b": policy()}, start_ns=0)
    scheduler.ran("a", 10 * MS, now_ns=10 * MS)
    scheduler.ran("b", 20 * MS, now_ns=20 * MS)
    waiting = [Waiting("b", 30 * MS), Waiting("a", 31 * MS)]
    assert scheduler.choose(waiting, now_ns=32 * MS) == Run("a")


def test_a_lossless_recording_is_never_skipped() -> None:
    """Played as fast as possible, every frame gives a result, however old."""
    scheduler = Scheduler({"a": policy(1, lossless=True, max_fps=1)}, start_ns=0)
    scheduler.ran("a", 0, now_ns=0)
    assert scheduler.choose([Waiting("a", 1, 10**12)], now_ns=10**12) == Run("a")


def test_max_fps_is_kept_on_average_over_a_jittering_camera() -> None:
    """30 fps in, 10 fps out: not 7.5, which a plain minimum gap would give."""
    scheduler = Scheduler({"a": policy(max_fps=10)}, start_ns=0)
    ran = 0
    for n in range(300):
        captured = int(n / 30 * 1e9) + (n % 3 - 1) * 2 * MS + 10 * MS
        choice = scheduler.choose([Waiting("a", captured)], now_ns=captured)
        if isinstance(choice, Run):
            scheduler.ran("a", captured, now_ns=captured)
            ran += 1
        else:
            assert choice == Skip("a", SkipCause.RATE)
    assert 98 <= ran <= 101


def test_a_pause_is_not_made_up_for_by_a_burst() -> None:
    """After ten silent seconds max_fps still holds."""
    scheduler = Scheduler({"a": policy(max_fps=10)}, start_ns=0)
    scheduler.ran("a", 0, now_ns=0)
    start, ran = 10_000 * MS, 0
    for n in range(30):
        captured = start + n * 33 * MS
        if isinstance(scheduler.choose([Waiting("a", captured)], now_ns=captured), Run):
            scheduler.ran("a", captured, now_ns=captured)
            ran += 1
    assert ran <= 11


FRAMES = Rhythm(period_ns=100 * MS, lag_ns=0)


def test_an_ageing_frame_is_left_for_the_next_one() -> None:
    """50 ms old, the next one in 50 ms, 110 ms a frame: the next one tells more; a fresh one is taken."""
    scheduler = Scheduler({"a": policy(1000)}, start_ns=0, prefer_freshness=True)
    scheduler.ran("a", 0, now_ns=0)
    assert scheduler.choose([Waiting("a", 100 * MS, 110 * MS, FRAMES)], now_ns=150 * MS) == Wait(250 * MS)
    assert scheduler.choose([Waiting("a", 100 * MS, 110 * MS, FRAMES)], now_ns=110 * MS) == Run("a")


def test_a_camera_that_stops_does_not_leave_its_last_frame_waiting() -> None:
    """Half a period after the next one was due, what is there is taken."""
    scheduler = Scheduler({"a": policy(1000)}, start_ns=0, prefer_freshness=True)
    scheduler.ran("a", 0, now_ns=0)
    waiting = [Waiting("a", 100 * MS, 110 * MS, FRAMES)]
    assert scheduler.choose(waiting, now_ns=250 * MS - 1) == Wait(250 * MS)
    assert scheduler.choose(waiting, now_ns=250 * MS) == Run("a")


def test_the_engine_idles_only_where_that_is_asked_for_and_nobody_else_waits() -> None:
    """`prefer: throughput`, or a second camera: what is there is run."""
    waiting = [Waiting("a", 100 * MS, 110 * MS, FRAMES)]
    for policies, fresh in (({"a": policy(1000)}, False), ({"a": policy(1000), "b": policy(1000)}, True)):
        scheduler = Scheduler(policies, start_ns=0, prefer_freshness=fresh)
        scheduler.ran("a", 0, now_ns=0)
        assert scheduler.choose(waiting, now_ns=150 * MS) == Run("a")


def test_a_frame_for_an_engine_that_is_busy_is_judged_by_when_it_will_be_free() -> None:
    """Looking ahead by 30 ms makes a frame of 0 ms one of 30 ms."""
    scheduler = Scheduler({"a": policy(100)}, start_ns=0)
    waiting = [Waiting("a", 1000 * MS, 70 * MS)]
    assert scheduler.choose(waiting, now_ns=1000 * MS, free_ns=1030 * MS) == Run("a")
    assert scheduler.choose(waiting, now_ns=1000 * MS, free_ns=1031 * MS) == Skip("a", SkipCause.STALE)


def test_where_deadlines_have_passed_shares_follow_the_weights() -> None:
    """Overloaded, the one that has outlived its time by the largest factor goes first."""
    scheduler = Scheduler({"a": policy(100), "b": replace(policy(100), weight=3.0)}, start_ns=0)
    scheduler.ran("a", 0, now_ns=0)
    scheduler.ran("b", 600 * MS, now_ns=600 * MS)
    waiting = [Waiting("a", 999 * MS), Waiting("b", 999 * MS)]
    assert scheduler.choose(waiting, now_ns=1000 * MS) == Run("b")
    assert scheduler.choose(waiting, now_ns=801 * MS) == Run("a")


def test_a_hopeless_engine_is_probed_for_at_most_a_quarter_of_its_time() -> None:
    """300 ms at a budget of 100 ms: again 1200 ms after the last; it must not wait for `starve_s`."""
    scheduler = Scheduler({"a": policy(100)}, start_ns=0)
    scheduler.ran("a", 0, now_ns=0)
    assert isinstance(scheduler.choose([Waiting("a", 1199 * MS, 300 * MS)], now_ns=1199 * MS), Skip)
    assert scheduler.choose([Waiting("a", 1200 * MS, 300 * MS)], now_ns=1200 * MS) == Run("a", probe=True)


def test_a_probe_never_comes_before_a_frame_that_can_be_on_time() -> None:
    """A hopeless camera is always overdue; it must not take the engine from a healthy one."""
    scheduler = Scheduler({"hopeless": policy(50), "healthy": policy(300)}, start_ns=0)
    scheduler.ran("healthy", 900 * MS, now_ns=900 * MS)
    waiting = [Waiting("hopeless", 1000 * MS, 100 * MS), Waiting("healthy", 1000 * MS, 100 * MS)]
    assert scheduler.choose(waiting, now_ns=1000 * MS) == Run("healthy")
    assert scheduler.choose(waiting[:1], now_ns=1000 * MS) == Run("hopeless", probe=True)

"""Who is next, who is skipped, and why: decided on given times."""

from __future__ import annotations

from edgecam.pipeline.estimate import ServiceTime
from edgecam.pipeline.scheduler import Policy, Run, Scheduler, Skip, Waiting
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
    assert scheduler.choose([Waiting("a", 1999 * MS, 300 * MS)], now_ns=1999 * MS) == Skip(
        "a", SkipCause.STALE
    )
    assert scheduler.choose([Waiting("a", 2000 * MS, 300 * MS)], now_ns=2000 * MS) == Run("a", probe=True)
    scheduler.ran(Waiting("a", 2000 * MS), now_ns=2000 * MS)
    assert isinstance(scheduler.choose([Waiting("a", 2001 * MS, 300 * MS)], now_ns=2001 * MS), Skip)


def test_the_camera_whose_information_expires_first_is_next() -> None:
    """Earliest deadline first, the deadline being when the last result outlives its budget."""
    scheduler = Scheduler({"a": policy(), "b": policy()}, start_ns=0)
    scheduler.ran(Waiting("a", 10 * MS), now_ns=10 * MS)
    scheduler.ran(Waiting("b", 20 * MS), now_ns=20 * MS)
    waiting = [Waiting("b", 30 * MS), Waiting("a", 31 * MS)]
    assert scheduler.choose(waiting, now_ns=32 * MS) == Run("a")


def test_a_lossless_recording_is_never_skipped() -> None:
    """Played as fast as possible, every frame gives a result, however old."""
    scheduler = Scheduler({"a": policy(1, lossless=True, max_fps=1)}, start_ns=0)
    scheduler.ran(Waiting("a", 0), now_ns=0)
    assert scheduler.choose([Waiting("a", 1, 10**12)], now_ns=10**12) == Run("a")


def test_max_fps_is_kept_on_average_over_a_jittering_camera() -> None:
    """30 fps in, 10 fps out: not 7.5, which a plain minimum gap would give."""
    scheduler = Scheduler({"a": policy(max_fps=10)}, start_ns=0)
    ran = 0
    for n in range(300):
        captured = int(n / 30 * 1e9) + (n % 3 - 1) * 2 * MS + 10 * MS
        choice = scheduler.choose([Waiting("a", captured)], now_ns=captured)
        if isinstance(choice, Run):
            scheduler.ran(Waiting("a", captured), now_ns=captured)
            ran += 1
        else:
            assert choice == Skip("a", SkipCause.RATE)
    assert 98 <= ran <= 101


def test_a_pause_is_not_made_up_for_by_a_burst() -> None:
    """After ten silent seconds max_fps still holds."""
    scheduler = Scheduler({"a": policy(max_fps=10)}, start_ns=0)
    scheduler.ran(Waiting("a", 0), now_ns=0)
    start, ran = 10_000 * MS, 0
    for n in range(30):
        captured = start + n * 33 * MS
        if isinstance(scheduler.choose([Waiting("a", captured)], now_ns=captured), Run):
            scheduler.ran(Waiting("a", captured), now_ns=captured)
            ran += 1
    assert ran <= 11


def simulate(budgets_ms: dict[str, int], *, service_ms: int, seconds: int, fps: int = 30) -> dict[str, int]:
    """Cameras at `fps`, out of phase, on one engine; how often each was served."""
    scheduler = Scheduler({name: policy(b) for name, b in budgets_ms.items()}, start_ns=0)
    served = dict.fromkeys(budgets_ms, 0)
    phase = {name: i * 7 * MS for i, name in enumerate(budgets_ms)}
    taken = dict.fromkeys(budgets_ms, -1)
    period, now = int(1e9 / fps), 0
    while now < seconds * 1000 * MS:
        newest = {name: (now - phase[name]) // period for name in budgets_ms}
        waiting = [
            Waiting(name, newest[name] * period + phase[name], service_ms * MS)
            for name in budgets_ms
            if newest[name] > taken[name]
        ]
        choice = scheduler.choose(waiting, now_ns=now)
        if choice is None:
            now += MS
            continue
        taken[choice.camera] = newest[choice.camera]
        if isinstance(choice, Run):
            frame = next(w for w in waiting if w.camera == choice.camera)
            scheduler.ran(frame, now_ns=now)
            served[choice.camera] += 1
            now += service_ms * MS
    return served


def test_equal_cameras_on_a_saturated_engine_get_equal_shares() -> None:
    """Eight cameras, 20 ms each: Jain fairness (sum x)^2 / (n sum x^2) of at least 0.98."""
    served = list(simulate({f"c{i}": 300 for i in range(8)}, service_ms=20, seconds=20).values())
    assert sum(served) ** 2 / (len(served) * sum(x * x for x in served)) >= 0.98


def test_a_tight_budget_is_served_more_often_and_starves_nobody() -> None:
    """One camera of 60 ms and one of 600 ms on an engine that the first alone could fill."""
    served = simulate({"tight": 60, "wide": 600}, service_ms=30, seconds=20)
    assert served["tight"] > 3 * served["wide"]
    assert served["wide"] >= 20


def test_one_outlier_does_not_move_the_estimate() -> None:
    """A robust estimate: a garbage collection is no slow engine."""
    estimate = ServiceTime()
    for _ in range(20):
        estimate.record(10 * MS)
    estimate.record(500 * MS)
    assert estimate.expected_ns == 10 * MS


def test_a_slower_engine_is_believed_within_a_few_frames() -> None:
    """A persistent change moves it."""
    estimate = ServiceTime()
    for _ in range(20):
        estimate.record(10 * MS)
    for _ in range(4):
        estimate.record(50 * MS)
    assert estimate.expected_ns == 50 * MS


def test_one_probe_ends_a_lock_up() -> None:
    """After a disturbance twenty slow measurements must not take twenty probes to forget."""
    estimate = ServiceTime()
    for _ in range(20):
        estimate.record(400 * MS)
    estimate.record(12 * MS, probe=True)
    assert estimate.expected_ns == 12 * MS


def test_one_hiccup_after_the_start_does_not_silence_a_camera() -> None:
    """Of the first few measurements the least counts: a cold cache is no slow engine."""
    estimate = ServiceTime()
    estimate.record(250 * MS)
    estimate.record(12 * MS)
    assert estimate.expected_ns == 12 * MS


def test_a_slow_camera_does_not_lock_a_quick_one_out() -> None:
    """Cameras differ by the size of their pictures; what one needs says nothing of the other.

    20 ms at a budget of 100 ms and 30 fps beside 110 ms at a budget of 1 s and 4 fps, on one engine.
    """
    service = {"small": 20 * MS, "big": 110 * MS}
    period = {"small": 33 * MS, "big": 250 * MS}
    scheduler = Scheduler({"small": policy(100), "big": policy(1000)}, start_ns=0)
    estimates = {name: ServiceTime() for name in service}
    taken, served, now = dict.fromkeys(service, -1), dict.fromkeys(service, 0), 0
    while now < 60_000 * MS:
        newest = {name: now // period[name] for name in service}
        waiting = [
            Waiting(name, newest[name] * period[name], estimates[name].expected_ns)
            for name in service
            if newest[name] > taken[name]
        ]
        choice = scheduler.choose(waiting, now_ns=now)
        if choice is None:
            now += MS
            continue
        taken[choice.camera] = newest[choice.camera]
        if isinstance(choice, Run):
            scheduler.ran(next(w for w in waiting if w.camera == choice.camera), now_ns=now)
            estimates[choice.camera].record(service[choice.camera], probe=choice.probe)
            served[choice.camera] += 1
            now += service[choice.camera]
    assert served["small"] >= 15 * 60
    assert served["big"] >= 2 * 60

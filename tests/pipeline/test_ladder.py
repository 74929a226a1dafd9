"""Which model of its ladder a camera uses: decided on given results at given times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.pipeline.ladder import Ladder, Step

MS = 1_000_000
S = 1_000_000_000
BUDGET_NS = 100 * MS


class Climb:
    """Feeds a ladder with results and keeps the steps, each with its moment."""

    def __init__(self, rungs: int = 2) -> None:
        self.ladder = Ladder(rungs, budget_ns=BUDGET_NS)
        self.now_ns = 0
        self.lag_ms = 0.0
        """How old a frame is when it is taken."""
        self.strained = False
        """The board is slowed down."""
        self.steps: list[tuple[int, Step]] = []

    def result(self, took_ms: float, *, bad: bool | None = None, after_ms: int = 100) -> Step | None:
        """One result; bad if it took longer than the budget, unless that is given."""
        self.now_ns += after_ms * MS
        late = took_ms * MS > BUDGET_NS if bad is None else bad
        step = self.ladder.observe(
            int(took_ms * MS),
            age_ns=int((took_ms + self.lag_ms) * MS),
            bad=late,
            now_ns=self.now_ns,
            strained=self.strained,
        )
        if step is not None:
            self.steps.append((self.now_ns, step))
        return step

    def results(self, took_ms: Callable[[int], float], *, seconds: float, every_ms: int = 100) -> None:
        """What each rung takes, for so long."""
        for _ in range(int(seconds * 1000 / every_ms)):
            self.result(took_ms(self.ladder.rung), after_ms=every_ms)

    @property
    def path(self) -> list[tuple[int, int]]:
        """From rung to rung."""
        return [(step.before, step.after) for _, step in self.steps]


def takes(*ms: float) -> Callable[[int], float]:
    """So much on each rung."""
    return lambda rung: ms[rung]


def test_one_outlier_moves_nothing() -> None:
    """A garbage collection is no slow model."""
    climb = Climb()
    climb.results(takes(20), seconds=10)
    climb.result(5000)
    climb.results(takes(20), seconds=10)
    assert climb.steps == []


@pytest.mark.parametrize(("late", "steps"), [(25, 0), (26, 1)])
def test_down_takes_half_of_the_results_of_five_seconds(late: int, steps: int) -> None:
    """A hiccup that is shorter than half of that moves nothing: of 51 results 25 late ones do not, 26 do."""
    climb = Climb()
    climb.results(takes(20), seconds=30)
    for _ in range(late):
        climb.result(150)
    for _ in range(10):
        climb.result(20, bad=False)
    assert len(climb.steps) == steps


def test_persistent_lateness_steps_down_and_says_how_late() -> None:
    """The notice names share, time and budget, for whoever wonders which model suits the board."""
    climb = Climb()
    climb.results(takes(20, 5), seconds=10)
    climb.results(takes(150, 30), seconds=5)
    assert climb.path == [(0, 1)]
    assert climb.ladder.rung == 1
    step = climb.steps[0][1]
    assert step.down
    assert step.why == (
        "26 of the last 51 results came too late: about 150 ms each, on frames 0 ms old, the budget is 100 ms"
    )


@pytest.mark.parametrize("every_ms", [2_000, 6_000, 20_000])
def test_three_bad_results_in_a_row_suffice_where_they_come_seldom(every_ms: int) -> None:
    """An engine that is only probed gives a result every few seconds: five seconds do not hold three."""
    climb = Climb()
    for _ in range(2):
        assert climb.result(3000, after_ms=every_ms) is None
    step = climb.result(3000, after_ms=every_ms)
    assert step is not None
    assert (step.before, step.after) == (0, 1)


def test_results_that_are_minutes_apart_are_no_series() -> None:
    """Behind a motion gate three cold starts in an hour say nothing of the model."""
    climb = Climb()
    for _ in range(10):
        assert climb.result(3000, after_ms=61_000) is None


def test_seldom_results_that_are_bad_now_and_then_move_nothing() -> None:
    """Two of three are no lasting trouble."""
    climb = Climb()
    for _ in range(20):
        climb.result(150, after_ms=6_000)
        climb.result(150, after_ms=6_000)
        climb.result(50, after_ms=6_000)
    assert climb.steps == []


def test_a_bad_result_is_one_that_was_a_probe_or_late_whatever_it_took() -> None:
    """Frames may come late for an old picture, too: the caller knows."""
    climb = Climb()
    for _ in range(3):
        climb.result(1, bad=True, after_ms=3_000)
    assert climb.path == [(0, 1)]


def on_the_lighter(light_ms: float = 10, heavy_ms: float = 150) -> Climb:
    """Stepped down just now, and compared: the heavier takes so many times more."""
    climb = Climb()
    climb.results(takes(heavy_ms, light_ms), seconds=0.3)
    assert climb.path == [(0, 1)]
    climb.results(takes(heavy_ms, light_ms), seconds=1)
    return climb


def test_up_again_only_after_patience() -> None:
    """Thirty seconds on time; then the heavier model is tried."""
    climb = on_the_lighter()
    fell_ns = climb.steps[0][0]
    # The load is gone: a third of what both took.
    climb.results(takes(50, 10 / 3), seconds=60)
    assert climb.path == [(0, 1), (1, 0)]
    assert climb.steps[1][0] == fell_ns + 100 * MS + 30 * S
    assert climb.steps[1][1].why == (
        "on time for 30 s: a result of the heavier model should be 50 ms old, the budget is 100 ms"
    )


def test_a_late_result_now_and_then_does_not_keep_it_down() -> None:
    """One in fifty is calm enough, one in ten is not."""
    for one_in, path in ((50, [(0, 1), (1, 0)]), (10, [(0, 1)])):
        climb = on_the_lighter()
        for number in range(600):
            climb.result(3, bad=number % one_in == 0)
        assert climb.path[:2] == path


def test_up_only_where_the_heavier_model_is_foretold_to_fit() -> None:
    """It is as many times heavier as when they were compared, and must leave room: 0.7 of the budget."""
    for light_ms, path in ((10 * 69 / 150, [(0, 1), (1, 0)]), (10 * 71 / 150, [(0, 1)])):
        climb = on_the_lighter()
        climb.results(takes(60, light_ms), seconds=120)
        assert climb.path == path


def test_as_long_as_the_board_is_as_slow_it_is_hardly_tried_again() -> None:
    """Nothing is gained by late results every half minute; three in 16, 32, 64 are the price of hope."""
    climb = on_the_lighter()
    climb.results(takes(150, 10), seconds=950)
    assert climb.path == [(0, 1)]
    climb.results(takes(150, 10), seconds=3600)
    assert climb.path == [(0, 1)] + 2 * [(1, 0), (0, 1)]


def test_a_disturbance_that_ends_with_the_step_does_not_keep_it_down_for_ever() -> None:
    """Compared across its end, the heavier model seems 100 times heavier; a probe shows that it is not."""
    climb = Climb()
    climb.results(takes(900), seconds=0.3)
    climb.results(takes(50, 9), seconds=1000)
    assert climb.path == [(0, 1), (1, 0)]


def test_the_last_results_of_the_heavier_model_do_not_spoil_the_comparison() -> None:
    """What was in the engine at the step may be told of the new rung, too: the least of five counts."""
    climb = Climb()
    climb.results(takes(150), seconds=0.3)
    climb.result(150, bad=False)
    climb.results(takes(150, 10), seconds=900)
    assert climb.path == [(0, 1)]


def deceive(climb: Climb, *, rises_wanted: int) -> list[tuple[int, int]]:
    """A load that comes back with each rise, so that none lasts; the moments of falls and rises, in ns.

    Right after a fall the lighter model takes 10 ms, a 15th of the heavier; later 1 ms, which promises 15 ms.
    """
    moments = []
    for _ in range(rises_wanted):
        fell_ns = climb.now_ns
        climb.results(takes(150, 10), seconds=0.5)
        while climb.ladder.rung == 1:
            climb.result(1, after_ms=500)
        moments.append((fell_ns, climb.now_ns))
        while climb.ladder.rung == 0:
            climb.result(150)
    return moments


def test_a_rise_that_fails_doubles_the_patience_to_sixteen_minutes() -> None:
    """A model that is foretold to fit and does not is tried seldom, then very seldom, but not never."""
    climb = Climb()
    climb.results(takes(150), seconds=0.3)
    pauses_s = [(rose_ns - fell_ns) // S for fell_ns, rose_ns in deceive(climb, rises_wanted=8)]
    assert pauses_s == [30, 60, 120, 240, 480, 960, 960, 960]


def test_a_rise_that_lasts_makes_the_patience_short_again() -> None:
    """Trouble a quarter of an hour later is other trouble."""
    climb = Climb()
    climb.results(takes(150), seconds=0.3)
    deceive(climb, rises_wanted=3)
    climb.results(takes(150, 10), seconds=0.5)
    climb.results(takes(20, 1), seconds=1000)
    assert climb.ladder.rung == 0
    while climb.ladder.rung == 0:
        climb.result(150)
    [(fell_ns, rose_ns)] = deceive(climb, rises_wanted=1)
    assert (rose_ns - fell_ns) // S == 30


def test_three_rungs_are_taken_one_by_one_both_ways() -> None:
    """Each step is judged by what the rung itself takes."""
    climb = Climb(3)
    climb.results(takes(900, 300, 60), seconds=20)
    assert climb.path == [(0, 1), (1, 2)]
    # A tenth of the load: from the lightest one all fit.
    climb.results(takes(60, 20, 4), seconds=120)
    assert climb.path == [(0, 1), (1, 2), (2, 1), (1, 0)]


def test_a_comparison_is_not_finished_when_the_rung_is_met_again() -> None:
    """The middle rung was left after three results: what it takes an hour later is no part of it."""
    climb = Climb(3)
    climb.results(takes(900, 300, 60), seconds=1.1)
    assert climb.path == [(0, 1), (1, 2)]
    climb.results(takes(60, 20, 4), seconds=120)
    assert climb.path[2:] == [(2, 1), (1, 0)]


def test_on_the_way_up_each_rung_has_to_fit() -> None:
    """The middle one does, the best one does not: there it stays."""
    climb = Climb(3)
    climb.results(takes(900, 300, 60), seconds=20)
    climb.results(takes(150, 50, 10), seconds=800)
    assert climb.path == [(0, 1), (1, 2), (2, 1)]


def test_a_single_model_has_nowhere_to_go() -> None:
    """Late for ever, and nothing happens."""
    climb = Climb(1)
    climb.results(takes(5000), seconds=100)
    assert climb.steps == []


def test_a_refused_rung_is_never_tried_again() -> None:
    """What cannot be opened is passed over: the one below it is next."""
    climb = Climb(3)
    climb.results(takes(900, 300, 60), seconds=0.3)
    climb.ladder.refuse(climb.steps[0][1])
    assert climb.ladder.rung == 0
    climb.results(takes(900, 300, 60), seconds=10)
    climb.results(takes(60, 20, 4), seconds=120)
    assert climb.path == [(0, 1), (0, 2), (2, 0)]


def test_with_every_other_rung_refused_it_stays_where_it_is() -> None:
    """A camera whose lighter models are all broken works on, late."""
    climb = Climb(2)
    climb.results(takes(900, 0), seconds=0.3)
    climb.ladder.refuse(climb.steps[0][1])
    climb.results(takes(900, 0), seconds=100)
    assert climb.ladder.rung == 0
    assert len(climb.steps) == 1


results = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.sampled_from([True, False, None]),
        st.sampled_from([0, 1, 33, 500, 5_000, 31_000]),
        # Whole runs of the same, or hardly any history would ever be calm.
        st.integers(1, 60),
    ),
    max_size=40,
)


def play(rungs: int, history: Iterable[tuple[int, bool | None, int, int]], refused: set[int]) -> Climb:
    """Play it; what follows from the code's own words is checked on the way."""
    climb = Climb(rungs)
    for took_ms, bad, after_ms, times in history:
        for _ in range(times):
            before = climb.ladder.rung
            step = climb.result(took_ms, bad=bad, after_ms=after_ms)
            if step is None:
                assert climb.ladder.rung == before
                continue
            assert (step.before, step.after) == (before, climb.ladder.rung)
            assert step.after != step.before
            if step.after in refused:
                climb.ladder.refuse(step)
                assert climb.ladder.rung == before
            assert 0 <= climb.ladder.rung < rungs
    return climb


@given(rungs=st.integers(1, 4), history=results, refused=st.sets(st.integers(0, 3)))
def test_whatever_happens_the_rung_exists_and_there_is_no_flapping(
    rungs: int, history: list[tuple[int, bool | None, int, int]], refused: set[int]
) -> None:
    """From a fall or rise to the next rise are 30 s at least; a refused rung is stepped to once."""
    climb = play(rungs, history, refused)
    for (earlier_ns, _), (later_ns, later) in pairwise(climb.steps):
        if not later.down:
            assert later_ns - earlier_ns >= 30 * S
    for rung in refused:
        assert [step.after for _, step in climb.steps].count(rung) <= 1


@given(rungs=st.integers(2, 4), history=results)
def test_each_step_down_needs_three_results_of_its_own(
    rungs: int, history: list[tuple[int, bool | None, int, int]]
) -> None:
    """Never two steps at the same result: what the rung before did counts no more."""
    climb = Climb(rungs)
    since = 0
    for took_ms, bad, after_ms, times in history:
        for _ in range(times):
            since += 1
            step = climb.result(took_ms, bad=bad, after_ms=after_ms)
            if step is not None:
                assert not step.down or since >= 3
                since = 0


def test_the_age_of_frames_when_they_are_taken_counts_in_what_is_foretold() -> None:
    """60 ms old frames, 100 and 30 ms, a budget of 150 ms: the heavier model would never do."""
    camera = Climb()
    camera.lag_ms = 60
    for _ in range(10):
        camera.result(110, bad=True, after_ms=120)
    assert camera.ladder.rung == 1
    camera.results(lambda rung: (110, 30)[rung], seconds=600, every_ms=100)
    assert camera.ladder.rung == 1


def test_no_lighter_model_is_taken_where_frames_are_late_by_themselves() -> None:
    """It could not help, and would only see less."""
    camera = Climb()
    camera.lag_ms = 200
    for _ in range(50):
        assert camera.result(20, bad=True) is None


@pytest.mark.parametrize(("late", "steps"), [(12, 0), (13, 1)])
def test_a_strained_board_goes_down_at_a_quarter_of_late_results(late: int, steps: int) -> None:
    """Heat does not go away by waiting; a lighter model is what cools the board."""
    climb = Climb()
    climb.results(takes(20), seconds=30)
    climb.strained = True
    for _ in range(late):
        climb.result(150)
    climb.results(takes(20, 20), seconds=4)
    assert len(climb.steps) == steps


def test_a_strained_board_never_goes_up_and_waits_anew_when_that_is_over() -> None:
    """Not for a trial either: on the heavier model it would be slowed down again at once."""
    climb = Climb()
    climb.results(takes(150, 10), seconds=6)
    assert climb.ladder.rung == 1
    climb.strained = True
    climb.results(takes(20, 2), seconds=6 * 3600, every_ms=5_000)
    assert climb.ladder.rung == 1
    climb.strained = False
    climb.results(takes(20, 2), seconds=29)
    assert climb.ladder.rung == 1
    climb.results(takes(20, 2), seconds=2)
    assert climb.ladder.rung == 0


def test_when_an_accelerator_is_taken_back_the_heavier_model_is_tried_after_the_usual_patience() -> None:
    """What they took beside each other was true for the CPU: it would bar the way up for long."""
    for serves_again in (False, True):
        climb = Climb()
        climb.results(takes(300, 50), seconds=30)
        assert climb.path == [(0, 1)]
        if serves_again:
            climb.ladder.forget(0)
        climb.results(takes(5, 50), seconds=60)
        assert climb.path == [(0, 1), (1, 0)][: 1 + serves_again]


def test_results_of_an_engine_that_serves_no_more_are_not_held_against_the_one_that_does() -> None:
    """A few late ones while an accelerator hung are no reason to leave the model."""
    climb = Climb()
    for _ in range(2):
        climb.result(300)
    climb.ladder.forget(0)
    climb.result(300)
    climb.results(takes(20, 10), seconds=10)
    assert climb.path == []

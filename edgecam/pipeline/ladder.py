"""Which model of its ladder a camera uses: down when the budget is violated persistently, later up. Pure.

- Down: of the results of the last 5 s (of the last three, where they come more slowly) half or more, and
  three at least, came too late.
- Up: for 30 s hardly one came too late, and with the heavier model a result would be at most 0.7 of the
  budget old. That is foretold from what the lighter one takes now, times how much heavier the other was when
  they were last compared, one right after the other, and from how old frames are when they are taken.
- A step up that does not last doubles the 30 s, up to 16 min: hysteresis in time.
- After 16 min on time the heavier model is tried whatever is foretold (a probe): what slowed it when they
  were compared may have ended at that very moment, and would keep the camera down for ever. Each such trial
  doubles the 16 min, up to 4 h.
- Where another engine serves a model from now on, an accelerator or the CPU in its place, comparisons are
  forgotten, and the heavier model is tried after the 30 s.
- Where frames come too late by themselves no lighter model helps.
- While the board is slowed down for heat or want of power, or is about to be, there is no way up, a quarter
  of late results suffices for the way down, and the 30 s begin when that is over: a lighter model cools it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from edgecam.pipeline.estimate import RunningQuantile

_S = 1_000_000_000
_LOOK_BACK_NS = 5 * _S
_FEWEST = 3
_BAD_SHARE = 0.5
_STRAINED_BAD_SHARE = 0.25
_PATIENCE_NS = 30 * _S
_LONGEST_PATIENCE_NS = 960 * _S
_LONGEST_TRIAL_NS = 4 * 3600 * _S
# What came longer ago says nothing of now, however few have come since.
_LONGEST_LOOK_BACK_NS = 60 * _S
_CALM_SHARE = 0.05
_ROOM = 0.7
# How many results of the lighter model are compared with the last ones of the heavier.
_COMPARED = 5


@dataclass(frozen=True, slots=True)
class Step:
    """A change of rung."""

    before: int
    after: int
    why: str
    """In words, for the notice."""

    @property
    def down(self) -> bool:
        """True: to a lighter model."""
        return self.after > self.before


@dataclass(slots=True)
class _Comparison:
    """What a rung takes beside the one above it, the one right after the other."""

    above_ns: int
    here: RunningQuantile
    wanted: int = _COMPARED
    """So many more results of this rung; none after it was left, as the load may be another then."""

    def record(self, took_ns: int) -> None:
        if self.wanted:
            self.here.record(took_ns)
            self.wanted -= 1

    @property
    def ratio(self) -> float:
        return self.above_ns / max(1, self.here.expected_ns)


class Ladder:
    """One camera's ladder; rung 0 is the best model."""

    def __init__(self, rungs: int, *, budget_ns: int) -> None:
        """Args: how many models there are, best first; the camera's budget."""
        self.rung = 0
        """The rung in use."""
        self._usable: Sequence[int] = range(rungs)
        self._budget_ns = budget_ns
        self._comparisons: dict[int, _Comparison] = {}
        self._patience_ns = _PATIENCE_NS
        self._rose_ns: int | None = None
        self._trial_ns = _LONGEST_PATIENCE_NS
        self._took = RunningQuantile()
        self._lag = RunningQuantile()
        """How old frames are when they are taken."""
        self._recent: deque[tuple[int, bool]] = deque()
        """When a result came, and whether it was bad."""
        self._bad = 0
        """How many of them were."""
        self._calm_ns: int | None = None
        """Since when hardly any was; None: there was none yet."""

    def observe(
        self, took_ns: int, *, age_ns: int, bad: bool, now_ns: int, strained: bool = False
    ) -> Step | None:
        """Take in a result on the current rung.

        Args:
            took_ns: Its service time.
            age_ns: From capture to the result.
            bad: It came too late, or was only a probe.
            now_ns: BOOTTIME.
            strained: The board is slowed down, or about to be.

        Returns:
            What follows; the rung has changed then.
        """
        if len(self._usable) == 1:
            return None
        self._took.record(took_ns)
        self._lag.record(max(0, age_ns - took_ns))
        if self.rung in self._comparisons:
            self._comparisons[self.rung].record(took_ns)
        self._recent.append((now_ns, bad))
        self._bad += bad
        while self._is_past(now_ns - self._recent[0][0]):
            self._bad -= self._recent.popleft()[1]
        if self._calm_ns is None or strained or self._bad > _CALM_SHARE * len(self._recent):
            self._calm_ns = now_ns
        share = _STRAINED_BAD_SHARE if strained else _BAD_SHARE
        return self._down(now_ns, share) or self._up(now_ns, self._calm_ns)

    def set_budget(self, budget_ns: int) -> None:
        """Judge by another budget; what was seen under the old one says nothing of it."""
        if budget_ns != self._budget_ns:
            self._budget_ns = budget_ns
            self._recent.clear()
            self._bad = 0
            self._calm_ns = None

    def forget(self, rung: int) -> None:
        """Another engine serves that rung from now on: what it took says nothing any more."""
        for comparison in self._comparisons.values():
            # As if the heavier model took nothing: after the usual patience it is tried.
            comparison.above_ns = comparison.wanted = 0
        if rung == self.rung:
            self._begin()

    def refuse(self, step: Step) -> None:
        """The rung stepped to cannot be used: back, and never again."""
        self._usable = [rung for rung in self._usable if rung != step.after]
        self._move(step.before)

    def _is_past(self, ago_ns: int) -> bool:
        return ago_ns > (_LOOK_BACK_NS if len(self._recent) > _FEWEST else _LONGEST_LOOK_BACK_NS)

    def _down(self, now_ns: int, share: float) -> Step | None:
        below = [rung for rung in self._usable if rung > self.rung]
        if not below or self._bad < _FEWEST or self._bad < share * len(self._recent):
            return None
        if self._lag.expected_ns >= self._budget_ns:
            return None
        # A rise that fell at once was a mistake: wait longer before the next.
        failed = self._rose_ns is not None and now_ns - self._rose_ns < 2 * self._patience_ns
        self._patience_ns = min(2 * self._patience_ns, _LONGEST_PATIENCE_NS) if failed else _PATIENCE_NS
        took_ns = self._took.expected_ns
        why = (
            f"{self._bad} of the last {len(self._recent)} results came too late: "
            f"about {took_ns / 1e6:.0f} ms each, on frames {self._lag.expected_ns / 1e6:.0f} ms old, "
            f"the budget is {self._budget_ns / 1e6:.0f} ms"
        )
        step = Step(self.rung, below[0], why)
        self._move(below[0])
        self._comparisons[self.rung] = _Comparison(took_ns, RunningQuantile())
        return step

    def _up(self, now_ns: int, calm_ns: int) -> Step | None:
        above = [rung for rung in self._usable if rung < self.rung]
        if not above or now_ns - calm_ns < self._patience_ns:
            return None
        foretold_ns = self._took.expected_ns * self._comparisons[self.rung].ratio + self._lag.expected_ns
        is_trial = foretold_ns > _ROOM * self._budget_ns
        if is_trial and now_ns - calm_ns < self._trial_ns:
            return None
        self._trial_ns = min(2 * self._trial_ns, _LONGEST_TRIAL_NS) if is_trial else _LONGEST_PATIENCE_NS
        why = (
            f"on time for {(now_ns - calm_ns) // _S} s: a result of the heavier model should be "
            f"{foretold_ns / 1e6:.0f} ms old, the budget is {self._budget_ns / 1e6:.0f} ms"
        )
        step = Step(self.rung, above[-1], why)
        self._move(above[-1])
        self._rose_ns = now_ns
        return step

    def _move(self, rung: int) -> None:
        """Nothing is known of the new rung's time yet."""
        if self.rung in self._comparisons:
            self._comparisons[self.rung].wanted = 0
        self.rung = rung
        self._begin()

    def _begin(self) -> None:
        self._took = RunningQuantile()
        self._recent.clear()
        self._bad = 0
        self._calm_ns = None

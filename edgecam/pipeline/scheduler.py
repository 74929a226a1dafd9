"""Which frame an engine runs next, which it skips, when it waits, and why. Pure: times are arguments.

The rules, in order, for the newest frame of each camera:

1. A recording that is played as fast as possible skips nothing.
2. Captured before the next moment that `max_fps` allows: skip (`rate`).
3. Its age when done would exceed the budget: skip (`stale`), before any work is spent on it; but if
   nothing was classified for too long, run it whatever the estimate says (a probe).
4. Of what remains, a camera that had nothing for `starve_s` goes first, the longest waiting of them. Else
   earliest deadline first, which is budget / weight after a camera was last served. Where deadlines have
   passed, the engine is overloaded, and the one that has outlived its time by the largest factor goes
   first, so that shares follow the weights. Probes come last.
5. A camera that has the engine to itself may be better served by its next frame: see `freshness`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgecam.pipeline.freshness import better_waits
from edgecam.pipeline.rhythm import Rhythm
from edgecam.records import SkipCause

# A hopeless engine is asked again so many times what it takes after it was last asked: each such camera
# costs at most a quarter of its time, and is believed again soon after the disturbance is over.
_PROBE_FACTOR = 4


@dataclass(frozen=True, slots=True)
class Policy:
    """What a camera asks of the scheduler."""

    budget_ns: int
    starve_ns: int
    """The longest time without a classification, however late that one is."""
    min_interval_ns: int = 0
    """Between the capture times of classified frames; 0: no limit (`max_fps`)."""
    lossless: bool = False
    weight: float = 1.0
    """Of several cameras on a saturated engine: how many times a share of 1 it gets."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A frame in a slot."""

    camera: str
    captured_ns: int
    expected_ns: int = 0
    """From the moment at which the engine is free for it to its result."""
    rhythm: Rhythm | None = None
    """How its camera's frames come; None: not known."""


@dataclass(frozen=True, slots=True)
class Run:
    """Run this camera's frame now."""

    camera: str
    probe: bool = False
    """True: against the estimate, because nothing was classified for too long."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Skip this camera's frame now."""

    camera: str
    cause: SkipCause


@dataclass(frozen=True, slots=True)
class Wait:
    """Leave the frame where it is: the next one will serve better; but wait no longer than until then."""

    until_ns: int


@dataclass(slots=True)
class _Served:
    """What the scheduler remembers of a camera."""

    captured_ns: int
    """Of the last frame that was run."""
    run_ns: int
    """When that was."""
    due_ns: int
    """No frame captured before this is run (`max_fps`)."""


class Scheduler:
    """Chooses among the cameras of one engine."""

    def __init__(
        self, policies: Mapping[str, Policy], *, start_ns: int, prefer_freshness: bool = False
    ) -> None:
        """Build a scheduler.

        Args:
            policies: one per camera.
            start_ns: the moment from which starvation counts.
            prefer_freshness: the engine may idle, if what it then tells is fresher (`prefer`).
        """
        self._policies = dict(policies)
        self._may_wait = prefer_freshness and len(policies) == 1
        self._served = {
            camera: _Served(start_ns - policy.budget_ns, start_ns, 0) for camera, policy in policies.items()
        }

    def revise(self, policies: Mapping[str, Policy], *, prefer_freshness: bool) -> None:
        """The same cameras ask for something else from now on."""
        self._policies = dict(policies)
        self._may_wait = prefer_freshness and len(policies) == 1
        for camera, served in self._served.items():
            # A shorter interval counts at once; a longer one, from the next frame on.
            served.due_ns = min(served.due_ns, served.captured_ns + policies[camera].min_interval_ns)

    def choose(
        self, waiting: Iterable[Waiting], *, now_ns: int, free_ns: int | None = None
    ) -> Run | Skip | Wait | None:
        """The next thing to do, or None when no frame waits.

        Args:
            waiting: At most one frame a camera.
            now_ns: BOOTTIME.
            free_ns: When the engine will be free; None: it is.
        """
        start_ns = now_ns if free_ns is None else max(now_ns, free_ns)
        runnable: list[tuple[tuple[float, int, int], Run, Waiting]] = []
        for frame in waiting:
            verdict = self._judge(frame, start_ns)
            if isinstance(verdict, Skip):
                return verdict
            runnable.append((self._turn(frame, start_ns, probe=verdict.probe), verdict, frame))
        if not runnable:
            return None
        _, run, frame = min(runnable, key=lambda item: item[0])
        return self._wait_for_next(frame, start_ns, run) or run

    def ran(self, camera: str, captured_ns: int, *, now_ns: int) -> None:
        """A frame is being run, as `choose` said."""
        policy, served = self._policies[camera], self._served[camera]
        served.captured_ns, served.run_ns = captured_ns, now_ns
        # Due times advance by the interval itself, so that camera jitter does not lower the rate,
        # but never fall more than one interval behind, so that a pause is not made up for by a burst.
        served.due_ns = max(served.due_ns, captured_ns - policy.min_interval_ns) + policy.min_interval_ns

    def _judge(self, frame: Waiting, start_ns: int) -> Run | Skip:
        policy, served = self._policies[frame.camera], self._served[frame.camera]
        if policy.lossless:
            return Run(frame.camera)
        if policy.min_interval_ns and frame.captured_ns < served.due_ns:
            return Skip(frame.camera, SkipCause.RATE)
        if start_ns - frame.captured_ns + frame.expected_ns <= policy.budget_ns:
            return Run(frame.camera)
        if start_ns - served.run_ns >= _probe_after_ns(frame, policy):
            return Run(frame.camera, probe=True)
        return Skip(frame.camera, SkipCause.STALE)

    def _turn(self, frame: Waiting, start_ns: int, *, probe: bool) -> tuple[float, int, int]:
        """Sorts by whose turn it is; see rule 4."""
        policy, served = self._policies[frame.camera], self._served[frame.camera]
        time_ns = policy.budget_ns / policy.weight
        if start_ns - served.run_ns >= policy.starve_ns:
            return -math.inf, served.run_ns, frame.captured_ns
        if probe:
            # A result that will be late never comes before one that can be on time.
            return math.inf, served.run_ns, frame.captured_ns
        # Counted from when a camera was served: capture times that differ by microseconds would give the
        # same camera the better turn every time.
        factor = (start_ns - served.run_ns) / time_ns
        overdue = -factor if factor > 1 else 0.0
        return overdue, served.run_ns + int(time_ns), frame.captured_ns

    def _wait_for_next(self, frame: Waiting, start_ns: int, run: Run) -> Wait | None:
        policy, rhythm = self._policies[frame.camera], frame.rhythm
        if not self._may_wait or rhythm is None or run.probe or policy.lossless:
            return None
        next_ns = frame.captured_ns + rhythm.period_ns + rhythm.lag_ns
        # A camera that has stopped must not make its last frame wait for ever.
        until_ns = next_ns + rhythm.period_ns // 2
        if start_ns >= until_ns or not better_waits(
            known_age_ns=start_ns - self._served[frame.camera].captured_ns,
            age_ns=start_ns - frame.captured_ns,
            next_in_ns=max(0, next_ns - start_ns),
            next_age_ns=rhythm.lag_ns,
            service_ns=frame.expected_ns,
        ):
            return None
        return Wait(until_ns)


def _probe_after_ns(frame: Waiting, policy: Policy) -> int:
    """After how long without a classification a frame that comes too late is run all the same."""
    lag_ns = frame.rhythm.lag_ns if frame.rhythm else 0
    if lag_ns + frame.expected_ns <= policy.budget_ns:
        # The next frame can make it.
        return policy.starve_ns
    return min(policy.starve_ns, _PROBE_FACTOR * frame.expected_ns)

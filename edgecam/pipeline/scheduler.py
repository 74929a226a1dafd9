"""Which frame an engine runs next, and which it skips, and why. Pure: times are arguments.

The rules, in order, for the newest frame of each camera:

1. A recording that is played as fast as possible skips nothing.
2. Captured before the next moment that `max_fps` allows: skip (`rate`).
3. Nothing was classified for `starve_s`: run it whatever the estimate says (a probe).
4. age + expected service time > budget: skip (`stale`), before any work is spent on it.
5. Of what remains, run the camera whose last result outlives its budget first (earliest deadline):
   one that was just served has the latest deadline, so none is starved, and a tighter budget
   is served more often.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgecam.records import SkipCause


@dataclass(frozen=True, slots=True)
class Policy:
    """What a camera asks of the scheduler."""

    budget_ns: int
    starve_ns: int
    min_interval_ns: int = 0
    """Between the capture times of classified frames; 0: no limit (`max_fps`)."""
    lossless: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A frame in a slot."""

    camera: str
    captured_ns: int
    expected_ns: int = 0
    """From being taken to its result: cameras differ by the size of their pictures."""


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

    def __init__(self, policies: Mapping[str, Policy], *, start_ns: int) -> None:
        """Args: a policy per camera; the moment from which starvation counts."""
        self._policies = dict(policies)
        self._served = {
            camera: _Served(start_ns - policy.budget_ns, start_ns, 0) for camera, policy in policies.items()
        }

    def choose(self, waiting: Iterable[Waiting], *, now_ns: int) -> Run | Skip | None:
        """The next thing to do, or None when no frame waits.

        Args:
            waiting: At most one frame a camera.
            now_ns: BOOTTIME.
        """
        runnable: list[tuple[int, int, Run]] = []
        for frame in waiting:
            verdict = self._judge(frame, now_ns)
            if isinstance(verdict, Skip):
                return verdict
            policy, served = self._policies[frame.camera], self._served[frame.camera]
            runnable.append((served.captured_ns + policy.budget_ns, frame.captured_ns, verdict))
        if not runnable:
            return None
        return min(runnable, key=lambda item: item[:2])[2]

    def ran(self, frame: Waiting, *, now_ns: int) -> None:
        """A frame is being run, as `choose` said."""
        policy, served = self._policies[frame.camera], self._served[frame.camera]
        served.captured_ns, served.run_ns = frame.captured_ns, now_ns
        # Due times advance by the interval itself, so that camera jitter does not lower the rate,
        # but never fall more than one interval behind, so that a pause is not made up for by a burst.
        served.due_ns = (
            max(served.due_ns, frame.captured_ns - policy.min_interval_ns) + policy.min_interval_ns
        )

    def _judge(self, frame: Waiting, now_ns: int) -> Run | Skip:
        policy, served = self._policies[frame.camera], self._served[frame.camera]
        if policy.lossless:
            return Run(frame.camera)
        if policy.min_interval_ns and frame.captured_ns < served.due_ns:
            return Skip(frame.camera, SkipCause.RATE)
        if now_ns - frame.captured_ns + frame.expected_ns <= policy.budget_ns:
            return Run(frame.camera)
        if now_ns - served.run_ns >= policy.starve_ns:
            return Run(frame.camera, probe=True)
        return Skip(frame.camera, SkipCause.STALE)

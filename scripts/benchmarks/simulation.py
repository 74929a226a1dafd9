"""The scheduler on a made clock: cameras, one engine, no threads. What it decides is the real code's.

Used by `scheduling.py`, which makes the table of docs/latency.md, and by the tests.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from edgecam.pipeline.estimate import ServiceTimes
from edgecam.pipeline.rhythm import Metronome
from edgecam.pipeline.scheduler import Policy, Run, Scheduler, Skip, Wait, Waiting
from edgecam.records import SkipCause, StageTimes

MS = 1_000_000
S = 1_000_000_000


class Chooser(Protocol):
    """Decides as the scheduler does."""

    def choose(self, waiting: Sequence[Waiting], *, now_ns: int) -> Run | Skip | Wait | None:
        """What to do next."""

    def ran(self, camera: str, captured_ns: int, *, now_ns: int) -> None:
        """A frame is being run."""


@dataclass(frozen=True)
class SimCamera:
    """A camera that is simulated."""

    policy: Policy
    period_ns: int
    phase_ns: int = 0
    jitter: float = 0.0
    """Standard deviation of each capture time, in periods."""
    lag_ns: int = 0
    """From capture to its slot."""


@dataclass(frozen=True)
class Done:
    """A frame that was run."""

    captured_ns: int
    began_ns: int
    ended_ns: int
    late: bool
    probe: bool


@dataclass
class Outcome:
    """What became of one camera's frames."""

    captured: int = 0
    done: list[Done] = field(default_factory=list)
    skipped: Counter[SkipCause] = field(default_factory=Counter)
    waiting: int = 0
    """Still in the slot at the end: 0 or 1."""

    def age_ns(self) -> float:
        """Age of information, averaged over the time from the first result to the last."""
        area = 0.0
        for shown, following in pairwise(self.done):
            young, old = shown.ended_ns - shown.captured_ns, following.ended_ns - shown.captured_ns
            area += (young + old) / 2 * (following.ended_ns - shown.ended_ns)
        return area / max(1, self.done[-1].ended_ns - self.done[0].ended_ns)

    def busy(self) -> float:
        """Share of that time in which the engine ran this camera's frames."""
        span_ns = self.done[-1].ended_ns - self.done[0].ended_ns
        return sum(one.ended_ns - one.began_ns for one in self.done[1:]) / max(1, span_ns)


class _Stream:
    """The frames of one camera, as time goes on."""

    def __init__(self, camera: SimCamera, rng: random.Random) -> None:
        self._camera = camera
        self._rng = rng
        self._count = 0
        self.outcome = Outcome()
        self.slot_ns: int | None = None
        """Capture time of the frame that waits."""
        self.metronome = Metronome()
        self._next_ns = self._make()

    @property
    def arrival_ns(self) -> int:
        """When the next frame comes."""
        return self._next_ns + self._camera.lag_ns

    def _make(self) -> int:
        camera = self._camera
        tremor = self._rng.gauss(0, camera.jitter * camera.period_ns) if camera.jitter else 0.0
        moment_ns = camera.phase_ns + self._count * camera.period_ns + int(tremor)
        self._count += 1
        return max(moment_ns, getattr(self, "_next_ns", 0) + 1)

    def advance(self, now_ns: int) -> None:
        """Lay down what has come until now."""
        while self.arrival_ns <= now_ns:
            self.outcome.captured += 1
            if self.slot_ns is not None:
                self.outcome.skipped[SkipCause.SUPERSEDED] += 1
            self.slot_ns = self._next_ns
            self.metronome.heard(self._next_ns, arrived_ns=self.arrival_ns)
            self._next_ns = self._make()


def simulate(
    cameras: Mapping[str, SimCamera],
    service_ns: Callable[[str, int], int],
    *,
    until_ns: int,
    prefer_freshness: bool = False,
    chooser: Chooser | None = None,
    seed: int = 0,
) -> dict[str, Outcome]:
    """Let time run.

    Args:
        cameras: by name.
        service_ns: how long a frame takes, from its camera and the moment at which it is taken.
        until_ns: the end; the begin is 0.
        prefer_freshness: as the configuration's `prefer`.
        chooser: decides instead of the scheduler.
        seed: of the cameras' jitter.
    """
    policies = {name: camera.policy for name, camera in cameras.items()}
    chooser = chooser or Scheduler(policies, start_ns=0, prefer_freshness=prefer_freshness)
    streams = {name: _Stream(camera, random.Random(f"{seed} {name}")) for name, camera in cameras.items()}  # noqa: S311
    engine = _Engine(chooser, policies, service_ns)
    now_ns = 0
    while now_ns < until_ns:
        for stream in streams.values():
            stream.advance(now_ns)
        choice = chooser.choose(engine.waiting(streams), now_ns=now_ns)
        next_ns = min(stream.arrival_ns for stream in streams.values())
        if choice is None:
            now_ns = next_ns
        elif isinstance(choice, Wait):
            now_ns = min(next_ns, max(choice.until_ns, now_ns + 1))
        else:
            now_ns = engine.act(choice, streams[choice.camera], now_ns)
    for stream in streams.values():
        stream.outcome.waiting = int(stream.slot_ns is not None)
    return {name: stream.outcome for name, stream in streams.items()}


class _Engine:
    """Runs and skips as it is told, and learns how long that takes."""

    def __init__(
        self, chooser: Chooser, policies: Mapping[str, Policy], service_ns: Callable[[str, int], int]
    ) -> None:
        self._chooser = chooser
        self._policies = policies
        self._service_ns = service_ns
        self._times = ServiceTimes()

    def waiting(self, streams: Mapping[str, _Stream]) -> list[Waiting]:
        """The frames in the slots."""
        return [
            Waiting(name, stream.slot_ns, self._times.expected(name, "").total_ns, stream.metronome.rhythm)
            for name, stream in streams.items()
            if stream.slot_ns is not None
        ]

    def act(self, choice: Run | Skip, stream: _Stream, now_ns: int) -> int:
        """Run or skip; returns the time after it."""
        captured_ns, stream.slot_ns = stream.slot_ns, None
        assert captured_ns is not None  # noqa: S101 - only a waiting frame is chosen
        if isinstance(choice, Skip):
            stream.outcome.skipped[choice.cause] += 1
            return now_ns
        self._chooser.ran(choice.camera, captured_ns, now_ns=now_ns)
        took_ns = self._service_ns(choice.camera, now_ns)
        self._times.record(choice.camera, "", StageTimes(0, took_ns, 0), probe=choice.probe)
        ended_ns = now_ns + took_ns
        late = ended_ns - captured_ns > self._policies[choice.camera].budget_ns
        stream.outcome.done.append(Done(captured_ns, now_ns, ended_ns, late, choice.probe))
        return ended_ns

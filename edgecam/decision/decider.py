"""What we say of one camera: label with hysteresis and minimum hold, episodes, and the reason for each.

A label is entered when its smoothed score reaches its `enter`, kept while it is at least `exit` or
younger than `hold_s`, and then left, or followed at once by another that has reached its own `enter`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgecam.decision.smoothing import Smoother
from edgecam.decision.watchlist import Watchlist
from edgecam.records import Decision, Edge, EventType, Reason, Status


@dataclass(slots=True)
class _Episode:
    """A label that is being seen."""

    id: str
    index: int
    start_ns: int
    peak_score: float
    held: bool = False
    """True once subscribers were told that only `hold_s` keeps it."""


class Decider:
    """Decides for one camera. Times are arguments; not thread-safe."""

    def __init__(self, watchlist: Watchlist, *, smoothing_s: float, episode_prefix: str) -> None:
        """Args: what to report, the smoothing's time constant, a prefix that makes episode ids unique."""
        self._go_by(watchlist)
        self._smoother = Smoother(smoothing_s)
        self._prefix = episode_prefix
        self._count = 0
        self._episode: _Episode | None = None
        self._last = Decision(Status.STARTING, None, None, None, Reason.STARTING, changed=True)

    @property
    def current(self) -> Decision:
        """What we said last."""
        return self._last

    @property
    def names(self) -> tuple[str, ...]:
        """Whose scores `observe` expects."""
        return self._watch.names

    def observe(self, said: NDArray[np.float32], *, at_ns: int, now_ns: int) -> Decision:
        """Take in what the network said of a frame.

        Args:
            said: (names,) of the watchlist, 0..1; another model's watchlist of the same names will do.
            at_ns: The frame's capture time.
            now_ns: The moment of the decision.
        """
        if self._last.status in {Status.NO_CAMERA, Status.DISABLED, Status.ERROR}:
            # A straggler from before the status changed: it says nothing about now.
            return replace(self._last, changed=False, edges=())
        scores = self._smoother.update(said, at_ns)
        edges: list[Edge] = []
        reason = self._judge(scores, at_ns, now_ns, edges)
        if self._last.status is not Status.OK and reason is None:
            reason = Reason.STARTING
        return self._say(scores, reason, at_ns, edges)

    def change_status(self, status: Status, reason: Reason, *, now_ns: int) -> Decision:
        """The camera was lost, came back, was switched, or its engine failed: nothing is seen now."""
        if status is self._last.status:
            return replace(self._last, changed=False, edges=())
        edges = self._end_episode(now_ns, now_ns, reason)
        self._smoother.reset()
        self._last = Decision(status, None, None, now_ns, reason, changed=True, edges=edges)
        return self._last

    def heartbeat(self) -> Decision:
        """Say the same again."""
        return replace(self._last, reason=Reason.HEARTBEAT, changed=True, edges=())

    def revise(self, watchlist: Watchlist, *, smoothing_s: float, now_ns: int) -> Decision:
        """Go by another watchlist; what is open stays so, unless its label is not watched any more."""
        episode, edges = self._episode, tuple[Edge, ...]()
        if self.names != watchlist.names:
            self._smoother.reset()
            label = None if episode is None else self.names[episode.index]
            if label is not None and label not in watchlist.names:
                edges = self._end_episode(now_ns, now_ns, Reason.RECONFIGURED)
            elif episode is not None and label is not None:
                episode.index = watchlist.names.index(label)
        self._go_by(watchlist)
        self._smoother.set_time_constant(smoothing_s)
        if not edges:
            return replace(self._last, changed=False, edges=())
        said = replace(self._last, label=None, score=None, since_ns=now_ns, changed=True)
        self._last = replace(said, reason=Reason.RECONFIGURED, edges=edges)
        return self._last

    def stop(self, *, now_ns: int, reason: Reason = Reason.STOPPED) -> Decision:
        """End what is open: edgecam stops in order, or has this camera no more."""
        edges = self._end_episode(now_ns, now_ns, reason)
        return replace(self._last, reason=reason, changed=False, edges=edges)

    def _go_by(self, watchlist: Watchlist) -> None:
        self._watch = watchlist
        self._least_enter = min((t.enter for t in watchlist.thresholds), default=0.0)

    def _judge(
        self, scores: NDArray[np.float32], at_ns: int, now_ns: int, edges: list[Edge]
    ) -> Reason | None:
        """Move the episode on; the reason, or None when nothing changed."""
        reason: Reason | None = None
        episode = self._episode
        if episode is not None:
            score = float(scores[episode.index])
            episode.peak_score = max(episode.peak_score, score)
            threshold = self._watch.thresholds[episode.index]
            if score >= threshold.exit:
                episode.held = False
                return None
            if at_ns - episode.start_ns < threshold.hold_ns:
                told, episode.held = episode.held, True
                return None if told else Reason.HELD
            edges += self._end_episode(at_ns, now_ns, Reason.LEFT, score)
            reason = Reason.LEFT
        candidate = self._strongest(scores)
        if candidate is None:
            return reason
        self._start_episode(candidate, scores, at_ns, now_ns, edges)
        return Reason.ENTERED

    def _strongest(self, scores: NDArray[np.float32]) -> int | None:
        """The best name that has reached its own `enter`."""
        if scores.size == 0 or scores.max() < self._least_enter:
            return None
        reached = np.flatnonzero(scores >= self._watch.enter)
        if reached.size == 0:
            return None
        return int(reached[np.argmax(scores[reached])])

    def _start_episode(
        self, index: int, scores: NDArray[np.float32], at_ns: int, now_ns: int, edges: list[Edge]
    ) -> None:
        self._count += 1
        score = float(scores[index])
        self._episode = _Episode(f"{self._prefix}-{self._count}", index, at_ns, score)
        edges.append(
            self._edge(
                self._episode, EventType.START, Reason.ENTERED, score=score, end_ns=None, now_ns=now_ns
            )
        )

    def _end_episode(
        self, at_ns: int, now_ns: int, reason: Reason, score: float | None = None
    ) -> tuple[Edge, ...]:
        episode, self._episode = self._episode, None
        if episode is None:
            return ()
        last = score if score is not None else (self._last.score or 0.0)
        return (self._edge(episode, EventType.END, reason, score=last, end_ns=at_ns, now_ns=now_ns),)

    def _edge(
        self,
        episode: _Episode,
        kind: EventType,
        reason: Reason,
        *,
        score: float,
        end_ns: int | None,
        now_ns: int,
    ) -> Edge:
        return Edge(
            type=kind,
            episode=episode.id,
            label=self._watch.names[episode.index],
            score=score,
            peak_score=episode.peak_score,
            start_ns=episode.start_ns,
            end_ns=end_ns,
            reason=reason,
            decided_ns=now_ns,
        )

    def _say(
        self, scores: NDArray[np.float32], reason: Reason | None, at_ns: int, edges: list[Edge]
    ) -> Decision:
        episode = self._episode
        label = score = None
        since_ns = self._last.since_ns if self._last.status is Status.OK else at_ns
        if reason in {Reason.ENTERED, Reason.LEFT}:
            since_ns = at_ns
        if episode is not None:
            label, score = self._watch.names[episode.index], float(scores[episode.index])
        self._last = Decision(
            status=Status.OK,
            label=label,
            score=score,
            since_ns=since_ns,
            reason=reason or self._last.reason,
            changed=reason is not None,
            edges=tuple(edges),
        )
        return self._last

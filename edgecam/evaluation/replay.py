"""What a camera would have said of recorded scores: its own decider, by the recording's clock. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecam.decision.decider import Decider
from edgecam.decision.watchlist import Watchlist
from edgecam.records import Decision, EventType


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the network said of one frame."""

    at_ns: int
    """The frame's moment, on any clock that goes on."""
    probabilities: NDArray[np.float32]
    """(classes,), each 0..1."""
    unknown: float = 0.0
    """Share of the probability that is not in there, 0..1."""
    most_unnamed: float = 0.0
    """No single class that is missing has more than this, 0..1."""

    def shortfall(self, watchlist: Watchlist) -> float:
        """By how much the score of a watched name may have been higher, at the most, 0..1."""
        if not self.unknown or not watchlist.names:
            return 0.0
        fullest = np.where(self.probabilities > 0, self.probabilities, np.float32(self.most_unnamed))
        more = watchlist.scores(fullest) - watchlist.scores(self.probabilities)
        return min(self.unknown, float(more.max()))


@dataclass(frozen=True, slots=True)
class Episode:
    """A label was reported from one frame to another."""

    label: str
    start_ns: int
    end_ns: int
    peak_score: float
    is_open: bool
    """It was still on when the recording ended."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of a recording."""

    episodes: tuple[Episode, ...]
    frames: int
    start_ns: int
    """The moment of the first frame."""
    end_ns: int
    """Of the last one."""
    changes: int
    """How often another label than before was reported, or none any more."""

    @property
    def span_s(self) -> float:
        """From the first frame to the last."""
        return (self.end_ns - self.start_ns) / 1e9

    @property
    def changes_per_minute(self) -> float | None:
        """Flicker; None for a recording without length."""
        return 60 * self.changes / self.span_s if self.span_s else None


class Replayer:
    """Decides on one frame after the other."""

    def __init__(self, watchlist: Watchlist, *, smoothing_s: float) -> None:
        """Args: what is watched, and the smoothing's time constant, as the camera has them."""
        self._watchlist = watchlist
        self._decider = Decider(watchlist, smoothing_s=smoothing_s, episode_prefix="replay")
        self._episodes: list[Episode] = []
        self._label: str | None = None
        self._changes = self._frames = 0
        self._start_ns = self._end_ns = 0

    def take(self, seen: Seen) -> None:
        """The next frame."""
        if not self._frames:
            self._start_ns = self._end_ns = seen.at_ns
        self._frames += 1
        self._end_ns = max(self._end_ns, seen.at_ns)
        scores = self._watchlist.scores(seen.probabilities)
        decision = self._decider.observe(scores, at_ns=seen.at_ns, now_ns=seen.at_ns)
        self._changes += decision.label != self._label
        self._label = decision.label
        self._keep(decision, is_open=False)

    def end(self) -> Replay:
        """What has come of it; what is still reported ends with the last frame."""
        self._keep(self._decider.stop(now_ns=self._end_ns), is_open=True)
        return Replay(
            episodes=tuple(self._episodes),
            frames=self._frames,
            start_ns=self._start_ns,
            end_ns=self._end_ns,
            changes=self._changes,
        )

    def _keep(self, decision: Decision, *, is_open: bool) -> None:
        for edge in decision.edges:
            if edge.type is EventType.END and edge.end_ns is not None:
                self._episodes.append(
                    Episode(edge.label, edge.start_ns, edge.end_ns, edge.peak_score, is_open)
                )

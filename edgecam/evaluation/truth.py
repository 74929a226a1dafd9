"""Episodes held against what was really to be seen. Pure.

An episode is right if it overlaps an interval of its label; an interval is found if an episode of its label
overlaps it. How long it took is counted from the interval's start to that of the first such episode, by the
frames' own moments: what the pipeline takes comes on top.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from edgecam.evaluation.metrics import Share
from edgecam.evaluation.replay import Episode


@dataclass(frozen=True, slots=True)
class Interval:
    """Something was to be seen."""

    label: str
    """A label or group that is watched."""
    start_ns: int
    end_ns: int
    """After `start_ns`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How good the episodes of a recording are."""

    precision: Share
    """Of the episodes, those that are right."""
    recall: Share
    """Of the intervals, those that were found."""
    delays_ns: tuple[int, ...]
    """Of each interval that was found; below 0: the episode had begun before."""

    @property
    def median_delay_ns(self) -> float | None:
        """None if nothing was found."""
        return median(self.delays_ns) if self.delays_ns else None

    @property
    def longest_delay_ns(self) -> int | None:
        """None if nothing was found."""
        return max(self.delays_ns, default=None)


def hold_against(episodes: Sequence[Episode], truth: Sequence[Interval]) -> Verdict:
    """Judge all episodes of a recording by all that was to be seen in it."""
    right = sum(any(_overlap(episode, interval) for interval in truth) for episode in episodes)
    first = [min((e.start_ns for e in episodes if _overlap(e, interval)), default=None) for interval in truth]
    delays = tuple(
        start_ns - interval.start_ns
        for start_ns, interval in zip(first, truth, strict=True)
        if start_ns is not None
    )
    return Verdict(Share(right, len(episodes)), Share(len(delays), len(truth)), delays)


def by_label(episodes: Sequence[Episode], truth: Sequence[Interval]) -> dict[str, Verdict]:
    """The same for each label that is in either, the most frequent in the truth first."""
    counts = Counter(interval.label for interval in truth)
    labels = [*dict(counts.most_common()), *dict.fromkeys(episode.label for episode in episodes)]
    return {
        label: hold_against(
            [episode for episode in episodes if episode.label == label],
            [interval for interval in truth if interval.label == label],
        )
        for label in dict.fromkeys(labels)
    }


def _overlap(episode: Episode, interval: Interval) -> bool:
    if episode.label != interval.label:
        return False
    # One that began with the last frame has no length, and still it was there.
    return (
        episode.start_ns < interval.end_ns and max(episode.end_ns, episode.start_ns + 1) > interval.start_ns
    )

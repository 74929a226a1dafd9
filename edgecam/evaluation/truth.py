"""Episodes held against what was really to be seen. Pure.

An episode is right if it overlaps an interval of its label; an interval is found if an episode of its label
overlaps it. How long it took is counted from the interval's start to that of the first such episode, by the
frames' own moments: what the pipeline takes comes on top. An episode that never ends would find everything,
so the time in which both agree is told, too.
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
    agreed_ns: int
    """How long a label was reported that was to be seen."""
    reported_ns: int
    """How long one was reported."""
    shown_ns: int
    """How long one was to be seen; of several labels at once each counts."""

    @property
    def time_precision(self) -> float | None:
        """Of the time in which something was reported, the share in which it was there; 0..1."""
        return self.agreed_ns / self.reported_ns if self.reported_ns else None

    @property
    def time_recall(self) -> float | None:
        """Of the time in which something was there, the share in which it was reported; 0..1."""
        return self.agreed_ns / self.shown_ns if self.shown_ns else None

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
    merged = _merged(truth)
    return Verdict(
        precision=Share(right, len(episodes)),
        recall=Share(len(delays), len(truth)),
        delays_ns=delays,
        agreed_ns=sum(
            min(episode.end_ns, interval.end_ns) - max(episode.start_ns, interval.start_ns)
            for episode in episodes
            for interval in merged
            if episode.end_ns > episode.start_ns and _overlap(episode, interval)
        ),
        reported_ns=sum(episode.end_ns - episode.start_ns for episode in episodes),
        shown_ns=sum(interval.end_ns - interval.start_ns for interval in merged),
    )


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


def _merged(truth: Sequence[Interval]) -> list[Interval]:
    """What overlaps of one label as one, so that no moment counts twice."""
    merged: list[Interval] = []
    for interval in sorted(truth, key=lambda interval: (interval.label, interval.start_ns)):
        last = merged[-1] if merged else None
        if last is not None and last.label == interval.label and interval.start_ns <= last.end_ns:
            merged[-1] = Interval(last.label, last.start_ns, max(last.end_ns, interval.end_ns))
        else:
            merged.append(interval)
    return merged


def _overlap(episode: Episode, interval: Interval) -> bool:
    if episode.label != interval.label:
        return False
    # One that began with the last frame has no length, and still it was there.
    return (
        episode.start_ns < interval.end_ns and max(episode.end_ns, episode.start_ns + 1) > interval.start_ns
    )

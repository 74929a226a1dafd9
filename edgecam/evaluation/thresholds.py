"""At which score a label or group may be believed: a value for `enter` in the configuration.

A name's score is what the live path compares with `enter`: the sum of its members' probabilities. Its
thresholds are tried in hundredths, as a person writes them. What a threshold gives for single pictures is
the least that is to be expected of a camera, where smoothing sees many of one thing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecam.decision.watchlist import Threshold, Watchlist
from edgecam.evaluation.metrics import Share
from edgecam.evaluation.scores import Scores

_STEPS = np.arange(1, 100) / 100
# The scores of all names at once would take as much memory again as what was said.
_NAMES_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Suggestion:
    """From which score on a label or group is right as often as wanted."""

    name: str
    is_group: bool
    support: int
    """Pictures that show it, at least 1."""
    threshold: float | None
    """The lowest that reaches the wanted precision, 0.01..0.99; None: none does."""
    precision: Share | None
    """Of the pictures whose score reaches the threshold, those that show it; None without one."""
    recall: Share | None
    """Of the pictures that show it, those whose score reaches the threshold; None without one."""
    is_certain: bool
    """Even the low end of the precision's 95 % interval is as wanted: there were pictures enough."""


def suggest_thresholds(
    scores: Scores, groups: Mapping[str, Sequence[int]], precision: float = 0.95
) -> tuple[Suggestion, ...]:
    """For each group, then each label, of which there are pictures: the lowest threshold that will do.

    Args:
        scores: of labelled pictures; those that show other things are what a precision is measured on.
        groups: name to output indices; a group wins over a label of its name, as in `watch`.
        precision: wanted, 0..1.
    """
    shown = set(np.unique(scores.truth).tolist())
    names = {name: True for name, members in groups.items() if shown.intersection(members)}
    names |= {scores.labels[index]: False for index in sorted(shown) if scores.labels[index] not in groups}
    found: list[Suggestion] = []
    for start in range(0, len(names), _NAMES_AT_ONCE):
        some = dict(list(names.items())[start : start + _NAMES_AT_ONCE])
        reached = _reached(some, groups, scores)
        found += [
            _suggest(
                name, reached[:, place], _shows(name, groups, scores), is_group=is_group, precision=precision
            )
            for place, (name, is_group) in enumerate(some.items())
        ]
    return tuple(found)


def _reached(
    names: Collection[str], groups: Mapping[str, Sequence[int]], scores: Scores
) -> NDArray[np.float32]:
    """(pictures, names): the score of each, as a camera sums it."""
    watch = Watchlist(scores.labels, groups, watch=dict.fromkeys(names, Threshold()))
    reached = np.empty((len(scores.names), len(names)), np.float32)
    for place, row in enumerate(scores.probabilities):
        reached[place] = watch.scores(row)
    return reached


def _shows(name: str, groups: Mapping[str, Sequence[int]], scores: Scores) -> NDArray[np.bool_]:
    """(pictures,): whether each shows the label or a member of the group."""
    members = groups.get(name) or [i for i, label in enumerate(scores.labels) if label == name]
    return np.isin(scores.truth, list(members))


def _suggest(
    name: str, reached: NDArray[np.float32], shows: NDArray[np.bool_], *, is_group: bool, precision: float
) -> Suggestion:
    support = int(np.count_nonzero(shows))
    # As the live path compares: float32 with float32.
    steps = _STEPS.astype(np.float32)
    hits = support - np.searchsorted(np.sort(reached[shows]), steps, side="left")
    claims = reached.size - np.searchsorted(np.sort(reached), steps, side="left")
    good = np.flatnonzero((hits > 0) & (hits >= precision * claims))
    if good.size == 0:
        return Suggestion(name, is_group, support, None, None, None, is_certain=False)
    lowest = good[0]
    found = Share(int(hits[lowest]), int(claims[lowest]))
    return Suggestion(
        name,
        is_group,
        support,
        threshold=float(_STEPS[lowest]),
        precision=found,
        recall=Share(found.hits, support),
        is_certain=found.interval.low >= precision,
    )

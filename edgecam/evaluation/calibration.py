"""Whether a model is right as often as it says: without that, no threshold means anything.

Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks" (ICML, section 2): the
predictions are sorted into bins of equal width by the probability of the class that was said, and in each the
mean probability is held against the share that was right. Their mean difference, weighted by how many
predictions a bin has, is the expected calibration error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecam.evaluation.metrics import said
from edgecam.evaluation.scores import Scores


@dataclass(frozen=True, slots=True)
class Bin:
    """The predictions whose probability lies above `low`, up to `high`."""

    low: float
    high: float
    count: int
    confidence: float | None
    """Their mean probability, 0..1; None if there are none."""
    accuracy: float | None
    """The share that was right, 0..1; None if there are none."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well probabilities can be taken for what they say."""

    error: float
    """The expected calibration error, 0..1; 0 is best."""
    worst: float
    """The largest difference of any bin: the maximum calibration error, 0..1."""
    overconfidence: float
    """Mean probability less accuracy, -1..1: above 0, the model is surer than it should be."""
    bins: tuple[Bin, ...]


def expected_calibration_error(scores: Scores, bins: int = 15) -> Calibration:
    """Hold what the model says against how often that is right.

    Args:
        scores: of at least one picture.
        bins: of equal width; 15 as in the paper.
    """
    best = said(scores)
    sure = scores.probabilities[np.arange(len(best)), best].astype(np.float64)
    right = best == scores.truth
    # (low, high], and 0 itself is in the first.
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    sums, hits = np.bincount(places, sure, bins), np.bincount(places, right, bins)
    filled = np.maximum(counts, 1)
    gaps = np.abs(sums - hits) / filled
    return Calibration(
        error=float((gaps * counts).sum() / max(len(best), 1)),
        worst=float(gaps.max(initial=0.0)),
        overconfidence=float(sure.mean() - right.mean()) if len(best) else 0.0,
        bins=tuple(
            Bin(
                float(edges[i]),
                float(edges[i + 1]),
                int(counts[i]),
                float(sums[i] / counts[i]) if counts[i] else None,
                float(hits[i] / counts[i]) if counts[i] else None,
            )
            for i in range(bins)
        ),
    )

"""Scores that a test writes down, or hypothesis draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from edgecam.evaluation.scores import Scores


def made(
    rows: Sequence[Sequence[float]], truth: Sequence[int], labels: Sequence[str] | None = None
) -> Scores:
    """Scores of as many pictures as there are rows, called 0.jpg, 1.jpg and so on."""
    probabilities = np.array(rows, np.float32)
    return Scores(
        labels=tuple(labels or (f"class {index}" for index in range(probabilities.shape[1]))),
        names=tuple(f"{number}.jpg" for number in range(len(rows))),
        truth=np.array(truth, np.int64),
        probabilities=probabilities,
    )


def binary(sureness: Sequence[float], right: Sequence[bool]) -> Scores:
    """Two classes; the first is said with this probability, and is true or not."""
    return made([[sure, 1 - sure] for sure in sureness], [0 if good else 1 for good in right])


@st.composite
def drawn(draw: st.DrawFn, *, least: int = 1) -> Scores:
    """Scores of some pictures and classes, with ties."""
    classes = draw(st.integers(2, 6))
    count = draw(st.integers(least, 40))
    row = st.lists(st.integers(0, 8), min_size=classes, max_size=classes).filter(any)
    weights = np.array(draw(st.lists(row, min_size=count, max_size=count)), np.float32)
    truth = draw(st.lists(st.integers(0, classes - 1), min_size=count, max_size=count))
    return made((weights / weights.sum(axis=1, keepdims=True)).tolist(), truth)

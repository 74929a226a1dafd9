"""How often a model is right: over all pictures, by class, and which classes it takes for which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecam.evaluation.intervals import Interval, wilson
from edgecam.evaluation.scores import Scores

# What is worked out for each class of each picture may take as much memory as all scores.
_PICTURES_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Share:
    """A counted share, and how far the true one may be from it."""

    hits: int
    total: int

    @property
    def value(self) -> float | None:
        """0..1; None of nothing."""
        return self.hits / self.total if self.total else None

    @property
    def interval(self) -> Interval:
        """Of 95 %, by Wilson."""
        return wilson(self.hits, self.total)


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How a model does with one class."""

    label: str
    index: int
    recall: Share
    """Of the pictures that show it: how many were said to."""
    precision: Share
    """Of the pictures that were said to show it: how many do."""

    @property
    def f1(self) -> float | None:
        """The harmonic mean of both: hits over the mean of shown and said; None where there is neither."""
        both = self.recall.total + self.precision.total
        return 2 * self.recall.hits / both if both else None


@dataclass(frozen=True, slots=True)
class Confusion:
    """One class that was taken for another one."""

    truth: int
    said: int
    count: int


def ranks(scores: Scores) -> NDArray[np.int64]:
    """(pictures,): how many classes come before the true one; ties by index, as `classify` names them."""
    found = np.empty(len(scores.truth), np.int64)
    places = np.arange(len(scores.labels))
    for start in range(0, len(found), _PICTURES_AT_ONCE):
        some = slice(start, start + _PICTURES_AT_ONCE)
        probabilities, truth = scores.probabilities[some], scores.truth[some, None]
        of_truth = np.take_along_axis(probabilities, truth, axis=1)
        before = (probabilities > of_truth) | ((probabilities == of_truth) & (places < truth))
        found[some] = np.count_nonzero(before, axis=1)
    return found


def said(scores: Scores) -> NDArray[np.int64]:
    """(pictures,): the class with the highest probability, the first of equals."""
    return np.asarray(np.argmax(scores.probabilities, axis=1), np.int64)


def top_k(scores: Scores, k: int = 1) -> Share:
    """Of all pictures, those whose class is among the best `k`."""
    return Share(int(np.count_nonzero(ranks(scores) < k)), len(scores.truth))


def accuracy_of(scores: Scores, k: int = 1) -> float:
    """The share of pictures whose class is among the best `k`, 0..1; of no pictures 0."""
    return top_k(scores, k).value or 0.0


def confusion(scores: Scores) -> NDArray[np.int64]:
    """(classes, classes) counts: the row is what a picture shows, the column what was said."""
    classes = len(scores.labels)
    flat = np.bincount(scores.truth * classes + said(scores), minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def per_class(scores: Scores) -> tuple[ClassFigures, ...]:
    """The figures of each class that is shown or was said, in the order of the labels."""
    best = said(scores)
    classes = len(scores.labels)
    shown = np.bincount(scores.truth, minlength=classes)
    claimed = np.bincount(best, minlength=classes)
    hits = np.bincount(best[best == scores.truth], minlength=classes)
    return tuple(
        ClassFigures(
            scores.labels[index],
            int(index),
            recall=Share(int(hits[index]), int(shown[index])),
            precision=Share(int(hits[index]), int(claimed[index])),
        )
        for index in np.flatnonzero(shown + claimed)
    )


def balanced_accuracy(scores: Scores) -> float:
    """The mean recall of the classes that are shown, 0..1: each class counts alike, however many pictures."""
    recalls = [figures.recall.value for figures in per_class(scores)]
    known = [recall for recall in recalls if recall is not None]
    return sum(known) / len(known) if known else 0.0


def confusions(scores: Scores, most: int = 20) -> tuple[Confusion, ...]:
    """The classes that were most often taken for others, the most frequent first."""
    wrong = scores.truth != said(scores)
    pairs = np.stack([scores.truth[wrong], said(scores)[wrong]], axis=1)
    distinct, counts = np.unique(pairs, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    return tuple(Confusion(int(distinct[i][0]), int(distinct[i][1]), int(counts[i])) for i in order)


def worst_errors(scores: Scores, most: int = 24) -> NDArray[np.int64]:
    """Places of the pictures that were told wrong, those first of which the model was surest."""
    best = said(scores)
    wrong = np.flatnonzero(best != scores.truth)
    sureness = scores.probabilities[wrong, best[wrong]]
    return wrong[np.argsort(-sureness, kind="stable")][:most].astype(np.int64)

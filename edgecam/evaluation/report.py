"""What an evaluation found, as `edgecam eval --json` prints it: docs/schemas/eval.schema.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgecam.evaluation.calibration import expected_calibration_error
from edgecam.evaluation.metrics import (
    ClassFigures,
    Share,
    balanced_accuracy,
    confusions,
    per_class,
    top_k,
)
from edgecam.evaluation.naming import OTHER
from edgecam.evaluation.pairing import compare_pair
from edgecam.evaluation.pictures import PictureSet
from edgecam.evaluation.scores import Scores
from edgecam.evaluation.thresholds import Suggestion, suggest_thresholds
from edgecam.model.model import Model

SCHEMA = 1
_SEVERAL = 5
_ALL = 1 << 62
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One model with what it said."""

    model: Model
    pictures: PictureSet
    """The set in this model's labels."""
    scores: Scores


def evaluation_report(path: str, evaluated: Sequence[Evaluated], *, precision: float) -> dict[str, Any]:
    """The whole result.

    Args:
        path: of the pictures, as the user wrote it.
        evaluated: one model, or two that are compared: the second with the first.
        precision: for which thresholds are suggested, 0..1.
    """
    pictures = evaluated[0].pictures
    return {
        "schema": SCHEMA,
        "pictures": {
            "path": path,
            "count": len(pictures.pictures),
            "left_out": [file.relative_to(pictures.root).as_posix() for file in pictures.left_out],
        },
        "models": [_model(each, precision) for each in evaluated],
        "comparison": _comparison(*evaluated) if len(evaluated) > 1 else None,
    }


def _model(each: Evaluated, precision: float) -> dict[str, Any]:
    scores = each.scores
    calibration = expected_calibration_error(scores)
    return {
        "name": each.model.name,
        "path": str(each.model.path),
        "sha256": each.model.sha256,
        "engine": scores.engine,
        "labels": len(scores.labels),
        "groups": each.pictures.members is not None,
        "scored": len(scores.names),
        "unreadable": [{"name": one.name, "fault": one.fault} for one in scores.unreadable],
        "top1": _share(top_k(scores, 1)),
        # Of five classes, the right one is always among the best five.
        "top5": _share(top_k(scores, _SEVERAL)) if len(scores.labels) > _SEVERAL else None,
        "mean_recall": round(balanced_accuracy(scores), _DIGITS),
        "calibration": {
            "ece": round(calibration.error, _DIGITS),
            "worst": round(calibration.worst, _DIGITS),
            "overconfidence": round(calibration.overconfidence, _DIGITS),
            "bins": [
                {
                    "low": round(one.low, _DIGITS),
                    "high": round(one.high, _DIGITS),
                    "count": one.count,
                    "confidence": _rounded(one.confidence),
                    "accuracy": _rounded(one.accuracy),
                }
                for one in calibration.bins
            ],
        },
        "classes": [_class(figures) for figures in per_class(scores)],
        "confusion": [
            {"shown": scores.labels[pair.truth], "said": scores.labels[pair.said], "count": pair.count}
            for pair in confusions(scores, most=_ALL)
        ],
        "thresholds": {"precision": precision, "names": _thresholds(each, precision)},
    }


def _thresholds(each: Evaluated, precision: float) -> list[dict[str, Any]]:
    groups = each.model.groups
    # In a set that is told apart by groups, a group is a class like any other, and `other` cannot be watched.
    if each.pictures.members is None:
        found = suggest_thresholds(each.scores, groups, precision)
    else:
        found = tuple(one for one in suggest_thresholds(each.scores, {}, precision) if one.name != OTHER)
    return [_suggestion(one, is_group=one.name in groups) for one in found]


def _suggestion(one: Suggestion, *, is_group: bool) -> dict[str, Any]:
    return {
        "name": one.name,
        "group": is_group,
        "pictures": one.support,
        "enter": one.threshold,
        "precision": None if one.precision is None else _share(one.precision),
        "recall": None if one.recall is None else _share(one.recall),
        "certain": one.is_certain,
    }


def _class(figures: ClassFigures) -> dict[str, Any]:
    return {
        "label": figures.label,
        "index": figures.index,
        "recall": _share(figures.recall),
        "precision": _share(figures.precision),
        "f1": _rounded(figures.f1),
    }


def _comparison(first: Evaluated, second: Evaluated) -> dict[str, Any]:
    pair = compare_pair(first.scores, second.scores)
    return {
        "first": first.model.name,
        "second": second.model.name,
        "delta": round(pair.delta, _DIGITS),
        "low": round(pair.low, _DIGITS),
        "high": round(pair.high, _DIGITS),
        "p_value": float(f"{pair.p_value:.4g}"),
        "significant": pair.is_significant,
        "both_right": pair.both,
        "only_first_right": pair.only_a,
        "only_second_right": pair.only_b,
        "neither_right": pair.neither,
    }


def _share(share: Share) -> dict[str, Any]:
    interval = share.interval
    return {
        "value": _rounded(share.value),
        "low": round(interval.low, _DIGITS),
        "high": round(interval.high, _DIGITS),
        "hits": share.hits,
        "of": share.total,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)

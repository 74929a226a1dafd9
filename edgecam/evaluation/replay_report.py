"""What a replay found, as `edgecam eval --replay --json` prints it: docs/schemas/replay.schema.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from edgecam.evaluation.metrics import Share
from edgecam.evaluation.recording import Recording
from edgecam.evaluation.replay import Episode, Replay
from edgecam.evaluation.replaying import Comparison, Setting
from edgecam.evaluation.truth import Interval, Verdict, by_label, hold_against

_DIGITS = 4


def replay_report(
    recording: Recording, settings: Sequence[Setting], comparison: Comparison
) -> dict[str, Any]:
    """The whole result; moments count from the recording's first frame.

    Args:
        recording: what was replayed.
        settings: with which settings.
        comparison: what became of it.
    """
    first, origin = comparison.replays[0], recording.origin
    return {
        "schema": 1,
        "kind": "replay",
        "camera": settings[0].camera.camera,
        "recording": {
            "path": str(recording.path),
            "kind": "predictions" if origin is None else "scores",
            "model": None if origin is None else origin.model,
            "source": None if origin is None else origin.source,
            "frames": first.frames,
            "seconds": round(first.span_s, 3),
            "shortfall": {
                "mean": round(comparison.shortfall, _DIGITS),
                "most": round(comparison.most_short, _DIGITS),
            },
        },
        "intervals": None if comparison.truth is None else len(comparison.truth),
        "settings": [
            _setting(setting, replay, comparison.truth)
            for setting, replay in zip(settings, comparison.replays, strict=True)
        ],
    }


def _setting(setting: Setting, replay: Replay, truth: Sequence[Interval] | None) -> dict[str, Any]:
    counts = Counter(episode.label for episode in replay.episodes)
    return {
        "set": dict(setting.variant),
        "smoothing_s": setting.camera.config.smoothing_s,
        "watched": len(setting.watchlist.names),
        "changes": replay.changes,
        "changes_per_minute": _rounded(replay.changes_per_minute),
        "labels": dict(counts.most_common()),
        "episodes": [_episode(episode, replay.start_ns) for episode in replay.episodes],
        "truth": None if truth is None else _verdict(hold_against(replay.episodes, truth)),
        "truth_by_label": (
            None
            if truth is None
            else {label: _verdict(one) for label, one in by_label(replay.episodes, truth).items()}
        ),
    }


def _episode(episode: Episode, start_ns: int) -> dict[str, Any]:
    return {
        "label": episode.label,
        "start_s": round((episode.start_ns - start_ns) / 1e9, 3),
        "end_s": round((episode.end_ns - start_ns) / 1e9, 3),
        "peak_score": round(episode.peak_score, _DIGITS),
        "open": episode.is_open,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "precision": _share(verdict.precision),
        "recall": _share(verdict.recall),
        "delay_s": {
            "median": _seconds(verdict.median_delay_ns),
            "longest": _seconds(verdict.longest_delay_ns),
        },
        "time": {
            "precision": _rounded(verdict.time_precision),
            "recall": _rounded(verdict.time_recall),
        },
    }


def _share(share: Share) -> dict[str, Any]:
    return {"value": _rounded(share.value), "hits": share.hits, "of": share.total}


def _seconds(value_ns: float | None) -> float | None:
    return None if value_ns is None else round(value_ns / 1e9, 3)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)

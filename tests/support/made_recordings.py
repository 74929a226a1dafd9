"""Files of scores as `edgecam eval --record` and subscribers write them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgecam.evaluation.recording import Origin, write_recording
from edgecam.records import Prediction, Score

S = 1_000_000_000
LABELS = ("cat", "dog", "bird")


def prediction(row: Sequence[float], labels: Sequence[str] = LABELS) -> Prediction:
    """What a network said, with its best two."""
    values = np.array(row, np.float32)
    best = np.argsort(-values, kind="stable")[:2].tolist()
    return Prediction(values, tuple(Score(labels[place], place, float(values[place])) for place in best))


def recorded(
    path: Path, frames: Iterable[tuple[float, Sequence[float]]], labels: Sequence[str] = LABELS
) -> Path:
    """A recording of frames: seconds, and a probability for each label."""
    origin = Origin("made", "0" * 64, tuple(labels), "main", "file:clip.mp4", "litert/cpu")
    with write_recording(path, origin) as writer:
        for at_s, row in frames:
            writer.add(prediction(row, labels), at_ns=round(at_s * S))
    return path


def payload(second: float, row: Sequence[float], *, camera: str = "main") -> dict[str, Any]:
    """Of the topic `prediction`, as far as it matters here."""
    top = prediction(row).top
    return {
        "schema": 1,
        "ts": f"2026-01-31T12:00:{second:06.3f}Z",
        "ts_synced": True,
        "camera": camera,
        "top": [{"label": one.label, "id": one.id, "score": round(one.score, 3)} for one in top],
        "stages_ms": {"preprocess": 1.0, "infer": 2.0, "postprocess": 0.1},
    }


def heard(second: float, row: Sequence[float], *, camera: str = "main", device: str = "box") -> str:
    """A line of `edgecam watch --json`."""
    topic = f"edgecam/{device}/{camera}/prediction"
    return json.dumps({"topic": topic, "retained": False, "payload": payload(second, row, camera=camera)})

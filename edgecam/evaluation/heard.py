"""What subscribers recorded of the topic `prediction`: `edgecam watch --json`, or `mosquitto_sub`.

It holds less than was said: the best few classes, three decimals, and no more messages a second than
`predictions.max_hz`. What the others had of the probability is unknown, and taken for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from edgecam.errors import SourceError
from edgecam.evaluation.replay import Seen

_ROUNDING = 0.0005
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_heard(
    path: Path, lines: Iterator[tuple[int, bytes]], labels: Sequence[str], *, camera: str
) -> Iterator[tuple[int, Seen]]:
    """The predictions of one camera among what was heard, in the order of the file, each with its line.

    Args:
        path: of the file, for messages.
        lines: as `recording.lines_of` gives them: JSON with `topic` and `payload`, a payload alone, or a
            payload after its topic. Other topics are passed over.
        labels: of the camera's model.
        camera: whose predictions.

    Raises:
        SourceError: there are none, they are of another model or of two devices, or a line is damaged.
    """
    others: set[str] = set()
    devices: set[str] = set()
    found = False
    for number, line in lines:
        topic, payload = _message(path, number, line)
        if not _is_prediction(payload):
            continue
        if payload.get("camera") != camera:
            others.add(str(payload.get("camera")))
            continue
        devices.add(topic.rpartition(f"/{camera}/")[0])
        if len(devices) > 1:
            raise SourceError(
                f"{path}:{number}: has predictions of two devices: {', '.join(sorted(devices))}; record one: "
                "edgecam watch --json --device NAME"
            )
        found = True
        try:
            yield number, _seen(payload, labels)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise SourceError(f"{path}:{number}: is no prediction of this camera's model: {error}") from error
    if not found:
        seen = f"; it has some of {', '.join(sorted(others))}" if others else ""
        raise SourceError(
            f"{path}: has no predictions of the camera {camera}{seen}. They are published only with "
            "mqtt.predictions.enabled: true"
        )


def _message(path: Path, number: int, line: bytes) -> tuple[str, Mapping[str, Any]]:
    """Topic and payload; an empty payload if it is none in JSON."""
    begins = line.find(b"{")
    if begins < 0:
        return "", {}
    try:
        body = json.loads(line[begins:])
    except (ValueError, RecursionError) as error:
        if not line.endswith(b"\n"):
            # Who was writing it was stopped.
            return "", {}
        raise SourceError(
            f"{path}:{number}: is no JSON; expected what edgecam watch --json prints"
        ) from error
    if not isinstance(body, dict):
        return "", {}
    if "payload" not in body:
        return line[:begins].decode(errors="replace").strip(), body
    payload = body["payload"]
    return str(body.get("topic", "")), payload if isinstance(payload, dict) else {}


def _is_prediction(payload: Mapping[str, Any]) -> bool:
    # No other topic tells what the stages took.
    return "top" in payload and "stages_ms" in payload and "camera" in payload


def _seen(payload: Mapping[str, Any], labels: Sequence[str]) -> Seen:
    """Raises ValueError, TypeError, KeyError."""
    probabilities, least = np.zeros(len(labels), np.float32), 1.0
    for entry in payload["top"]:
        place = entry["id"]
        if not isinstance(place, int) or not 0 <= place < len(labels) or labels[place] != entry["label"]:
            raise ValueError(f'it has no class {place} "{entry["label"]}"')
        score = float(entry["score"])
        if not 0 <= score <= 1:
            raise ValueError(f"{score} is no probability")
        probabilities[place], least = score, min(least, score)
    moment = datetime.fromisoformat(payload["ts"])
    at_ns = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    return Seen(
        at_ns=at_ns,
        probabilities=probabilities,
        unknown=max(0.0, 1.0 - float(probabilities.sum())),
        # Those that are told are the best, and rounded.
        most_unnamed=least + _ROUNDING,
    )

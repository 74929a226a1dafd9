"""What a step of a recipe has given with one seed, kept beside its files, so that it is done once."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgecam.model.digests import digest_of

RESULT_FILE = "result.json"


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found out about a model, but for its latency."""

    accuracy: float
    """The share of test pictures that it names rightly, 0 to 1."""
    pictures: int
    """How many it was shown."""
    parameters: int
    macs: int
    """Multiply-accumulates of one inference."""
    bytes: int
    """Of its file."""
    gz_bytes: int
    """Of its file, packed by gzip: what an update over the air would take."""
    arena_bytes: int | None
    """Memory for its tensors, by TFLite Micro's plan; None: it cannot be told."""


@dataclass(frozen=True, slots=True)
class Result:
    """One step, done with one seed."""

    step: str
    kind: str
    seed: int
    key: str
    """The hash of all that it depends on."""
    digest: str
    """The hash of its files."""
    took_s: float
    measured: Measured
    notes: tuple[str, ...] = ()
    """What else is to be told of it, a sentence each."""


def write_result(folder: Path, result: Result) -> None:
    """Write a result beside its files."""
    text = json.dumps(asdict(result), indent=2, allow_nan=False)
    (folder / RESULT_FILE).write_text(text + "\n", encoding="utf-8")


def kept_result(folder: Path, key: str) -> Result | None:
    """The result of a folder, if it is whole and depends on the same; else None."""
    try:
        data = json.loads((folder / RESULT_FILE).read_bytes())
        result = _result(data)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return result if result.key == key and result.digest == folder_digest(folder) else None


def folder_digest(folder: Path) -> str:
    """One hash of the files in a folder, but for the result's own."""
    lines = [
        f"{digest_of(path)} {path.relative_to(folder).as_posix()}\n"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != RESULT_FILE
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def key_of(parts: Mapping[str, Any]) -> str:
    """One hash of all that a result depends on, whatever the order in which it is told."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, allow_nan=False).encode()).hexdigest()


def mean_accuracy(results: Sequence[Result]) -> float:
    """Over the seeds, 0 to 1."""
    return statistics.fmean(result.measured.accuracy for result in results)


def spread_of_accuracy(results: Sequence[Result]) -> float | None:
    """The standard deviation over the seeds, of a sample; None of one seed."""
    return statistics.stdev(r.measured.accuracy for r in results) if len(results) > 1 else None


def lost_points(source: Sequence[Result], results: Sequence[Result]) -> float:
    """Percentage points of accuracy lost, the mean over the seeds; below 0: gained."""
    return 100 * (mean_accuracy(source) - mean_accuracy(results))


def _result(data: Mapping[str, Any]) -> Result:
    measured, notes = Measured(**data["measured"]), tuple(map(str, data["notes"]))
    return Result(**{**data, "measured": measured, "notes": notes})

"""What a network said of the frames of a recording, frame by frame, in a file: JSON Lines.

The first line says what was recorded of what; each that follows is a frame with its moment. The
probabilities are exact: all classes as little-endian float32, compressed, in base64; `top` says the best of
them to people. What subscribers recorded of the topic `prediction` is read, too; it holds the best few only.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import SourceError
from edgecam.evaluation.heard import read_heard
from edgecam.evaluation.replay import Seen
from edgecam.measure.whole_file import told_of, whole_file
from edgecam.records import Prediction

_KIND = "scores"
_MAX_LINE_BYTES = 4_000_000
_MAX_CLASSES = 100_000
_MOST_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Origin:
    """What a recording is of."""

    model: str
    """The name on the model's card."""
    sha256: str
    labels: tuple[str, ...]
    """One per class."""
    camera: str
    """Whose settings the frames were seen with."""
    source: str
    engine: str
    """What ran it: `litert/cpu`, …"""


class RecordingWriter:
    """Writes frames as they come; the file has its name once it is whole."""

    def __init__(self, path: Path, file: IO[bytes], origin: Origin) -> None:
        self._path = path
        self._file = file
        self.frames = 0
        self._put(
            {
                "schema": 1,
                "kind": _KIND,
                "model": origin.model,
                "sha256": origin.sha256,
                "camera": origin.camera,
                "source": origin.source,
                "engine": origin.engine,
                "labels": list(origin.labels),
            }
        )

    def add(self, prediction: Prediction, *, at_ns: int) -> None:
        """One more frame; `at_ns` is its moment in the recording."""
        top = [{"label": s.label, "id": s.id, "score": round(s.score, 3)} for s in prediction.top]
        self._put({"at_ns": at_ns, "top": top, "probabilities": packed(prediction.probabilities)})
        self.frames += 1

    def _put(self, line: dict[str, Any]) -> None:
        with told_of(self._path):
            self._file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


@contextmanager
def write_recording(path: Path, origin: Origin) -> Iterator[RecordingWriter]:
    """A recording that is at `path` once the block has ended well, and never in part.

    Raises:
        EdgecamError: it cannot be written.
    """
    with whole_file(path) as file:
        yield RecordingWriter(path, file, origin)


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of scores, whoever wrote it; read anew by each `frames`."""

    path: Path
    origin: Origin | None
    """None: subscribers recorded it."""

    def frames(self, labels: Sequence[str], *, camera: str) -> Iterator[Seen]:
        """What was said of each frame, one after the other.

        Args:
            labels: of the model whose scores these are said to be.
            camera: whose predictions are wanted, of those that subscribers recorded.

        Raises:
            SourceError: a line is not what it should be, is of another model, or lies before the frame above
                it, with its number; or there is no frame.
        """
        if self.origin is None:
            numbered = read_heard(self.path, lines_of(self.path), labels, camera=camera)
        else:
            numbered = self._own_frames(self.origin, labels, camera)
        last_ns: int | None = None
        for number, seen in numbered:
            if last_ns is not None and seen.at_ns < last_ns:
                raise SourceError(
                    f"{self.path}:{number}: lies {(last_ns - seen.at_ns) / 1e9:.3f} s before the frame above "
                    "it: a clock was set back, or two recordings are in one file; replay each part by itself"
                )
            last_ns = seen.at_ns
            yield seen

    def _own_frames(self, origin: Origin, labels: Sequence[str], camera: str) -> Iterator[tuple[int, Seen]]:
        if tuple(labels) != origin.labels:
            raise SourceError(
                f"{self.path}: holds scores of {origin.model}, and the camera {camera} has a model with "
                "other labels; give it the recording's: --set models.NAME.path=…, NAME as its `model` has it"
            )
        lines = lines_of(self.path)
        number, _ = beginning = next(lines)
        for number, line in lines:
            try:
                frame = json.loads(line)
                seen = Seen(
                    at_ns=_moment(frame["at_ns"]), probabilities=unpacked(frame["probabilities"], len(labels))
                )
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise SourceError(
                    f"{self.path}:{number}: is no frame of a recording; record it again"
                ) from error
            yield number, seen
        if number == beginning[0]:
            raise SourceError(f"{self.path}: has no frame; record it again")


def open_recording(path: Path) -> Recording:
    """Look at the beginning of a file of scores.

    Raises:
        SourceError: it is no file, cannot be read, is empty, or its first line is damaged.
    """
    # It is read more than once.
    if path.exists() and not path.is_file():
        raise SourceError(f"{path}: is no file but a folder, pipe or device; write to a file first")
    first = next(lines_of(path), None)
    if first is None:
        raise SourceError(f"{path}: is empty; record with edgecam eval --record, or edgecam watch --json")
    try:
        header = json.loads(first[1])
    except (ValueError, RecursionError):
        return Recording(path, None)
    if not isinstance(header, dict) or header.get("kind") != _KIND:
        return Recording(path, None)
    try:
        return Recording(path, _origin(header))
    except (ValueError, TypeError, KeyError) as error:
        raise SourceError(f"{path}:1: is no beginning of a recording that this version reads") from error


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers from 1.

    Raises:
        SourceError: it cannot be read, or a line has no end.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_MAX_LINE_BYTES):
                number += 1
                if len(line) == _MAX_LINE_BYTES:
                    raise SourceError(
                        f"{path}:{number}: a line is too long for a recording; is this the file?"
                    )
                if line.strip():
                    yield number, line
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check the file") from error


def packed(probabilities: NDArray[np.float32]) -> str:
    """All of them, exactly, as text."""
    # The fastest level is as small: float32 hardly repeats but by whole numbers.
    return base64.b64encode(zlib.compress(probabilities.astype("<f4").tobytes(), 1)).decode()


def unpacked(text: str, classes: int) -> NDArray[np.float32]:
    """The probabilities of so many classes, 0..1; raises ValueError."""
    try:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(base64.b64decode(text, validate=True), 4 * classes + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError("damaged") from error
    if len(content) != 4 * classes:
        raise ValueError(f"expected {classes} classes")
    values = np.frombuffer(content, "<f4").astype(np.float32)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("no probabilities")
    return values


def _moment(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("expected a whole number of ns")
    if abs(value) > _MOST_NS:
        raise ValueError("no clock reads that")
    return value


def _origin(header: dict[str, Any]) -> Origin:
    labels = header["labels"]
    if header["schema"] != 1 or not isinstance(labels, list) or not 0 < len(labels) <= _MAX_CLASSES:
        raise ValueError("another schema")
    texts = {name: str(header[name]) for name in ("model", "sha256", "camera", "source", "engine")}
    return Origin(labels=tuple(map(str, labels)), **texts)

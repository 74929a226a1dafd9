"""The numbers of threads that were measured, in a small file; without it they are measured again."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

log = logging.getLogger(__name__)

# Models come and go; the oldest is forgotten.
_MOST = 100
_MOST_THREADS = 64
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """What a measurement holds for."""

    sha256: str
    """Of the model."""
    runtime: str
    version: str
    """Of the runtime."""
    board: str
    cores: int


class ThreadStore:
    """Remembers for this process, and for later ones as far as its file can be written; for any thread.

    Args:
        path: of the file; its folder need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._known: dict[Place, int] | None = None
        """The newest last; None: the file was not read yet."""

    def guess(self, sha256: str, *, board: str, cores: int) -> int | None:
        """What was last measured of a model on this board, in whichever runtime; else, of any model."""
        with self._lock:
            here = [
                (place.sha256 == sha256, threads)
                for place, threads in reversed(self._read().items())
                if (place.board, place.cores) == (board, cores)
            ]
        return max(here, key=lambda found: found[0])[1] if here else None

    def recall(self, place: Place) -> int | None:
        """What was measured for just that; None: nothing."""
        with self._lock:
            return self._read().get(place)

    def keep(self, place: Place, threads: int) -> None:
        """Remember it. Never raises."""
        with self._lock:
            known = self._read()
            known.pop(place, None)
            known[place] = threads
            while len(known) > _MOST:
                del known[next(iter(known))]
            try:
                _write(self._path, known)
            except OSError as fault:
                log.warning("threads cannot be remembered path=%s reason=%s", self._path, fault.strerror)

    def _read(self) -> dict[Place, int]:
        if self._known is None:
            try:
                self._known = _parsed(_content(self._path))
            except FileNotFoundError:
                self._known = {}
            except (OSError, ValueError, TypeError, KeyError, RecursionError) as fault:
                log.warning("remembered threads cannot be read path=%s fault=%s", self._path, fault)
                self._known = {}
        return self._known


def _content(path: Path) -> bytes:
    """Raises OSError."""
    # Reading a pipe would wait for a writer.
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is no file; remove it", str(path))
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise OSError(errno.EFBIG, "is no file of ours; remove it", str(path))
    return content


def _parsed(content: bytes) -> dict[Place, int]:
    """Raises ValueError, TypeError, KeyError or RecursionError: it is none of ours."""
    known = dict[Place, int]()
    for row in json.loads(content)["measured"]:
        threads, place = row["threads"], Place(**{name: row[name] for name in row if name != "threads"})
        if type(threads) is not int or not 1 <= threads <= _MOST_THREADS:
            raise ValueError(f"expected 1 to {_MOST_THREADS} threads, got {threads!r}")
        known[place] = threads
    return known


def _write(path: Path, known: dict[Place, int]) -> None:
    """A power cut leaves the old file or this one; raises OSError."""
    rows: list[dict[str, Any]] = [{**asdict(place), "threads": count} for place, count in known.items()]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(json.dumps({"measured": rows}, indent=1).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)

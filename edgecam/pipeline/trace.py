"""Keeps what happened to the newest frames, to be looked at in a trace viewer."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from threading import current_thread

from edgecam import __version__
from edgecam.errors import EdgecamError, UsageError
from edgecam.pipeline.trace_format import Record, chrome_trace
from edgecam.pipeline.witness import Stage
from edgecam.records import Result, SkipCause

# Five minutes of a camera with 30 fps: six stages, a result and a second message for each frame.
MOST_EVENTS = 5 * 60 * 30 * 8
_FILE_MODE = 0o644


class Trace:
    """A witness that remembers: a bounded ring of events, written whenever it is asked.

    Thread-safe without a lock: a deque's append is one step, and so is the copy that `write` takes of it. Its
    records are plain tuples of plain strings and numbers, which the garbage collector soon leaves alone:
    anything richer would be walked through at each full collection.
    """

    def __init__(self, path: Path, *, most_events: int = MOST_EVENTS) -> None:
        """Remember nothing yet.

        Args:
            path: the file that `write` makes or replaces.
            most_events: how many events are kept; the oldest go first.

        Raises:
            UsageError: no file can be made there.
        """
        _check(path)
        self._path = path
        self._events: deque[Record] = deque(maxlen=most_events)

    def stage(self, stage: Stage, camera: str, seq: int, *, began_ns: int, ended_ns: int) -> None:
        """A stage has ended, in the thread that calls. Times are BOOTTIME."""
        self._events.append(("stage", current_thread().name, camera, seq, stage._value_, began_ns, ended_ns))

    def skipped(self, camera: str, seq: int, cause: SkipCause, *, at_ns: int) -> None:
        """A captured frame will give no result."""
        self._events.append(("skip", current_thread().name, camera, seq, cause._value_, at_ns))

    def finished(self, result: Result) -> None:
        """A frame was classified, on time or late, and decided on."""
        self._events.append(
            ("result", result.camera, result.seq, result.captured_ns, result.finished_ns, result.budget_ns)
        )

    def write(self) -> None:
        """Write what is remembered now; the file is there whole or as it was before.

        May be called at any time, by several threads at once: the last to end wins.

        Raises:
            EdgecamError: it cannot be written: the disk is full, the folder is gone, …
        """
        events = list(self._events)
        try:
            _replace(self._path, chrome_trace(events, version=__version__))
        except OSError as error:
            raise EdgecamError(
                f"--trace: {self._path} cannot be written: {error.strerror}; make room or name another file"
            ) from error


def _replace(path: Path, text: Iterable[str]) -> None:
    """Make a file or replace it in one step, by a file of a name of its own beside it."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.writelines(text)
            os.fchmod(file.fileno(), _FILE_MODE)
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _check(path: Path) -> None:
    """Raises UsageError if no file can be made at a path."""
    folder = path.parent
    if not folder.is_dir():
        raise UsageError(f"--trace: {folder} is no folder; make it, or name a file in one that exists")
    # A device would be replaced by a file, too.
    if path.exists() and not path.is_file():
        raise UsageError(f"--trace: {path} exists and is no file; name another one")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"--trace: no file can be made in {folder}; allow it, or name a file in another folder"
        )

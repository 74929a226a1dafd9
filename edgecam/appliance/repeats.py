"""A line of the log that comes again and again is counted, not written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

_WINDOW_S = 60.0
# A camera that comes and goes is told each time; what is stuck in a loop is not.
_MOST_TOLD = 3
# The oldest line is forgotten beyond, and its count told.
_MOST_LINES = 500

_Key = tuple[str, int, str]


@dataclass(slots=True)
class _Said:
    since_s: float
    times: int = 0


class RepeatCounter(logging.StreamHandler[TextIO]):
    """Writes a line at most three times in 60 s, then counts it: `repeated times=… line=…`.

    The count is written before the first line that comes after the 60 s, or at the end.

    Args:
        stream: where lines go.
        read_s: a clock that never goes back, in seconds.
    """

    def __init__(self, stream: TextIO, *, read_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._read_s = read_s
        # The oldest first.
        self._said: dict[_Key, _Said] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write it or count it; `logging` holds this handler's lock."""
        try:
            key = record.name, record.levelno, record.getMessage()
        except (TypeError, ValueError):
            # The values do not fit the message: the formatter meets that again, and it is told.
            super().emit(record)
            return
        now_s = self._read_s()
        self._tell_past(now_s)
        said = self._said.setdefault(key, _Said(now_s))
        said.times += 1
        if said.times <= _MOST_TOLD:
            super().emit(record)

    def close(self) -> None:
        """Tell what has not been told."""
        self.acquire()
        try:
            while self._said:
                self._tell_oldest()
        finally:
            self.release()
        super().close()

    def _tell_past(self, now_s: float) -> None:
        while self._said:
            oldest = next(iter(self._said.values()))
            if now_s - oldest.since_s < _WINDOW_S and len(self._said) < _MOST_LINES:
                return
            self._tell_oldest()

    def _tell_oldest(self) -> None:
        key = next(iter(self._said))
        left = self._said.pop(key).times - _MOST_TOLD
        if left > 0:
            name, level, line = key
            words = (left, line)
            super().emit(
                logging.LogRecord(name, level, __file__, 0, "repeated times=%d line=%r", words, None)
            )

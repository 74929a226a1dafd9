"""How long this machine keeps a process waiting that wants next to nothing: tests of time allow for it."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

_BEAT_S = 0.02


class Stalls:
    """Beats while the block lasts, and knows the longest that a beat came late."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        due_s = time.monotonic() + _BEAT_S
        while not self._ended.wait(max(0.0, due_s - time.monotonic())):
            now_s = time.monotonic()
            self.longest_s = max(self.longest_s, now_s - due_s)
            due_s = now_s + _BEAT_S

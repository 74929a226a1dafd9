"""What was heard and not yet read: a bounded queue between two threads."""

from __future__ import annotations

import threading
from collections import deque

from edgecam.publish.received import Message, PredictionMessage


class Inbox:
    """Filled by the thread that listens, which never waits; emptied by whoever reads."""

    def __init__(self, max_messages: int) -> None:
        self._max_messages = max_messages
        self._messages: deque[Message] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.dropped = 0

    def put(self, message: Message) -> None:
        """Never waits; when full, the oldest prediction goes, or else the oldest of all."""
        with self._changed:
            if len(self._messages) >= self._max_messages:
                self.dropped += 1
                del self._messages[self._victim()]
            self._messages.append(message)
            self._changed.notify()

    def get(self, timeout_s: float | None) -> Message | None:
        """The oldest; None after the time, or when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._messages or self._closed, timeout_s)
            return self._messages.popleft() if self._messages else None

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _victim(self) -> int:
        predictions = (i for i, m in enumerate(self._messages) if isinstance(m, PredictionMessage))
        return next(predictions, 0)

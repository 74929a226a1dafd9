"""Which messages were heard before. Pure."""

from __future__ import annotations

import hashlib

_DIGEST_BYTES = 16


class Repeats:
    """Remembers the last `max_ids` ids, each in 16 bytes, however long a stranger makes them.

    An id counts within its topic: no device can make another one's message look like a repeat.
    """

    def __init__(self, max_ids: int) -> None:
        self._max_ids = max_ids
        # In the order of arrival: the first is the oldest.
        self._known: dict[bytes, None] = {}

    def is_repeat(self, topic: str, message_id: str) -> bool:
        """Was it heard before? From now on it was."""
        # Topics hold no NUL (MQTT 1.5.4), so the two cannot run into each other.
        key = hashlib.blake2b(f"{topic}\0{message_id}".encode(), digest_size=_DIGEST_BYTES).digest()
        if key in self._known:
            return True
        self._known[key] = None
        if len(self._known) > self._max_ids:
            del self._known[next(iter(self._known))]
        return False

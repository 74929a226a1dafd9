"""Tells Home Assistant what there is: on each connection, and again soon after each of its births."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

from edgecam.publish.drafts import FixedDraft
from edgecam.publish.messages import Payload
from edgecam.publish.outbox import Outbox
from edgecam.publish.wire import Received

# A whole fleet hears the same birth: its answers are spread over this time.
_SPREAD_S = 5.0


def delay_s(chance: float) -> float:
    """How long after a birth to announce; `chance` is 0..1."""
    return chance * _SPREAD_S


class Announcer:
    """The announcements of one device; `on_birth` and `keep_time` belong to the publish worker."""

    def __init__(
        self,
        outbox: Outbox,
        announcements: Mapping[str, Payload],
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Announce: the outbox sends what is retained again on each connection.

        Args:
            outbox: takes the announcements.
            announcements: payloads by topic.
            chance: draws a number, 0..1, for each birth.
        """
        self._outbox = outbox
        self._announcements = announcements
        self._chance = chance
        self._due_s: float | None = None
        self._announce()

    def revise(self, announcements: Mapping[str, Payload]) -> None:
        """Announce this from now on; from any thread."""
        self._announcements = announcements
        self._announce()

    def on_birth(self, message: Received) -> None:
        """Home Assistant says `online`; a retained one is old, and was answered when we connected."""
        if message.payload == b"online" and not message.retained and self._due_s is None:
            self._due_s = time.monotonic() + delay_s(self._chance())

    def keep_time(self, now_s: float) -> None:
        """Announce if it is time; `now_s` is monotonic."""
        if self._due_s is not None and now_s >= self._due_s:
            self._due_s = None
            self._announce()

    def _announce(self) -> None:
        for topic, payload in self._announcements.items():
            self._outbox.put_state(topic, FixedDraft(payload))

"""What waits to be sent: every event until the broker has accepted it, only the newest of each state.

Filled from any thread, never blocking; emptied by whoever sends. The lanes, in the order of sending:

- `latest` (states, info): the newest per topic, remembered, and sent again on every new connection;
- `answer` (to a command): a few, and only in the connection that brought the question;
- `event`: queued until accepted; when full the oldest goes out first and is counted as lost;
- `notice`: the same, in a short queue of its own, so that notices never push out events;
- `volatile` (predictions, stats): the newest per topic while connected; otherwise dropped and counted.

And `picture` (snapshots): as `latest`, but sent last, one at a time and at QoS 0, since it is large. One on
which a connection ended twice is sent no more: it may be larger than that broker takes, and not all say so.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from edgecam.publish.drafts import Draft, EventDraft, FixedDraft, RawDraft
from edgecam.publish.queues import Delivery, EventQueue, MemoryQueue, Outgoing

log = logging.getLogger(__name__)

# So many connections may end on the same picture.
_STRIKES = 2


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """What became of the messages, from the start of the program."""

    waiting: int
    """Events that the broker has not accepted yet."""
    published: int
    refused: int
    lost: int
    """Events pushed out by newer ones."""
    dropped: int
    """Volatile messages not sent, and notices pushed out."""


class RetainedTopics(Protocol):
    """Topics that hold something retained of ours; a set is one."""

    def add(self, topic: str, /) -> None:
        """Something is published there."""

    def discard(self, topic: str, /) -> None:
        """Nothing is there any more."""


class Outbox:
    """All lanes; see the module. Nobody who puts a state waits for an event's disk."""

    def __init__(
        self,
        events: EventQueue,
        *,
        retained: RetainedTopics | None = None,
        max_notices: int = 100,
        max_answers: int = 20,
    ) -> None:
        """Args: where events wait; who remembers where something is retained; room for the two lanes."""
        self._lock = threading.Lock()
        self._events = events
        self._retained = set[str]() if retained is None else retained
        self._notices = MemoryQueue(max_items=max_notices)
        self._latest: dict[str, Outgoing] = {}
        self._due: dict[str, None] = {}
        """Topics of `_latest` that are to be sent, in order;"""
        self._pictures_due: dict[str, None] = {}
        """and those of its pictures."""
        self._volatile: dict[str, Outgoing] = {}
        self._answers: deque[Outgoing] = deque()
        self._max_answers = max_answers
        self._picture: Outgoing | None = None
        """The one on its way."""
        self._strikes: dict[str, int] = {}
        """How many connections ended on the present picture, by topic."""
        self._connected = False
        self._epoch = 0
        self._published = self._refused = self._dropped = 0

    def put_state(self, topic: str, draft: Draft, *, content_type: str = "application/json") -> None:
        """Keep the newest of a retained topic; one that was not sent yet is replaced."""
        self._retained.add(topic)
        with self._lock:
            self._latest[topic] = Outgoing(
                topic, draft, Delivery.LATEST, self._epoch, content_type=content_type
            )
            self._due.setdefault(topic)
            # A picture that waited there is replaced, too.
            self._pictures_due.pop(topic, None)

    def clear(self, topic: str) -> None:
        """Let the broker forget what it retains; tried on each connection until it is accepted."""
        self.put_state(topic, RawDraft(b""), content_type="text/plain")

    def keep(self, topic: str) -> None:
        """What is retained there is not to be cleared after all."""
        with self._lock:
            waiting = self._latest.get(topic)
            if waiting is not None and waiting.draft == RawDraft(b""):
                del self._latest[topic]
                self._due.pop(topic, None)

    def put_picture(self, topic: str, draft: Draft, *, expiry_s: int) -> None:
        """The same for a JPEG, or for nothing in its place."""
        self._retained.add(topic)
        with self._lock:
            self._latest[topic] = Outgoing(
                topic, draft, Delivery.PICTURE, self._epoch, expiry_s, content_type="image/jpeg"
            )
            self._pictures_due.setdefault(topic)
            self._due.pop(topic, None)
            self._strikes.pop(topic, None)

    def put_event(self, topic: str, draft: EventDraft) -> int:
        """Queue an event; returns how many older ones were lost for it (0 or 1)."""
        return self._events.append(self._outgoing(topic, draft, Delivery.EVENT))

    def put_notice(self, topic: str, draft: FixedDraft) -> None:
        """Queue a notice."""
        item = self._outgoing(topic, draft, Delivery.NOTICE)
        with self._lock:
            self._dropped += self._notices.append(item)

    def put_answer(self, topic: str, draft: FixedDraft, *, correlation: bytes | None) -> None:
        """Offer the answer to a command; when there are too many, the oldest goes."""
        item = Outgoing(topic, draft, Delivery.ANSWER, self._epoch, correlation=correlation)
        with self._lock:
            self._answers.append(item)
            if len(self._answers) > self._max_answers:
                self._answers.popleft()
                self._dropped += 1

    def put_volatile(self, topic: str, draft: Draft, *, expiry_s: int | None = None) -> None:
        """Offer something that is worth sending only now."""
        with self._lock:
            if not self._connected or topic in self._volatile:
                self._dropped += 1
            if self._connected:
                self._volatile[topic] = self._outgoing(topic, draft, Delivery.VOLATILE, expiry_s=expiry_s)

    def connected(self) -> None:
        """A new connection: every state is due again, and what was put before it counts as replayed."""
        with self._lock:
            self._connected = True
            self._epoch += 1
            pictures = {t for t, item in self._latest.items() if item.delivery is Delivery.PICTURE}
            self._due = dict.fromkeys(topic for topic in self._latest if topic not in pictures)
            self._pictures_due = dict.fromkeys(pictures)

    def disconnected(self) -> None:
        """The connection has gone: what was on its way is to be sent again."""
        with self._lock:
            self._connected = False
            self._events.rewind()
            self._notices.rewind()
            self._dropped += len(self._volatile) + len(self._answers)
            self._volatile.clear()
            self._answers.clear()
            self._blame_picture()

    def _blame_picture(self) -> None:
        """The connection ended with a picture on its way, perhaps because of it."""
        picture, self._picture = self._picture, None
        if (
            picture is None
            or self._latest.get(picture.topic) is not picture
            or picture.draft == RawDraft(b"")
        ):
            return
        strikes = self._strikes[picture.topic] = self._strikes.get(picture.topic, 0) + 1
        if strikes >= _STRIKES:
            del self._latest[picture.topic]
            self._refused += 1
            log.warning("picture given up, the connection ended on it each time topic=%s", picture.topic)

    def take(self) -> Outgoing | None:
        """What may be sent next; None when nothing waits."""
        with self._lock:
            if self._due:
                topic = next(iter(self._due))
                del self._due[topic]
                return self._latest[topic]
            item = self._answers.popleft() if self._answers else None
            item = item or self._events.take() or self._notices.take()
            if item is None and self._volatile:
                item = self._volatile.pop(next(iter(self._volatile)))
            if item is None and self._pictures_due and self._picture is None:
                item = self._picture = self._latest[self._pictures_due.popitem()[0]]
            return item

    def settle(self, item: Outgoing, *, accepted: bool) -> None:
        """The broker has answered for a message, or need not (volatile ones): forget it."""
        if item.delivery is Delivery.EVENT:
            self._events.settle(item)
        elif item.delivery is Delivery.NOTICE:
            self._notices.settle(item)
        elif accepted and item.delivery is Delivery.LATEST and item.draft == RawDraft(b""):
            self._forget(item)
        with self._lock:
            if item is self._picture:
                self._picture = None
            self._published += accepted
            self._refused += not accepted

    def _forget(self, cleared: Outgoing) -> None:
        """Nothing is retained there any more, unless something was put meanwhile."""
        with self._lock:
            if self._latest.get(cleared.topic) is not cleared:
                return
            del self._latest[cleared.topic]
        self._retained.discard(cleared.topic)

    @property
    def epoch(self) -> int:
        """Counts the connections; what was put in an earlier one is `replayed` when it is sent."""
        return self._epoch

    def counts(self) -> OutboxCounts:
        """What became of the messages so far."""
        with self._lock:
            return OutboxCounts(
                waiting=len(self._events),
                published=self._published,
                refused=self._refused,
                lost=self._events.lost,
                dropped=self._dropped,
            )

    def _outgoing(
        self, topic: str, draft: Draft, delivery: Delivery, *, expiry_s: int | None = None
    ) -> Outgoing:
        return Outgoing(topic=topic, draft=draft, delivery=delivery, epoch=self._epoch, expiry_s=expiry_s)

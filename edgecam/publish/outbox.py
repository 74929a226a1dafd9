"""What waits to be sent: every event until the broker has accepted it, only the newest of each state.

Filled from any thread, never blocking; emptied by whoever sends. The lanes, in the order of sending:

- `latest` (states, info): the newest per topic, remembered, and sent again on every new connection;
- `event`: queued until accepted; when full the oldest goes out first and is counted as lost;
- `notice`: the same, in a short queue of its own, so that notices never push out events;
- `volatile` (predictions, stats): the newest per topic while connected; otherwise dropped and counted.

And `picture` (snapshots): as `latest`, but sent last and at QoS 0, since it is large.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from edgecam.publish.drafts import Draft, EventDraft, FixedDraft


class Delivery(StrEnum):
    """How a message is kept; see the module."""

    LATEST = "latest"
    EVENT = "event"
    NOTICE = "notice"
    VOLATILE = "volatile"
    PICTURE = "picture"


@dataclass(frozen=True, slots=True, eq=False)
class Outgoing:
    """A message that waits, or is on its way."""

    topic: str
    draft: Draft
    delivery: Delivery
    epoch: int
    """The connection during or after which it was put, from 1; 0 before the first; see `Outbox.epoch`."""
    expiry_s: int | None = None
    """How long a broker may keep it (MQTT 5); None: for ever."""
    content_type: str = "application/json"
    correlation: bytes | None = None
    """By which a requester knows its answer (MQTT 5)."""

    @property
    def qos(self) -> int:
        """Only what is volatile, or large, may be lost."""
        return 0 if self.delivery in {Delivery.VOLATILE, Delivery.PICTURE} else 1

    @property
    def retain(self) -> bool:
        """A subscriber who comes later wants the newest of these."""
        return self.delivery in {Delivery.LATEST, Delivery.PICTURE}


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


class EventQueue(Protocol):
    """Keeps events in order until they are settled. In memory here; a file may take its place."""

    def __len__(self) -> int:
        """Events not settled yet, those on their way included."""

    def append(self, item: Outgoing) -> int:
        """Keep one more; returns how many old ones had to go for it."""

    def take(self) -> Outgoing | None:
        """The oldest that is not on its way yet; from now on it is."""

    def settle(self, item: Outgoing) -> None:
        """Forget one that was taken: the broker has answered for it."""

    def rewind(self) -> None:
        """Nothing is on its way any more: take everything again, in the same order."""


class MemoryQueue:
    """An `EventQueue` that ends with the process."""

    def __init__(self, *, max_items: int) -> None:
        self._max_items = max_items
        self._waiting: deque[Outgoing] = deque()
        # In the order of taking, which is the order of putting: all are older than those that wait.
        self._on_their_way: list[Outgoing] = []

    def __len__(self) -> int:
        return len(self._waiting) + len(self._on_their_way)

    def append(self, item: Outgoing) -> int:
        """Keep one more; returns how many old ones had to go for it."""
        self._waiting.append(item)
        if len(self) <= self._max_items:
            return 0
        # What is on its way is most likely accepted: let it be, unless there is nothing else.
        if len(self._waiting) > 1:
            self._waiting.popleft()
        else:
            self._on_their_way.pop(0)
        return 1

    def take(self) -> Outgoing | None:
        """The oldest that is not on its way yet; from now on it is."""
        if not self._waiting:
            return None
        item = self._waiting.popleft()
        self._on_their_way.append(item)
        return item

    def settle(self, item: Outgoing) -> None:
        """Forget one that was taken: the broker has answered for it."""
        if item in self._on_their_way:
            self._on_their_way.remove(item)

    def rewind(self) -> None:
        """Nothing is on its way any more: take everything again, in the same order."""
        self._waiting.extendleft(reversed(self._on_their_way))
        self._on_their_way.clear()


class Outbox:
    """All lanes behind one lock; see the module."""

    def __init__(self, events: EventQueue, *, max_notices: int = 100) -> None:
        self._lock = threading.Lock()
        self._events = events
        self._notices = MemoryQueue(max_items=max_notices)
        self._latest: dict[str, Outgoing] = {}
        self._due: dict[str, None] = {}
        """Topics of `_latest` that are to be sent, in order;"""
        self._pictures_due: dict[str, None] = {}
        """and those of its pictures."""
        self._volatile: dict[str, Outgoing] = {}
        self._connected = False
        self._epoch = 0
        self._published = self._refused = self._lost = self._dropped = 0

    def put_state(self, topic: str, draft: Draft, *, content_type: str = "application/json") -> None:
        """Keep the newest of a retained topic; one that was not sent yet is replaced."""
        with self._lock:
            self._latest[topic] = Outgoing(
                topic, draft, Delivery.LATEST, self._epoch, content_type=content_type
            )
            self._due.setdefault(topic)

    def put_picture(self, topic: str, draft: Draft, *, expiry_s: int) -> None:
        """The same for a JPEG, or for nothing in its place."""
        with self._lock:
            self._latest[topic] = Outgoing(
                topic, draft, Delivery.PICTURE, self._epoch, expiry_s, content_type="image/jpeg"
            )
            self._pictures_due.setdefault(topic)

    def put_event(self, topic: str, draft: EventDraft) -> int:
        """Queue an event; returns how many older ones were lost for it (0 or 1)."""
        with self._lock:
            lost = self._events.append(self._outgoing(topic, draft, Delivery.EVENT))
            self._lost += lost
            return lost

    def put_notice(self, topic: str, draft: FixedDraft, *, correlation: bytes | None = None) -> None:
        """Queue a notice, or the answer to a command."""
        item = Outgoing(topic, draft, Delivery.NOTICE, self._epoch, correlation=correlation)
        with self._lock:
            self._dropped += self._notices.append(item)

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
            self._dropped += len(self._volatile)
            self._volatile.clear()

    def take(self) -> Outgoing | None:
        """What may be sent next; None when nothing waits."""
        with self._lock:
            if self._due:
                topic = next(iter(self._due))
                del self._due[topic]
                return self._latest[topic]
            item = self._events.take() or self._notices.take()
            if item is None and self._volatile:
                item = self._volatile.pop(next(iter(self._volatile)))
            if item is None and self._pictures_due:
                item = self._latest[self._pictures_due.popitem()[0]]
            return item

    def settle(self, item: Outgoing, *, accepted: bool) -> None:
        """The broker has answered for a message (or, at QoS 0, it was handed over): forget it."""
        with self._lock:
            if item.delivery is Delivery.EVENT:
                self._events.settle(item)
            elif item.delivery is Delivery.NOTICE:
                self._notices.settle(item)
            self._published += accepted
            self._refused += not accepted

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
                lost=self._lost,
                dropped=self._dropped,
            )

    def _outgoing(
        self, topic: str, draft: Draft, delivery: Delivery, *, expiry_s: int | None = None
    ) -> Outgoing:
        return Outgoing(topic=topic, draft=draft, delivery=delivery, epoch=self._epoch, expiry_s=expiry_s)

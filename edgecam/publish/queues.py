"""Messages on their way, and the queue in which they wait their turn."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from edgecam.publish.drafts import Draft


class Delivery(StrEnum):
    """How a message is kept; see `outbox`."""

    LATEST = "latest"
    EVENT = "event"
    NOTICE = "notice"
    VOLATILE = "volatile"
    PICTURE = "picture"
    ANSWER = "answer"


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


class EventQueue(Protocol):
    """Keeps events in order until they are settled. Thread-safe; `append`, `settle` may wait for a disk."""

    @property
    def lost(self) -> int:
        """How many old ones had to go so far."""

    def __len__(self) -> int:
        """Events not settled yet, those on their way included."""

    def append(self, item: Outgoing) -> int:
        """Keep one more; returns how many old ones had to go for it."""

    def take(self) -> Outgoing | None:
        """The oldest that is not on its way yet; from now on it is."""

    def settle(self, item: Outgoing) -> bool:
        """Forget one that was taken: it was answered for; False: it is not on its way any more."""

    def rewind(self) -> None:
        """Nothing is on its way any more: take everything again, in the same order."""


class MemoryQueue:
    """An `EventQueue` that ends with the process."""

    def __init__(self, *, max_items: int) -> None:
        self.lost = 0
        self._max_items = max_items
        self._lock = threading.Lock()
        self._waiting: deque[Outgoing] = deque()
        # In the order of taking, which is the order of putting: all are older than those that wait.
        self._on_their_way: list[Outgoing] = []
        # But for these, which are older than what was on its way when they were pushed.
        self._overtaken: set[Outgoing] = set()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._on_their_way)

    def append(self, item: Outgoing) -> int:
        """Keep one more; returns how many old ones had to go for it."""
        return len(self.push(item))

    def push(self, *items: Outgoing, first: bool = False) -> list[Outgoing]:
        """Keep some more, before all others if they are `first`; returns the old ones that had to go."""
        with self._lock:
            if first:
                self._waiting.extendleft(reversed(items))
                self._overtaken.update(items if self._on_their_way else ())
            else:
                self._waiting.extend(items)
            gone = [self._pop_oldest() for _ in range(len(self) - self._max_items)]
            self.lost += len(gone)
            return gone

    def _pop_oldest(self) -> Outgoing:
        # What is on its way is most likely accepted: let it be, unless there is nothing else.
        return self._waiting.popleft() if len(self._waiting) > 1 else self._on_their_way.pop(0)

    def take(self) -> Outgoing | None:
        """The oldest that is not on its way yet; from now on it is."""
        with self._lock:
            if not self._waiting:
                return None
            item = self._waiting.popleft()
            self._on_their_way.append(item)
            return item

    def settle(self, item: Outgoing) -> bool:
        """Forget one that was taken: it was answered for; False: it is not on its way any more."""
        with self._lock:
            if item not in self._on_their_way:
                return False
            self._on_their_way.remove(item)
            self._overtaken.discard(item)
            return True

    def rewind(self) -> None:
        """Nothing is on its way any more: take everything again, in the same order."""
        with self._lock:
            items = [*self._on_their_way, *self._waiting]
            self._waiting = deque(sorted(items, key=lambda item: item not in self._overtaken))
            self._on_their_way.clear()
            self._overtaken.clear()

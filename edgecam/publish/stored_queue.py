"""The queue of events that outlives the process: in memory for sending, in the store for the next start."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable

from edgecam.publish.drafts import EventDraft
from edgecam.publish.messages import Payload
from edgecam.publish.queues import Delivery, MemoryQueue, Outgoing
from edgecam.publish.store import Store
from edgecam.publish.store_file import Change, Table
from edgecam.records import ClockReading, EventType

log = logging.getLogger(__name__)


class StoredQueue:
    """An `EventQueue`: an event is in the store before it can be taken, until it is settled.

    With an episode's start goes a note that it is open, with its end the note goes away, in one commit each:
    the next start knows what a crash has left open.
    """

    def __init__(
        self,
        store: Store,
        *,
        max_items: int,
        boot_id: str,
        read_clock: Callable[[], ClockReading],
        decided: Callable[[Payload], None] | None = None,
    ) -> None:
        """Hold nothing yet; see `adopt`.

        Args:
            store: where events are kept.
            max_items: at most so many.
            boot_id: tells one boot of this machine from another.
            read_clock: for the ends of what was left open.
            decided: told of each event, once it is kept; never waits.
        """
        self._store = store
        self._memory = MemoryQueue(max_items=max_items)
        self._boot_id = boot_id
        self._read_clock = read_clock
        self._decided = decided

    def __len__(self) -> int:
        return len(self._memory)

    @property
    def lost(self) -> int:
        """How many old ones had to go so far."""
        return self._memory.lost

    def adopt(self) -> int:
        """Take over what an earlier run left in the store: its events, then the ends of its open episodes.

        To be called after the store was opened, and again when it could only be read later.

        Returns:
            How many they were; they stand before all that wait.
        """
        found = self._store.take_found()
        items = [
            item for key, text in found[Table.EVENT].items() if (item := self._unpack(Table.EVENT, key, text))
        ]
        for episode, text in found[Table.EPISODE].items():
            end = self._unpack(Table.EPISODE, episode, text)
            if end is not None:
                log.info("episode end episode=%s reason=%s", episode, "restart")
                items.append(end)
                self._keep(end)
        self._store.put_first(Table.EVENT, [_draft(item).event_id for item in items])
        self._drop(self._memory.push(*items, first=True))
        return len(items)

    def append(self, item: Outgoing) -> int:
        """Keep one more; returns how many old ones had to go for it."""
        self._keep(item)
        lost = self._memory.push(item)
        self._drop(lost)
        return len(lost)

    def take(self) -> Outgoing | None:
        """The oldest that is not on its way yet; from now on it is."""
        return self._memory.take()

    def settle(self, item: Outgoing) -> bool:
        """Forget one that was taken: it was answered for; False: it is not on its way any more."""
        was_there = self._memory.settle(item)
        if was_there:
            self._drop([item])
        return was_there

    def rewind(self) -> None:
        """Nothing is on its way any more: take everything again, in the same order."""
        self._memory.rewind()

    def _keep(self, item: Outgoing) -> None:
        draft = _draft(item)
        kept = {"topic": item.topic, "boot_id": self._boot_id, "draft": draft.pack()}
        text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
        is_start = draft.payload["event_type"] == EventType.START.value
        self._store.write(
            Change(Table.EVENT, draft.event_id, text),
            Change(Table.EPISODE, str(draft.payload["episode"]), text if is_start else None),
        )
        if self._decided is not None:
            self._decided(draft.payload)

    def _drop(self, items: list[Outgoing]) -> None:
        """Not lasting: what a power cut brings back is a repeat with the same id."""
        self._store.write(
            *(Change(Table.EVENT, _draft(item).event_id, None) for item in items), lasting=False
        )

    def _unpack(self, table: Table, key: str, text: str) -> Outgoing | None:
        """The event of a row, or the end of the episode of one; None: the row made no sense and is gone."""
        try:
            kept = json.loads(text)
            draft = EventDraft.unpack(kept["draft"], is_of_this_boot=kept["boot_id"] == self._boot_id)
            _check_key(table, key, draft)
            if table is Table.EPISODE:
                draft = draft.ended_by_restart(self._read_clock(), event_id=uuid.uuid4().hex)
            return Outgoing(str(kept["topic"]), draft, Delivery.EVENT, epoch=0)
        except (ValueError, TypeError, KeyError):
            log.error("an entry of the outbox cannot be read and is dropped entry=%s", text)  # noqa: TRY400
            self._store.write(Change(table, key, None))
            return None


def _check_key(table: Table, key: str, draft: EventDraft) -> None:
    """A row under another key could never be removed."""
    own = str(draft.payload["id" if table is Table.EVENT else "episode"])
    if key != own:
        raise ValueError(f"expected the row of {own}, got {key}")


def _draft(item: Outgoing) -> EventDraft:
    if not isinstance(item.draft, EventDraft):
        raise TypeError(f"expected an event, got {item.draft}")
    return item.draft

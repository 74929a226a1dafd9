"""What outlives the process: events, open episodes, retained topics, switches.

All of it is held in memory, and each change goes to the file before the call returns. When the disk is full,
read-only or broken, memory alone goes on, it is told once, and the file is tried again now and then: it then
gets all of it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from edgecam.backoff import Backoff
from edgecam.publish.store_file import (
    FAULTS,
    LOCK_WAIT_S,
    Change,
    Rows,
    StoreFile,
    Table,
    describe,
    is_damage,
)
from edgecam.reports import Notice, NoticeKind, NoticeLevel

log = logging.getLogger(__name__)

# A full disk is written to in vain each time.
_RETRY_FIRST_S, _RETRY_CAP_S = 5.0, 300.0
# A program that is being replaced lets go of the file soon; read late, its events would come out of order.
_START_LOCK_WAIT_S = 10.0


class Store:
    """Thread-safe. A change waits for the disk while the file is in use; what changes nothing does not."""

    def __init__(self, path: Path | None, *, read_s: Callable[[], float] = time.monotonic) -> None:
        """Touch nothing yet.

        Args:
            path: the file; None: memory only.
            read_s: a clock in seconds, for the retries.
        """
        self._file = None if path is None else StoreFile(path)
        self._read_s = read_s
        self._file_lock = threading.Lock()
        """Held while the file is opened, filled or closed, however long that takes; taken before `_lock`."""
        self._lock = threading.Lock()
        """Guards all the rest."""
        self._is_attached = False
        """The file holds what memory holds: each change goes there, under `_lock`."""
        self._rows: Rows = {table: {} for table in Table}
        self._found: Rows = {table: {} for table in Table}
        self._is_read = False
        """What an earlier run left in the file was taken in."""
        self._is_degraded = False
        self._aside: str | None = None
        """What the damaged file is called now."""
        self._backoff = Backoff(first_s=_RETRY_FIRST_S, cap_s=_RETRY_CAP_S)
        self._retry_due_s = float("inf")
        self._news: list[Notice] = []
        self.retained = RetainedTopics(self)

    def open(self, *, lock_wait_s: float = _START_LOCK_WAIT_S) -> None:
        """Open the file, and take in what an earlier run left there; waits so long for another program."""
        with self._file_lock:
            self._attach(lock_wait_s)

    def tend(self) -> None:
        """Try the file again if it is time; called now and then, by a thread that may wait for a disk."""
        with self._file_lock:
            if self._read_s() >= self._retry_due_s:
                self._attach()

    def close(self) -> None:
        """Let the file go; what changes from now on is not kept."""
        with self._file_lock, self._lock:
            if self._file is not None:
                self._file.close()
            self._is_attached = False
            self._retry_due_s = float("inf")

    def take_news(self) -> list[Notice]:
        """What an operator should know, since the last call."""
        with self._lock:
            news, self._news = self._news, []
            return news

    def take_found(self) -> Rows:
        """What an earlier run left in the file, once; there after `open`, or later if that failed."""
        with self._lock:
            found, self._found = self._found, {table: {} for table in Table}
            return found

    def rows(self, table: Table) -> dict[str, str]:
        """What is kept, in the order of its coming."""
        with self._lock:
            return dict(self._rows[table])

    def get(self, table: Table, key: str) -> str | None:
        """The text of one row, if it is there."""
        return self._rows[table].get(key)

    def write(self, *changes: Change, lasting: bool = True) -> None:
        """Make changes, all or none; `lasting`: a power cut right after this does not undo them."""
        with self._lock:
            changes = tuple(c for c in changes if self._rows[c.table].get(c.key) != c.text)
            for change in changes:
                if change.text is None:
                    del self._rows[change.table][change.key]
                else:
                    self._rows[change.table][change.key] = change.text
            if changes:
                self._pass_on(lambda file: file.apply(changes, lasting=lasting))

    def put_first(self, table: Table, keys: list[str]) -> None:
        """Let these rows stand before all others, in this order."""
        with self._lock:
            rows = self._rows[table]
            ordered = {key: rows[key] for key in [*keys, *rows] if key in rows}
            if list(ordered) != list(rows):
                self._rows[table] = ordered
                self._pass_on(lambda file: file.replace(self._rows))

    def _pass_on(self, change: Callable[[StoreFile], None]) -> None:
        """To the file if it is in use; under the lock."""
        if self._file is None or not self._is_attached:
            return
        try:
            change(self._file)
        except FAULTS as fault:
            self._degrade(fault)

    def switch(self, camera: str) -> bool | None:
        """Whether a camera was switched on or off; None: nobody has switched it yet."""
        text = self.get(Table.SWITCH, camera)
        return None if text is None else text == "on"

    def set_switch(self, camera: str, on: bool) -> None:  # noqa: FBT001 - it is what is set
        """Remember how a camera was switched."""
        self.write(Change(Table.SWITCH, camera, "on" if on else "off"))

    def _attach(self, lock_wait_s: float = LOCK_WAIT_S) -> None:
        """Open the file and make it hold what memory holds; under the file's lock."""
        file = self._file
        if file is None:
            return
        try:
            in_file = self._open_file(file, lock_wait_s)
            with self._lock:
                if not self._is_read:
                    self._is_read = True
                    self._found = in_file
                    # What came meanwhile is newer.
                    self._rows = {table: {**in_file[table], **self._rows[table]} for table in Table}
                held = {table: dict(self._rows[table]) for table in Table}
            if held != in_file:
                file.replace(held)
            with self._lock:
                if missed := _changes(held, self._rows):
                    file.apply(missed, lasting=True)
                self._restore(file)
        except FAULTS as fault:
            file.close()
            with self._lock:
                self._degrade(fault)

    def _restore(self, file: StoreFile) -> None:
        """The file is in use from now on; under the lock."""
        self._is_attached = True
        self._retry_due_s = float("inf")
        self._backoff.restart()
        if self._is_degraded:
            self._is_degraded = False
            events, aside = len(self._rows[Table.EVENT]), self._aside
            log.info("outbox is in its file again path=%s events=%d", file.path, events)
            text = f"events outlive a restart again: the outbox is in its file {file.path.name}"
            text += f"; a damaged one was set aside as {aside}, with what it held" if aside else ""
            self._tell(NoticeKind.OUTBOX_RESTORED, NoticeLevel.INFO, text, events=events, set_aside=aside)
            self._aside = None

    def _open_file(self, file: StoreFile, lock_wait_s: float) -> Rows:
        try:
            return file.open(lock_wait_s=lock_wait_s)
        except FAULTS as fault:
            if not is_damage(fault):
                raise
            self._aside = file.set_aside().name
            log.error("damaged outbox is set aside path=%s as=%s", file.path, self._aside)  # noqa: TRY400
            with self._lock:
                self._degrade(fault)
            return file.open()

    def _degrade(self, fault: Exception) -> None:
        """Memory alone goes on; told once, until the file works again. Under the lock."""
        if self._file is None:
            return
        self._file.close()
        self._is_attached = False
        self._retry_due_s = self._read_s() + self._backoff.next_s()
        if self._is_degraded:
            return
        self._is_degraded = True
        path, reason = self._file.path, describe(fault, self._file.path)
        log.error("outbox is in memory only, retrying path=%s reason=%s", path, reason)
        text = f"events that wait are lost when edgecam ends: the outbox {path.name} cannot be used: {reason}"
        self._tell(NoticeKind.OUTBOX_DEGRADED, NoticeLevel.ERROR, text, reason=reason)

    def _tell(self, kind: NoticeKind, level: NoticeLevel, text: str, **data: str | int | None) -> None:
        # Not told from here: whoever changes something holds locks that a notice needs.
        # The name alone: whoever reads a broker need not know how this machine's disk is laid out.
        path = "" if self._file is None else self._file.path.name
        self._news.append(Notice(kind, level, text, {"path": path, **data}))


def _changes(before: Rows, after: Rows) -> list[Change]:
    """What makes one of the other."""
    gone = [Change(table, key, None) for table in Table for key in before[table].keys() - after[table].keys()]
    come = [
        Change(table, key, text)
        for table in Table
        for key, text in after[table].items()
        if before[table].get(key) != text
    ]
    return gone + come


class RetainedTopics:
    """The topics on which a broker may hold something of ours; like a set."""

    def __init__(self, store: Store) -> None:
        """Args: where they are kept."""
        self._store = store

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.rows(Table.RETAINED))

    def add(self, topic: str) -> None:
        """Remember one; free of charge when it is known."""
        if self._store.get(Table.RETAINED, topic) is None:
            self._store.write(Change(Table.RETAINED, topic, ""))

    def discard(self, topic: str) -> None:
        """Forget one."""
        self._store.write(Change(Table.RETAINED, topic, None), lasting=False)

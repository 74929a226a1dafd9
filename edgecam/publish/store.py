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
from edgecam.publish.store_file import FAULTS, Change, Rows, StoreFile, Table, describe, is_damage
from edgecam.reports import Notice, NoticeKind, NoticeLevel

log = logging.getLogger(__name__)

# A full disk is written to in vain each time.
_RETRY_FIRST_S, _RETRY_CAP_S = 5.0, 300.0


class Store:
    """Thread-safe. A change waits for the disk; what changes nothing touches no disk."""

    def __init__(self, path: Path | None, *, read_s: Callable[[], float] = time.monotonic) -> None:
        """Touch nothing yet.

        Args:
            path: the file; None: memory only.
            read_s: a clock in seconds, for the retries.
        """
        self._file = None if path is None else StoreFile(path)
        self._read_s = read_s
        self._lock = threading.Lock()
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

    def open(self) -> None:
        """Open the file, and take in what an earlier run left there."""
        with self._lock:
            self._attach()

    def tend(self) -> None:
        """Try the file again if it is time; called now and then, by a thread that may wait for a disk."""
        with self._lock:
            if self._read_s() >= self._retry_due_s:
                self._attach()

    def close(self) -> None:
        """Let the file go; what changes from now on is not kept."""
        with self._lock:
            if self._file is not None:
                self._file.close()
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
            if not changes or self._file is None or not self._file.is_open:
                return
            try:
                self._file.apply(changes, lasting=lasting)
            except FAULTS as fault:
                self._degrade(fault)

    def switch(self, camera: str) -> bool | None:
        """Whether a camera was switched on or off; None: nobody has switched it yet."""
        text = self.get(Table.SWITCH, camera)
        return None if text is None else text == "on"

    def set_switch(self, camera: str, on: bool) -> None:  # noqa: FBT001 - it is what is set
        """Remember how a camera was switched."""
        self.write(Change(Table.SWITCH, camera, "on" if on else "off"))

    def _attach(self) -> None:
        """Open the file and make it hold what memory holds; under the lock."""
        if self._file is None:
            return
        try:
            in_file = self._open_file(self._file)
            if not self._is_read:
                self._is_read = True
                self._found = in_file
                # What came meanwhile is newer.
                self._rows = {table: {**in_file[table], **self._rows[table]} for table in Table}
            if self._rows != in_file:
                self._file.replace(self._rows)
        except FAULTS as fault:
            self._degrade(fault)
            return
        self._retry_due_s = float("inf")
        self._backoff.restart()
        if self._is_degraded:
            self._is_degraded = False
            events, aside = len(self._rows[Table.EVENT]), self._aside
            log.info("outbox is in its file again path=%s events=%d", self._file.path, events)
            text = f"events outlive a restart again: the outbox is in its file {self._file.path}"
            text += f"; a damaged one was set aside as {aside}, with what it held" if aside else ""
            self._tell(NoticeKind.OUTBOX_RESTORED, NoticeLevel.INFO, text, events=events, set_aside=aside)
            self._aside = None

    def _open_file(self, file: StoreFile) -> Rows:
        try:
            return file.open()
        except FAULTS as fault:
            if not is_damage(fault):
                raise
            self._aside = file.set_aside().name
            log.error("damaged outbox is set aside path=%s as=%s", file.path, self._aside)  # noqa: TRY400
            self._degrade(fault)
            return file.open()

    def _degrade(self, fault: Exception) -> None:
        """Memory alone goes on; told once, until the file works again."""
        if self._file is None:
            return
        self._file.close()
        self._retry_due_s = self._read_s() + self._backoff.next_s()
        if self._is_degraded:
            return
        self._is_degraded = True
        path, reason = self._file.path, describe(fault, self._file.path)
        log.error("outbox is in memory only, retrying path=%s reason=%s", path, reason)
        text = f"events that wait are lost when edgecam ends: the outbox {path} cannot be used: {reason}"
        self._tell(NoticeKind.OUTBOX_DEGRADED, NoticeLevel.ERROR, text, reason=reason)

    def _tell(self, kind: NoticeKind, level: NoticeLevel, text: str, **data: str | int | None) -> None:
        # Not told from here: whoever changes something holds locks that a notice needs.
        path = "" if self._file is None else str(self._file.path)
        self._news.append(Notice(kind, level, text, {"path": path, **data}))


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

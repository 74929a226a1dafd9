"""One SQLite file of four small tables, alike: a key, a text, and the order of their coming.

Write-ahead logging, as SD cards wear and power is cut: what must last costs one append and one fsync (a
rollback journal takes three or more, at scattered places), and what may come back after a power cut none. The
lock is held while the file is open: two programs on one outbox would send everything twice.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Table(StrEnum):
    """What is kept."""

    EVENT = "event"
    """Events that no broker has accepted, by id."""
    EPISODE = "episode"
    """The start of each episode that has not ended, by episode."""
    RETAINED = "retained"
    """Topics that a broker may hold something of ours on."""
    SWITCH = "switch"
    """Whether a camera is switched on, by camera."""


Rows = dict[Table, dict[str, str]]
"""All that is kept, in the order of its coming."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row is set, or goes."""

    table: Table
    key: str
    text: str | None
    """None: it goes."""


FAULTS = (sqlite3.Error, OSError)
"""What every method but `close` may raise."""

_VERSION = 1
LOCK_WAIT_S = 0.5
_KEPT_ASIDE = 3
# The log is folded into the file after so many pages of 4 KiB, and cut to that size.
_LOG_PAGES = 128
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LOCKS = Path("/proc/locks")
_SUFFIXES = ("-wal", "-shm", "-journal", "")


class StoreFile:
    """The file; closed after any fault. Not thread-safe, but for any thread."""

    def __init__(self, path: Path) -> None:
        """Args: where it is, or will be."""
        self.path = path
        self._connection: sqlite3.Connection | None = None

    @property
    def is_open(self) -> bool:
        """True from `open` to `close`."""
        return self._connection is not None

    def open(self, *, lock_wait_s: float = LOCK_WAIT_S) -> Rows:
        """Open or make it, check it, and read all of it; waits so long for another program to let it go."""
        self.close()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path, timeout=lock_wait_s, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection)
            rows = {table: _read(connection, table) for table in Table}
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return rows

    def apply(self, changes: Iterable[Change], *, lasting: bool) -> None:
        """Make changes, all or none; `lasting`: on the disk before this returns, safe from a power cut."""
        connection = self._connected()
        # In this mode of logging NORMAL leaves out the fsync, and nothing else.
        connection.execute(f"PRAGMA synchronous = {'FULL' if lasting else 'NORMAL'}")
        with _transaction(connection):
            for change in changes:
                if change.text is None:
                    connection.execute(_sql("DELETE FROM {} WHERE key = ?", change.table), (change.key,))
                else:
                    _put(connection, change.table, [(change.key, change.text)])

    def replace(self, rows: Rows) -> None:
        """Hold these rows and no others, on the disk before this returns."""
        connection = self._connected()
        connection.execute("PRAGMA synchronous = FULL")
        with _transaction(connection):
            for table, content in rows.items():
                connection.execute(_sql("DELETE FROM {}", table))
                _put(connection, table, content.items())

    def set_aside(self) -> Path:
        """Rename what is damaged, for whoever can read it; returns its new name. The newest few are kept."""
        self.close()
        form = re.compile(re.escape(self.path.name) + r"\.corrupt-(\d+)")
        names = (form.fullmatch(file.name) for file in self.path.parent.iterdir())
        numbers = sorted(int(name[1]) for name in names if name)
        for number in numbers[: -(_KEPT_ASIDE - 1)]:
            for suffix in _SUFFIXES:
                self.path.with_name(f"{self.path.name}.corrupt-{number}{suffix}").unlink(missing_ok=True)
        aside = self.path.with_name(f"{self.path.name}.corrupt-{max(numbers, default=0) + 1}")
        # The file itself last: a log that stays behind would be folded into the next one.
        for suffix in _SUFFIXES:
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").replace(f"{aside}{suffix}")
        return aside

    def close(self) -> None:
        """Let it go; idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # A disk that is full or gone cannot fold the log in; the next `open` does.
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            raise OSError("the file is not open")
        return self._connection


def is_damage(fault: Exception) -> bool:
    """Whether a file that gave this fault can never be read again."""
    if not isinstance(fault, sqlite3.DatabaseError):
        return False
    code: int = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF in _DAMAGE


def describe(fault: Exception, path: Path) -> str:
    """For people: what is wrong with the file at `path`, without telling the path."""
    if getattr(fault, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
        pid = _holder(path)
        look = "pgrep -af edgecam" if pid is None else f"ps -fp {pid}"
        return f"another program uses it, most likely another edgecam run with this state: see `{look}`"
    text = getattr(fault, "strerror", None) or str(fault)
    # SQLite says no more than "disk I/O error" of a read-only file system.
    return text if os.access(f"{path.parent}/.", os.W_OK) else f"{text}; it is in no folder to write in"


def _holder(path: Path) -> int | None:
    """The process that has locked it; None: the kernel does not tell, as on some layered file systems."""
    try:
        status = path.stat()
        lines = _LOCKS.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    # 1: POSIX  ADVISORY  WRITE 4711 b3:02:131 0 EOF; of other containers' processes it is no number above 0.
    fields = (line.split() for line in lines)
    held = (field[4] for field in fields if field[5:6] == [f"{device}:{status.st_ino}"])
    return next((int(pid) for pid in held if pid.isdigit() and int(pid) > 0), None)


def _prepare(connection: sqlite3.Connection) -> None:
    """How it is kept, whether it is sound, and its tables."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_PAGES * 4096}")
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"it is damaged: {verdict}")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == _VERSION:
        return
    if version != 0:
        raise sqlite3.DatabaseError(f"expected version {_VERSION} of its form, got {version}")
    with _transaction(connection):
        for table in Table:
            columns = "place INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, text TEXT NOT NULL"
            connection.execute(_sql(f"CREATE TABLE {{}} ({columns})", table))
        connection.execute(f"PRAGMA user_version = {_VERSION}")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _read(connection: sqlite3.Connection, table: Table) -> dict[str, str]:
    return dict(connection.execute(_sql("SELECT key, text FROM {} ORDER BY place", table)))


def _put(connection: sqlite3.Connection, table: Table, rows: Iterable[tuple[str, str]]) -> None:
    insert = "INSERT INTO {} (key, text) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET text = excluded.text"
    connection.executemany(_sql(insert, table), rows)


def _sql(statement: str, table: Table) -> str:
    return statement.format(table.value)

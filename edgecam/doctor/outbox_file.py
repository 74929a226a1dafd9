"""What waits in the outbox's file; it is left untouched, whoever looks."""

from __future__ import annotations

import errno
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from shutil import copyfile

from edgecam.doctor.finding import Area, Finding, Verdict
from edgecam.doctor.processes import lock_holder
from edgecam.publish.store_file import Table

_AS_ROOT = "sudo edgecam doctor, with the same --config"
_ROOM = "make room in /tmp: a copy of it is looked into"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT}
# A copy of it is opened; the default limit of events makes a tenth of this.
_MOST_BYTES = 100_000_000
_COUNT = f"SELECT count(*) FROM {Table.EVENT}"  # noqa: S608 - a table's name of our own


def look(path: Path, root: Path = Path("/")) -> Finding:
    """Its size and how many events wait, if nobody uses it.

    Args:
        path: the file.
        root: where `proc` lies.
    """
    try:
        size_bytes = path.stat().st_size
    except FileNotFoundError:
        return _finding(Verdict.OK, f"{path}: is made at the first start")
    except OSError as error:
        return _finding(Verdict.SKIPPED, f"{path}: cannot be looked at ({error.strerror})", _AS_ROOT)
    shown = f"{path}: {size_bytes / 1000:.0f} kB"
    holder = lock_holder(path, root)
    if holder is not None:
        return _finding(Verdict.OK, f"{shown}, in use by {holder}; its stats say how many events wait")
    if size_bytes > _MOST_BYTES:
        return _finding(Verdict.SKIPPED, f"{shown}, too large to look into")
    return _inside(path, shown)


def _inside(path: Path, shown: str) -> Finding:
    try:
        waiting = _count_events(path)
    except OSError as error:
        remedy = _ROOM if error.errno in _NO_ROOM else _AS_ROOT
        return _finding(Verdict.SKIPPED, f"{shown}, cannot be read ({error.strerror})", remedy)
    except sqlite3.Error as error:
        remedy = "edgecam puts it aside at its next start and begins anew; is the card worn out?"
        return _finding(Verdict.ERROR, f"{shown}, damaged ({error})", remedy)
    return _finding(Verdict.OK, f"{shown}, {waiting} events wait for the broker")


def _count_events(path: Path) -> int:
    """Asked of a copy: opening the file would leave files beside it that belong to this user."""
    with tempfile.TemporaryDirectory(prefix="edgecam-doctor-") as folder:
        copy = Path(folder) / path.name
        copyfile(path, copy)
        log = Path(f"{path}-wal")
        if log.exists():
            copyfile(log, f"{copy}-wal")
        with closing(sqlite3.connect(copy)) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            return int(connection.execute(_COUNT).fetchone()[0])


def _finding(verdict: Verdict, found: str, remedy: str = "") -> Finding:
    return Finding(Area.STORAGE, "outbox", verdict, found, remedy)

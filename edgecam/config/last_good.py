"""The last configuration that ran, for a start at which the file cannot be used; starts that failed."""

from __future__ import annotations

import contextlib
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path


def last_good_path(config: Path, state: Path) -> Path:
    """Where the text of a configuration is kept.

    Args:
        config: the file itself: several may be run with one folder for states.
        state: that folder.
    """
    name = hashlib.sha256(os.fsencode(config.absolute())).hexdigest()[:12]
    return state / f"last-good-{name}.yaml"


def read_text(path: Path) -> str | None:
    """A file's text, to the byte; None: there is none that can be read."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def keep_last_good(path: Path, text: str) -> bool:
    """Keep a text; a power cut leaves the old one or this one, and nothing is written if they are the same.

    Args:
        path: as `last_good_path` gives it.
        text: the configuration file's.

    Returns:
        True if something was written.

    Raises:
        OSError: it cannot be written.
    """
    if read_text(path) == text:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    # Nobody else may read it: cameras' URLs may hold passwords.
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def kept_since(path: Path) -> str:
    """When the text that is there was kept, in UTC, for people; `unknown`: there is none."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(" ", "seconds")
    except OSError:
        return "unknown"


def count_start(kept: Path, text: str) -> int:
    """One more start with a text that has not run yet.

    Args:
        kept: where the last good one lies.
        text: the configuration file's.

    Returns:
        How many starts with it neither came through nor ended in order, this one among them; 0: nobody can
        remember, as the disk is full or read-only.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    before, _, count = (read_text(_starts_path(kept)) or "").partition(" ")
    starts = 1 + (int(count) if before == digest and count.isascii() and count.isdigit() else 0)
    try:
        _starts_path(kept).write_text(f"{digest} {starts}", "utf-8")
    except OSError:
        return 0
    return starts


def forget_starts(kept: Path) -> None:
    """All is well, or the fault is known. Never raises."""
    with contextlib.suppress(OSError):
        _starts_path(kept).unlink()


def _starts_path(kept: Path) -> Path:
    return kept.with_suffix(".starts")

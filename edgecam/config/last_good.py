"""The last configuration that ran, kept for a start at which the file cannot be used."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path


def last_good_path(config: Path, state: Path) -> Path:
    """Where the text of a configuration is kept.

    Args:
        config: the file itself: several may be run with one folder for states.
        state: that folder.
    """
    name = hashlib.sha256(os.fsencode(config.absolute())).hexdigest()[:12]
    return state / f"last-good-{name}.yaml"


def read_last_good(path: Path) -> str | None:
    """The text that is kept; None: none, or none that can be read."""
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
    if read_last_good(path) == text:
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

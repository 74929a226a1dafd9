"""Sees that a file has changed, and waits until it is written to its end."""

from __future__ import annotations

from pathlib import Path

_LOOK_S = 1.0

Signature = tuple[int, int, int]


class FileWatch:
    """Looks once a second; a change counts once two looks have seen the same."""

    def __init__(self, path: Path) -> None:
        """As the file is now, it is known."""
        self._path = path
        self._known = self._before = self._signature()
        self._look_due_s = 0.0

    def forget(self) -> None:
        """As the file is now, it is known: it is about to be read."""
        self._known = self._before = self._signature()

    def has_changed(self, now_s: float) -> bool:
        """Once for each change.

        Args:
            now_s: a clock that never goes back, in seconds.
        """
        if now_s < self._look_due_s:
            return False
        self._look_due_s = now_s + _LOOK_S
        before, self._before = self._before, self._signature()
        # While it is being replaced there may be none for a moment.
        is_settled = self._before is not None and self._before == before
        if not is_settled or self._before == self._known:
            return False
        self._known = self._before
        return True

    def _signature(self) -> Signature | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

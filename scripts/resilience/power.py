"""A power cut, as an outbox meets it: what was written and not synced is gone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("power_cut.c")
# -shm is made anew by whoever opens the file first. A rollback journal, used while the file is made, has been
# removed, and a file system with a journal of its own has that on the disk with the next sync.
_LASTING, _PASSING = ("", "-wal"), ("-shm",)


class Power:
    """Keeps beside an outbox what of it was synced; see `power_cut.c`."""

    def __init__(self, folder: Path, outbox: Path) -> None:
        """Build the library; raises FileNotFoundError without gcc."""
        self._outbox = outbox
        self._synced = folder / "synced"
        self._synced.mkdir()
        library = folder / "power_cut.so"
        gcc = ["gcc", "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC"]
        subprocess.run([*gcc, "-o", library, _SOURCE, "-ldl"], check=True)
        self.environ = {
            "LD_PRELOAD": str(library),
            "SYNCED_OF": str(outbox.resolve()),
            "SYNCED_TO": str(self._synced),
        }
        """For the program whose outbox it is."""

    def cut(self) -> None:
        """Leave of the outbox what was synced; nobody may have it open."""
        for suffix in (*_LASTING, *_PASSING):
            self._outbox.with_name(self._outbox.name + suffix).unlink(missing_ok=True)
        for suffix in _LASTING:
            file = self._outbox.with_name(self._outbox.name + suffix)
            shutil.copy(self._synced / file.name, file)

"""Which programs run here and what they hold, as far as /proc shows it to this user."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A running program."""

    pid: int
    name: str
    is_edgecam: bool
    """It is `edgecam run`."""

    def __str__(self) -> str:
        """For people."""
        return f"{'edgecam run' if self.is_edgecam else self.name} (pid {self.pid})"


def running_edgecams(root: Path = Path("/")) -> list[Process]:
    """Every `edgecam run` of this machine that this user may see."""
    return [process for _, process in _processes(root) if process.is_edgecam]


def holders(device: Path, root: Path = Path("/")) -> list[Process]:
    """Who has a device open, which need not mean that it is in use.

    Args:
        device: the device itself, not a link to it.
        root: where `proc` lies.
    """
    return [process for folder, process in _processes(root) if device in _open_files(folder)]


def lock_holder(path: Path, root: Path = Path("/")) -> Process | None:
    """The program that has locked a file, by /proc/locks, which shows all users' locks."""
    try:
        about = path.stat()
        lines = (root / "proc/locks").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    place = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
    for line in lines:
        # 1: POSIX ADVISORY WRITE 812 fe:00:1234 0 EOF; one that waits for a lock has `->` in front.
        fields = line.split()
        if fields[5:6] == [place]:
            return next((process for _, process in _processes(root) if str(process.pid) == fields[4]), None)
    return None


def _open_files(folder: Path) -> Iterator[Path]:
    """What a process has open; nothing of another user's, which only root may see."""
    try:
        handles = list((folder / "fd").iterdir())
    except OSError:
        return
    for handle in handles:
        with contextlib.suppress(OSError):
            yield handle.readlink()


def _processes(root: Path) -> Iterator[tuple[Path, Process]]:
    for folder in sorted((root / "proc").glob("[0-9]*")):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue
        yield folder, Process(int(folder.name), name, _is_edgecam(words))


def _is_edgecam(words: list[str]) -> bool:
    """True for `…/edgecam run …` and `python -m edgecam run …`."""
    return any(word == "run" and Path(before).name == "edgecam" for before, word in pairwise(words))

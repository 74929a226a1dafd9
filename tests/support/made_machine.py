"""Files of /proc and /sys, made for tests; others load this file by its path."""

from __future__ import annotations

from pathlib import Path


def write(root: Path, name: str, text: str) -> Path:
    """A file of a made machine."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def write_process(root: Path, pid: int, *words: str, files: tuple[Path | str, ...] = ()) -> None:
    """A running program with its command line and what it has open."""
    write(root, f"proc/{pid}/cmdline", "\0".join(words) + "\0")
    write(root, f"proc/{pid}/comm", f"{Path(words[0]).name}\n")
    handles = root / f"proc/{pid}/fd"
    handles.mkdir()
    for number, file in enumerate(files):
        (handles / str(number)).symlink_to(file)

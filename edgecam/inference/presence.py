"""What is there of a delegate, by looking alone: loading a stranger's library could end this process."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

# Besides those of its cache; where there is no cache, these are all.
_FOLDERS = ("lib", "usr/lib", "usr/local/lib", "lib64", "usr/lib64")
_CACHE = "etc/ld.so.cache"
_INTEL = "intel_vpu"


def find_library(names: Iterable[str], root: Path = Path("/")) -> str | None:
    """The first of these that the loader would find; None: it would find none.

    Args:
        names: paths, or names as the loader takes them, `libedgetpu.so.1`.
        root: where `etc` and `usr` lie.
    """
    cache = _read(root / _CACHE)
    given = [Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    folders = [*given, *(root / folder for folder in _FOLDERS)]
    for name in names:
        if "/" in name:
            is_there = (root / name.lstrip("/")).exists()
        else:
            # The cache holds the path of each, with a NUL behind it.
            is_there = f"/{name}\0".encode() in cache or any((folder / name).exists() for folder in folders)
        if is_there:
            return name
    return None


def has_intel_npu(root: Path = Path("/")) -> bool:
    """Whether an accelerator of the kernel's is Intel's, or may be one: sysfs does not show its driver.

    Args:
        root: where `dev` and `sys` lie.
    """
    shown = root / "sys/class/accel"
    drivers = ((shown / node.name / "device/driver") for node in (root / "dev/accel").glob("accel*"))
    return any(not driver.exists() or driver.resolve().name == _INTEL for driver in drivers)


def stamp(path: Path) -> tuple[int, int] | None:
    """What changes when the file does; None: there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""

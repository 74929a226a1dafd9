"""How a model takes the place of another: at once, or the old one steps aside before.

If the power fails then, or the process is killed, whoever next looks for that model puts the old one back.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
from pathlib import Path

INCOMING = ".incoming"
"""Where models are put together, a level deeper than anything is listed or looked for."""
# `~` is in no model's name.
_ASIDE = "~old"
# Of renameat2(2).
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def aside(folder: Path) -> Path:
    """Where the old model lies while the new one, put together in `folder`, takes its place."""
    return folder.with_name(f"{folder.name}{_ASIDE}")


def put_in_place(folder: Path, place: Path) -> None:
    """Let a folder take its place, and leave what was there in `aside`.

    Raises:
        OSError: it cannot; then what was there is there.
    """
    old = aside(folder)
    shutil.rmtree(old, ignore_errors=True)
    if not place.exists():
        folder.rename(place)
    elif _exchange(folder, place):
        # It is done; what was there has only to be cleared away.
        with contextlib.suppress(OSError):
            folder.rename(old)
    else:
        _replace(folder, place, old)


def recovered(path: Path) -> Path | None:
    """Put a model back whose replacement was cut off.

    Args:
        path: of a model directory, or of a file in it, that is not there.

    Returns:
        `path`; if nothing can be written there, where it is instead; None: no such model was left.
    """
    for place in (path, path.parent):
        staged = place.parent / INCOMING / place.name
        old = aside(staged)
        with contextlib.suppress(OSError):
            if not old.is_dir() or place.exists() or _is_at_work(staged):
                continue
            try:
                # Were the new one there by now, this would fail, as that is not empty.
                old.rename(place)
            except OSError:
                return path if place.exists() else old / path.relative_to(place)
            return path
    return None


def recover_all(models: Path) -> list[Path]:
    """Put back what replacements that were cut off have left, and clear away what they have replaced.

    Returns:
        The models that lie aside yet, as nothing can be written here.
    """
    left = []
    # What cannot be looked at is told by those who want more of it.
    with contextlib.suppress(OSError):
        for old in sorted((models / INCOMING).glob(f"*{_ASIDE}")):
            place = models / old.name.removesuffix(_ASIDE)
            if place.exists():
                shutil.rmtree(old, ignore_errors=True)
            elif recovered(place) == old:
                left.append(old)
    return left


def _exchange(folder: Path, place: Path) -> bool:
    """Two folders change places at once, so that a power cut finds one of them there; False: not possible.

    Python has no word for it; Linux does it on all its own file systems.
    """
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    paths = (os.fsencode(path.absolute()) for path in (folder, place))
    ends = [argument for path in paths for argument in (_AT_FDCWD, path)]
    return bool(renameat2(*ends, _RENAME_EXCHANGE) == 0)


def _replace(folder: Path, place: Path, old: Path) -> None:
    """The same in two steps; Ctrl-C between them leaves what was there. For worse there is `recovered`."""
    try:
        place.rename(old)
        folder.rename(place)
    except BaseException:
        if old.exists() and not place.exists():
            old.rename(place)
        raise


def _is_at_work(folder: Path) -> bool:
    """Whether somebody puts a model together there, who goes on with it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # this file system has no locks
    finally:
        os.close(descriptor)
    return False

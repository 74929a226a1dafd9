"""How a model directory comes and goes: whole, by one rename.

It is put together in `models/.incoming/NAME`, a level deeper than anything is listed or looked for.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from edgecam.errors import ModelError, UsageError
from edgecam.model.replacement import INCOMING, aside, put_in_place, recover_all
from edgecam.model.store import CARD_FILE

_TRIES = 10
# Most file systems allow 255 bytes, and there are longer names beside it while it comes and goes.
_MOST_CHARS = 200
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{_MOST_CHARS - 1}}}")


def check_name(name: str) -> str:
    """The name, if it can be that of a model directory.

    Raises:
        UsageError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a model; expected a-z, A-Z, 0-9, `.`, `_` and `-`, the first no sign, "
            f"and no more than {_MOST_CHARS}"
        )
    return name


def check_free(models: Path, name: str, *, force: bool) -> Path:
    """Where the model will lie, if it may.

    Raises:
        UsageError: there is one and `force` is not given, or there is something else.
    """
    place = models / check_name(name)
    recover_all(models)
    if not place.exists() and not place.is_symlink():
        return place
    if not (place / CARD_FILE).is_file() or place.is_symlink():
        raise UsageError(f"{place} exists and is no model directory of its own; give another name")
    if not force:
        raise UsageError(f"{place} exists and is left as it is; give another name, or --force")
    return place


@contextlib.contextmanager
def staged(models: Path, name: str, *, keep: bool = False) -> Iterator[Path]:
    """A folder of one's own to put a model together in; what an earlier try left is in it.

    Args:
        models: the folder that holds model directories; made if it is not there.
        name: of the model.
        keep: leave the folder there when this fails, so that the next try goes on from it.

    Raises:
        ModelError: the folder cannot be written, or somebody else is at work in it.
    """
    folder = models / INCOMING / check_name(name)
    with _writing(folder):
        if folder.is_symlink():
            folder.unlink()  # what it leads to is none of ours
        _make(folder)
    with locked(folder):
        if not keep:
            _empty(folder)
        try:
            yield folder
        except BaseException:
            if not keep or not any(folder.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            with contextlib.suppress(OSError):
                folder.parent.rmdir()  # only if nothing else is in it


def publish(folder: Path, place: Path) -> None:
    """Put a staged model in its place, durably; what was there is replaced.

    Raises:
        ModelError: it cannot be written; then what was there is there.
    """
    with _writing(place):
        for path in (*folder.rglob("*"), folder):
            _sync(path)
        put_in_place(folder, place)
        _sync(place.parent)
    shutil.rmtree(aside(folder), ignore_errors=True)


def withdraw(place: Path) -> None:
    """Remove a model directory; it is gone at once, however long its files take.

    Raises:
        ModelError: it cannot be removed; then it is still there.
    """
    if place.is_symlink():
        with _writing(place):
            place.unlink()
        return
    gone = place.parent / INCOMING / f"{place.name}~removed"
    try:
        with _writing(place):
            # What it had replaced must not come back, nor what an ended removal has left be in the way.
            for left in (aside(gone.with_name(place.name)), gone):
                shutil.rmtree(left, ignore_errors=True)
            _make(gone)
            place.rename(gone / place.name)
            _sync(place.parent)
    finally:
        shutil.rmtree(gone, ignore_errors=True)
        with contextlib.suppress(OSError):
            gone.parent.rmdir()


def discard(models: Path, name: str) -> bool:
    """Remove what an ended `staged` has left of a name; False if it has left nothing.

    Raises:
        ModelError: somebody is at work in it, or it cannot be removed.
    """
    folder = models / INCOMING / check_name(name)
    if not folder.is_dir():
        return False
    with locked(folder), _writing(folder):
        shutil.rmtree(folder)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()
    return True


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only one at work in a folder; raises ModelError: somebody else is, or it cannot be used."""
    with _writing(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not _alone(descriptor, folder):
            raise ModelError(f"{folder}: another edgecam is at work in it; wait for that one")
        yield
    finally:
        os.close(descriptor)


def _alone(descriptor: int, folder: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever was at work in it until now may just have put it in its place.
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:
        return True  # NFS has no locks for folders


def _make(folder: Path) -> None:
    """Raises OSError: it cannot be made."""
    # `.incoming` goes with the last who has used it, at any moment.
    for _ in range(_TRIES):
        with contextlib.suppress(FileNotFoundError):
            folder.mkdir(parents=True, exist_ok=True)
            return
    folder.mkdir(parents=True, exist_ok=True)


def _empty(folder: Path) -> None:
    with _writing(folder):
        children = list(folder.iterdir())
    for path in children:
        remove(path)


def remove(path: Path) -> None:
    """Whatever it is; raises ModelError: it cannot be removed."""
    with _writing(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems have it for files alone.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror
        if error.errno == errno.EXDEV:
            why = "it is of a layer below, as a container's image is; change it there, or use another name"
        raise ModelError(f"{path}: cannot be written: {why}") from error


def copy_file(file: Path, target: Path) -> None:
    """Raises ModelError: the one is no file or cannot be read, or the other not be written."""
    if file.exists() and not file.is_file():
        # A pipe would wait for a writer, and a device may have no end.
        raise ModelError(f"{file}: cannot be copied: it is no file")
    try:
        shutil.copyfile(file, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            target.unlink(missing_ok=True)
        raise ModelError(f"{file}: cannot be copied to {target}: {error.strerror}") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Raises ModelError: it cannot be written."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror}") from error


def write_text(path: Path, text: str) -> None:
    """Raises ModelError: it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror}") from error

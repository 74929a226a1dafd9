"""Results as files that are there whole: what was there before stays until then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from edgecam.errors import EdgecamError


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that is at `path` once the block has ended well, and else never was.

    A link stays one. A device or pipe is written to as it comes.

    Raises:
        EdgecamError: it cannot be opened or finished; what is written to it, `told_of` watches.
    """
    with told_of(path):
        is_device = path.exists() and not path.is_file()
        there = path if is_device else Path(os.path.realpath(path))
        beginning = there if is_device else there.with_name(f".{there.name}.part")
        file = beginning.open("wb")
    try:
        yield file
        with told_of(path):
            file.close()
            if not is_device:
                beginning.replace(there)
    finally:
        # What could not be written or removed before cannot be now, and that was told.
        with suppress(OSError):
            file.close()
        if not is_device:
            with suppress(OSError):
                beginning.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write all of a file that is at `path` once it is whole; raises EdgecamError if that cannot be."""
    with whole_file(path) as file, told_of(path):
        file.write(data)


@contextmanager
def told_of(path: Path) -> Iterator[None]:
    """In the block a file is written to that will be called `path`; raises EdgecamError if it cannot be."""
    try:
        yield
    except OSError as error:
        raise EdgecamError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder of yours with room in it"
        ) from error

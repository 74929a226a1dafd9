"""The small text files of a model: card, labels, groups. What lies in their place may be anything."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_text_file(path: Path, *, most_bytes: int) -> bytes:
    """All that is in a file.

    Args:
        path: the file.
        most_bytes: more is no such file.

    Raises:
        OSError: it cannot be read, is no file but a pipe, a device or a folder, or is longer.
    """
    # A pipe would wait for a writer, and a device may have no end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(most_bytes + 1)
    finally:
        os.close(descriptor)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it has more than {most_bytes} bytes, which is no such text")
    return content

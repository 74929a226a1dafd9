"""The small text files of a model: card, labels, groups. In their place, and in them, may be anything."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

# ESC and the like: all control characters but white space.
_COMMANDS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")


def find_command(text: str) -> int | None:
    """Where in a text the first character is that could command a terminal, as it is shown on one."""
    found = _COMMANDS.search(text)
    return None if found is None else found.start()


def without_commands(text: str) -> str:
    """The same text, without the characters that could command a terminal."""
    return _COMMANDS.sub("", text)


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

"""Is a file the one that was meant? By its length and its hash."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from io import BufferedReader
from pathlib import Path

from edgecam.errors import ModelError

LEAST_DIGITS = 16
"""Of a sha256 that is known in part: 64 bits."""
MOST_BYTES = 1_000_000_000
"""Of a file that is worth a look: hashing one that is mostly a hole would take minutes."""
_WHOLE_DIGITS = 64
_HEAD_BYTES = 64


def is_digest(text: str) -> bool:
    """True for all 64 digits of a sha256, in lower case."""
    return re.fullmatch(rf"[0-9a-f]{{{_WHOLE_DIGITS}}}", text) is not None


def digest_of(path: Path) -> str:
    """The sha256 of a file, 64 digits.

    Raises:
        ModelError: it cannot be read, or no model is so large.
    """
    if _size_bytes(path) > MOST_BYTES:
        raise ModelError(f"{path}: is larger than {MOST_BYTES} bytes, which no model for the edge is")
    try:
        with _opened(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error


def check_file(path: Path, *, shown: str, sha256: str = "", length: int | None = None) -> None:
    """Refuse a file that is not the one that was meant.

    Args:
        path: the file.
        shown: what messages call it.
        sha256: all its digits, or the first ones; empty: any.
        length: in bytes; None: any.

    Raises:
        ModelError: it is another one, or cannot be read; says what it seems to be.
    """
    size = _size_bytes(path)
    if length not in {None, size}:
        expected, got = f"{length} bytes", f"{size}"
    elif not (found := digest_of(path)).startswith(sha256):
        expected, got = f"sha256 {sha256[:12]}…", f"{found[:12]}…"
    else:
        return
    raise ModelError(
        f"{shown}: is not the file that was expected: expected {expected}, got {got}"
        f"{_seems(path)}; look at that address, or try --mirror or --file"
    )


def _size_bytes(path: Path) -> int:
    """Raises ModelError: it cannot be read."""
    try:
        with _opened(path) as file:
            return os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error


def _opened(path: Path) -> BufferedReader:
    """For reading; raises OSError."""
    # A pipe would wait for a writer, and a device may have no end.
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file")
    return path.open("rb")


def _seems(path: Path) -> str:
    """What other files often are in the place of a model."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).lstrip().lower()
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        return " (it is a web page: a login, or a network's notice)"
    if head.startswith(b"version https://git-lfs"):
        return " (it is a pointer of Git LFS, not the file itself)"
    return ""

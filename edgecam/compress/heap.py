"""The memory that batches take and leave, over and over."""

from __future__ import annotations

import ctypes

# From malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_TENSOR_BYTES = 2**30
_MOST_KEPT_BYTES = 2**31 - 1


def keep_freed_memory() -> None:
    """Let this process keep what one batch leaves for the next one; elsewhere than in glibc, nothing.

    By itself glibc takes each large tensor from the system and gives it back: a page fault for every 4 KB,
    which is a fifth of the time that a small network takes to learn.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    # Whoever fixes one fixes the other, at 128 KB.
    if mallopt(_M_MMAP_THRESHOLD, _LARGEST_TENSOR_BYTES):
        mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT_BYTES)

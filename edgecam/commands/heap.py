"""The memory that all threads of a run share; to be asked for before there are any."""

from __future__ import annotations

import ctypes

# From malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
# The most that glibc comes to by itself; a raw frame of 3840x2160 pixels has 25 MB.
_KEPT_BYTES = 32 * 1024 * 1024


def use_one_heap() -> None:
    """Let all threads of this process share one heap, and keep in it what frames leave; for glibc only.

    glibc gives each thread a heap of its own, up to eight a core, and what is freed in one is of no use to
    the others. Engines are opened in threads that come and go with the configuration, so that heap after heap
    grows to what an engine takes while it opens. Threads seldom meet at the lock of the one heap: they
    allocate a few times a frame.

    What frames leave at the heap's end stays for the next ones, until `give_back_memory`: to the system and
    back it would cost a page fault for every 4 KB of every frame.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_ARENA_MAX, 1)
    # Whoever fixes one fixes the other, at 128 KB. An old 32-bit glibc refuses the first: then neither is.
    if mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES):
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)

"""The C library's memory: one heap for all threads, and what was freed goes back to the system.

Only glibc can be asked for either; with other C libraries nothing is done.
"""

from __future__ import annotations

import ctypes

# From malloc.h.
_M_ARENA_MAX = -8


def use_one_heap() -> None:
    """Let all threads of this process share one heap; to be called before there are any.

    glibc gives each thread a heap of its own, up to eight a core, and what is freed in one is of no use to
    the others. Engines are opened in threads that come and go with the configuration, so that heap after heap
    grows to what an engine takes while it opens. Threads seldom meet at the lock of the one heap: they
    allocate a few times a frame.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def give_back_memory() -> None:
    """Let the C library return what it keeps of freed memory; a few milliseconds.

    An engine's weights lie in many blocks. glibc keeps them for later, in pieces that the next engine does
    not fit into, so that a process whose engine is opened anew again and again would grow. It keeps, too,
    what a model's file took while it was read.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

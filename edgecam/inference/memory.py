"""What was freed goes back to the system."""

from __future__ import annotations

import ctypes


def give_back_memory() -> None:
    """Let the C library return what it keeps of freed memory; a few milliseconds.

    An engine's weights lie in many blocks. glibc keeps them for later, in pieces that the next engine does
    not fit into, so that a process whose engine is opened anew again and again would grow. It keeps, too,
    what a model's file took while it was read. Does nothing with other C libraries.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

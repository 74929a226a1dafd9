"""What one batch leaves serves the next one."""

from __future__ import annotations

import ctypes
import platform
import resource

import pytest

from edgecam.compress.heap import keep_freed_memory

_ROUNDS, _BYTES, _PAGE_BYTES = 10, 2**26, 4096


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc is told what to keep: not checked here"
)
def test_large_tensors_are_made_of_memory_that_is_there() -> None:
    """A page is faulted in once, not anew for each tensor."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    keep_freed_memory()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(_ROUNDS):
        place = ctypes.c_void_p(libc.malloc(_BYTES))
        ctypes.memset(place, 1, _BYTES)
        libc.free(place)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < 3 * _BYTES / _PAGE_BYTES

"""A child process ends with its parent, whatever a library does in it, or before it; and how it has ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_FIRST_OF_ALL = "1000"
"""See proc_pid_oom_score_adj(5)."""


def end_with(parent: int) -> None:
    """Let the kernel end this process with the thread that started it, even while a library hangs.

    Args:
        parent: the process id of who started it; if that has ended already, so does this one, now.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(0)


def end_before_us(child: int) -> None:
    """Where the kernel has to end some process for want of memory: that one, which we can do without.

    Args:
        child: the process id of one that was just started, before it takes much.
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{child}/oom_score_adj").write_text(_FIRST_OF_ALL, encoding="ascii")


def how_it_ended(code: int) -> str:
    """`SIGABRT`, `signal 40`, `exit code 3`.

    Args:
        code: as `subprocess` has it.
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # a real-time signal
        return f"signal {-code}"

"""A synthetic load: child processes that burn CPU, each up to one core.

`python -m edgecam.measure.load SECONDS` is such a child. It ends after that time whatever happens, and when
its stdin is closed, which a dying parent does, too.
"""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# Between two looks at stdin: a few milliseconds of work on a small board.
_STEPS = 50_000
_STOP_S = 2.0


@contextlib.contextmanager
def cpu_load(processes: int, *, at_most_s: float) -> Iterator[None]:
    """Within it, so many processes burn CPU.

    Args:
        processes: how many; 0: none.
        at_most_s: they end by themselves after this.
    """
    children: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(processes):
            command = [sys.executable, "-m", "edgecam.measure.load", f"{at_most_s:g}"]
            child = subprocess.Popen(  # noqa: S603 - this interpreter, this module
                command,
                stdin=subprocess.PIPE,
                # `-m` looks here first: the same edgecam as ours.
                cwd=Path(__file__).parents[2],
                # Ctrl-C goes to the terminal's group, and would be told by each child.
                process_group=0,
            )
            children.append(child)
        yield
    finally:
        for child in children:
            child.kill()
        for child in children:
            with child:
                child.wait(_STOP_S)


def burn(seconds: float) -> None:
    """Count, until the time is over or stdin is closed."""
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s and not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(_STEPS):
            pass


if __name__ == "__main__":
    burn(float(sys.argv[1]))

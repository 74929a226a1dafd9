"""Runs a command of the user's to its end, and ends with it all that it has started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command has ended."""

    code: int | None
    """As `subprocess` has it; None: it was not over in time."""
    said: str
    complaint: str
    """What it wrote to stderr."""


def run_to_end(words: Sequence[str], *, timeout_s: float) -> Ended:
    """Run a command in a session of its own; nothing of that session is there afterwards, nor after Ctrl-C.

    Args:
        words: the program and its arguments; no shell looks at them.
        timeout_s: then it is ended.

    Raises:
        OSError: it cannot be started.
    """
    # Files, not pipes: what it leaves in the background may hold them open, and nobody waits for that.
    with TemporaryFile() as out, TemporaryFile() as err:
        process = subprocess.Popen(  # noqa: S603 - the user's own command, and no shell
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        in_time = False
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout_s)
                in_time = True
        finally:
            # It leads a group of its own, which is there for as long as somebody is in it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return Ended(process.returncode if in_time else None, _text(out), _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")

"""Where tables are printed."""

from __future__ import annotations

import sys

from rich.console import Console

# rich takes 80 columns for what is no terminal, and would break paths and digests that a program wants whole.
_PIPE_COLUMNS = 400


def result_console() -> Console:
    """stdout: as wide as the terminal, or wide enough for any line when it is a pipe or a file."""
    return Console() if sys.stdout.isatty() else Console(width=_PIPE_COLUMNS)


def error_console() -> Console:
    """stderr, for questions and progress."""
    return Console(stderr=True)

"""Where tables are printed."""

from __future__ import annotations

import io
import re
import sys
from typing import TextIO, cast

from rich.console import Console

# rich takes 80 columns for what is no terminal, and would break paths and digests that a program wants whole.
_PIPE_COLUMNS = 400
_TRAILING = re.compile(r" +$", re.MULTILINE)


class _Trimmed(io.TextIOBase):
    """Lets text through without the blanks at the ends of lines: a table pads all rows to its longest."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a variable, io a property
        return self._out.encoding

    def write(self, text: str) -> int:
        self._out.write(_TRAILING.sub("", text))
        return len(text)

    def flush(self) -> None:
        self._out.flush()


def result_console() -> Console:
    """stdout: as wide as the terminal, or wide enough for any line when it is a pipe or a file."""
    if sys.stdout.isatty():
        return Console()
    return Console(file=cast("TextIO", _Trimmed(sys.stdout)), width=_PIPE_COLUMNS)


def error_console() -> Console:
    """stderr, for questions and progress."""
    return Console(stderr=True)

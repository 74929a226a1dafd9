"""What the options of `edgecam bench` mean that are more than a number or a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgecam.errors import UsageError
from edgecam.inference.choice import AUTO, CPU, Wish

_MOST_THREADS = 64


def parse_threads(text: str) -> list[int]:
    """`1,2,4`, each once and in order; raises UsageError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= _MOST_THREADS for part in parts):
        raise UsageError(f"--threads: expected numbers from 1 to {_MOST_THREADS} such as 1,2,4, got {text!r}")
    return sorted({int(part) for part in parts})


def parse_wish(delegate: str | None, options: Sequence[str]) -> Wish | None:
    """What --delegate and --delegate-option say; a path is one from here. Raises UsageError."""
    if delegate is None:
        if options:
            raise UsageError("--delegate-option is for --delegate; give that too")
        return None
    if delegate in {AUTO, CPU}:
        raise UsageError(f"--delegate: expected a delegate's name or its library's path, got {delegate!r}")
    pairs = [text.partition("=") for text in options]
    for text, (key, equals, _) in zip(options, pairs, strict=True):
        if not key or not equals:
            raise UsageError(f"--delegate-option: expected KEY=VALUE such as device=usb:0, got {text!r}")
    wish = Wish(delegate, {key: value for key, _, value in pairs})
    try:
        wish.check()
    except ValueError as error:
        raise UsageError(f"--delegate: {error}") from None
    return wish.placed(Path.cwd())


def parse_size(text: str) -> tuple[int, int]:
    """`640x480`; raises UsageError."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):  # noqa: PLR2004 - two sides
        raise UsageError(f"--size: expected WIDTHxHEIGHT such as 640x480, got {text!r}")
    return int(parts[0]), int(parts[1])

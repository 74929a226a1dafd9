"""The labels: one class name per line, in the order of the network's outputs."""

from __future__ import annotations

from pathlib import Path

from edgecam.errors import ModelError
from edgecam.model.text_file import find_command, read_text_file

BACKGROUND = "background"
"""What output 0 is called when the card has a background offset."""
MOST_BYTES = 4_000_000
"""ImageNet's labels have 22 kB, iNaturalist's 20 times that; more is no list of labels."""


def read_labels(path: Path) -> tuple[str, ...]:
    """Read a labels file: UTF-8, one label a line; empty lines only at the end.

    Raises:
        ModelError: absent, unreadable, too long, not UTF-8, empty, or an empty line in between.
    """
    try:
        return parse_labels(read_text_file(path, most_bytes=MOST_BYTES), name=str(path))
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such labels file") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error


def parse_labels(content: bytes, *, name: str) -> tuple[str, ...]:
    """As `read_labels`, of bytes already read; `name` is for messages."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ModelError(f"{name}:{line}: is not UTF-8 text; save it as UTF-8") from error
    if (command := find_command(text)) is not None:
        line = text.count("\n", 0, command) + 1
        raise ModelError(f"{name}:{line}: has a control character, {text[command]!r}; take it out")
    # Only newlines end a line: a label may hold what str.splitlines takes for a line's end.
    labels = tuple(line.strip() for line in text.rstrip().split("\n"))
    if labels == ("",):
        raise ModelError(f"{name}: is empty; expected one label a line")
    if "" in labels:
        raise ModelError(f"{name}:{labels.index('') + 1}: is empty; every output needs a label")
    return labels


def fit_labels(labels: tuple[str, ...], classes: int, *, offset: int, path: Path) -> tuple[str, ...]:
    """One label for each of `classes` outputs; `offset` 1 puts `background` before them.

    Raises:
        ModelError: the counts disagree, with what to change.
    """
    if len(labels) + offset == classes:
        return (BACKGROUND,) * offset + labels
    counts = f"{path}: has {len(labels)} labels, but the model has {classes} outputs"
    if offset and len(labels) == classes:
        raise ModelError(f"{counts}: they already match, so remove output.background_offset from the card")
    if len(labels) + 1 == classes:
        raise ModelError(
            f"{counts}: if output 0 is a background class, put a first line `{BACKGROUND}` there "
            "or set `output.background_offset: 1` in the card"
        )
    if len(labels) == classes + 1 and labels[0].lower() == BACKGROUND:
        raise ModelError(f"{counts}: remove line 1, {labels[0]!r}, which this model does not have")
    if len(labels) > classes:
        extra = labels[classes - offset]
        raise ModelError(f"{counts}: remove line {classes - offset + 1} ({extra!r}) and what follows")
    raise ModelError(f"{counts}: {classes - offset - len(labels)} are missing; use the model's own labels")

"""The model directory of a network that was made of another model's: what is kept, and where it may lie."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from edgecam.errors import UsageError
from edgecam.model.card import DEFAULT_FILE, Card
from edgecam.model.card_text import card_text
from edgecam.model.graph import parse_graph
from edgecam.model.staging import check_free, copy_file, write_bytes, write_text
from edgecam.model.store import CARD_FILE, GROUPS_FILE, LABELS_FILE

_KEPT_FILES = (LABELS_FILE, GROUPS_FILE, "LICENSE", "NOTICE")


def new_place(model: Path, out: Path, *, force: bool) -> Path:
    """Where the new directory will lie.

    Args:
        model: what it is made of, which stays.
        out: what the user wants.
        force: replace a model directory.

    Raises:
        UsageError: something else is there, or `model` itself.
    """
    # By the folder, not its name: case may not count.
    if out.exists() and model.exists() and out.samefile(model):
        raise UsageError(f"{out}: is the very model that this is made of; give another --out")
    return check_free(out.parent, out.name, force=force)


def write_successor(folder: Path, original: Path, tflite: bytes, card: Card) -> Card:
    """Write the network, its card, and what is kept of the original: labels, groups, licence.

    Args:
        folder: a staged one, called as the new model.
        original: the directory of the other model.
        tflite: the network.
        card: what is said of it; what the file says itself is filled in.

    Returns:
        The card as it was written.

    Raises:
        ModelError: a file cannot be read or written.
    """
    file = folder / DEFAULT_FILE
    write_bytes(file, tflite)
    for kept in _KEPT_FILES:
        if (original / kept).is_file():
            copy_file(original / kept, folder / kept)
    graph = parse_graph(tflite, path=file)
    card = replace(
        card,
        name=folder.name,
        file=DEFAULT_FILE,
        sha256=hashlib.sha256(tflite).hexdigest(),
        parameters=graph.parameters,
        macs=graph.macs,
        twins={},
    )
    write_text(folder / CARD_FILE, card_text(card))
    return card

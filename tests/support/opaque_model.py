"""A model directory around a file that only its engine can read."""

from __future__ import annotations

import hashlib
from pathlib import Path

_CARD = """\
schema: 1
name: net
file: {file}
sha256: {sha256}
input: {{width_px: {width_px}, height_px: {height_px}, mean: 0, std: {std}}}
output: {{kind: probabilities}}
licence: Apache-2.0
source: made by a test
"""


def write_folder(
    folder: Path, file: str, *, labels: tuple[str, ...], width_px: int, height_px: int, std: float = 1
) -> Path:
    """The directory `folder`, with some bytes in the place of the network."""
    folder.mkdir(parents=True)
    data = b"\x01HEF or whatever"
    (folder / file).write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    card = _CARD.format(file=file, sha256=sha256, width_px=width_px, height_px=height_px, std=std)
    (folder / "card.yaml").write_text(card, encoding="utf-8")
    (folder / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    return folder

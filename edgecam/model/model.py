"""The record of one usable model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgecam.model.card import Card


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose file, card, labels and groups were checked against each other."""

    name: str
    path: Path
    """The `.tflite` or `.onnx` file."""
    sha256: str
    card: Card
    labels: tuple[str, ...]
    """One per output of the network, in its order; a background offset is already applied."""
    groups: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Group name to output indices; a background offset is already applied."""

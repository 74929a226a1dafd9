"""TFLite metadata: what some models say of themselves (labels, normalisation).

A second flatbuffer inside the model describes its tensors; the files that it names (labels) are in a
zip archive appended to the model. Field numbers are those of metadata_schema.fbs (tflite-support).
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from edgecam.errors import ModelError
from edgecam.model.flatbuffer import Buffer, Table
from edgecam.model.labels import MOST_BYTES
from edgecam.model.text_file import without_commands

_IDENTIFIER = b"M001"
_NORMALIZATION = 1
_AXIS_LABELS = 2
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    KeyError,
)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a model says of itself; empty where it says nothing."""

    name: str = ""
    description: str = ""
    licence: str = ""
    mean: tuple[float, ...] = ()
    """On 0..255 pixels: real input = (pixel - mean) / std."""
    std: tuple[float, ...] = ()
    labels: bytes | None = None
    """The labels file of the first output, as it is in the archive."""


def read_metadata(block: memoryview, data: bytes, *, name: str) -> Metadata:
    """Read the metadata flatbuffer `block` of the model `data`; `name` is for messages.

    Raises:
        ModelError: the block is damaged.
    """
    if block[4:8] != _IDENTIFIER:
        return Metadata()
    root = Buffer(block, name=f"{name} (metadata)").root
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels_name = ""
    for subgraph in root.tables(3)[:1]:
        for tensor in subgraph.tables(2)[:1]:
            mean, std = _normalization(tensor.tables(4))
        for tensor in subgraph.tables(3)[:1]:
            labels_name = _labels_name(tensor.tables(6))
    return Metadata(
        name=without_commands(root.text(0)),
        description=without_commands(root.text(1)),
        licence=without_commands(root.text(5)),
        mean=mean,
        std=std,
        labels=_archived(data, labels_name, name=name) if labels_name else None,
    )


def _normalization(units: Iterable[Table]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for unit in units:
        options = unit.table(1) if unit.scalar(0, "B") == _NORMALIZATION else None
        if options is not None:
            return options.scalars(0, "f"), options.scalars(1, "f")
    return (), ()


def _labels_name(files: Iterable[Table]) -> str:
    return next((file.text(0) for file in files if file.scalar(2, "b") == _AXIS_LABELS), "")


def _archived(data: bytes, member: str, *, name: str) -> bytes | None:
    """A file of the appended archive; None when it is not there or cannot be unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(member) as file:
            content = file.read(MOST_BYTES + 1)
    except _ZIP_FAULTS:
        return None
    if len(content) > MOST_BYTES:
        raise ModelError(f"{name}: its labels file {member} has more than {MOST_BYTES} bytes")
    return content

"""Makes small real `.tflite` models for tests: a fully connected layer and a softmax over one picture.

Nothing of a converter is needed, so every good and bad variant can be made where it is tested.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray
from tiny_flatbuffer import Stored, Writer

_INPUT_SCALE = 1 / 128
_WEIGHT_SCALE = 1 / 500
_LOGIT_SCALE = 1 / 8
_ZERO_POINT = {"uint8": 128, "int8": 0}


@dataclass(frozen=True)
class Tiny:
    """What to make. The defaults are a model that runs."""

    dtype: str = "uint8"
    """Of input, weights and output: uint8, int8 or float32 (others make a model that must be refused)."""
    shape: tuple[int, ...] = (1, 8, 8, 3)
    signature: tuple[int, ...] = ()
    """The input's shape with -1 for what is free."""
    classes: int = 4
    softmax: bool = True
    custom_op: str | None = None
    """Replaces the layers by this one custom operator."""
    inputs: int = 1
    output_shape: tuple[int, ...] | None = None
    external: bool = False
    """Weights after the flatbuffer, as large models have them."""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    """These three go into TFLite metadata."""
    dead: bool = False
    """All weights are zero."""


def weights(tiny: Tiny) -> NDArray[np.float32]:
    """The (classes, inputs) float weights: multiples of the weight scale, so quantizing is exact."""
    count = abs(int(np.prod(tiny.shape)))
    steps = np.random.default_rng(7).integers(-60, 61, (tiny.classes, count))
    return (steps * (0.0 if tiny.dead else _WEIGHT_SCALE)).astype(np.float32)


def make(tiny: Tiny) -> bytes:
    """The `.tflite` file."""
    if not tiny.external:
        return _finish(tiny, 0)
    # The data's place is known once the flatbuffer's length is; both passes have the same length.
    draft = _finish(tiny, 1 << 40)
    return _finish(tiny, len(draft)) + _quantized_weights(tiny).tobytes()


def _finish(tiny: Tiny, outside_at: int) -> bytes:
    w = Writer()
    tensors = _tensors(tiny)
    block = _metadata_block(tiny)
    codes, operators = _operators(tiny, w)
    # Buffer 0 is empty by convention; buffer i + 1 belongs to tensor i, the last one to the metadata.
    buffers = [w.buffer(b"")]
    for index, tensor in enumerate(tensors):
        outside = outside_at and index == tiny.inputs and tensor.data
        buffers.append(w.buffer(b"", (outside_at, len(tensor.data))) if outside else w.buffer(tensor.data))
    buffers.append(w.buffer(block))
    last = 0 if tiny.custom_op else 2 if not tiny.softmax else 3
    graph = w.subgraph(
        w.tables([w.tensor(tensor, index + 1) for index, tensor in enumerate(tensors)]),
        w.tables(operators),
        range(tiny.inputs),
        [tiny.inputs + last],
    )
    entries = [w.metadata("TFLITE_METADATA", len(buffers) - 1)] if block else []
    data = w.model(w.tables(codes), w.tables([graph]), w.tables(buffers), w.tables(entries))
    return data + _archive(tiny)


def _tensors(tiny: Tiny) -> list[Stored]:
    scaled = tiny.dtype in _ZERO_POINT
    zero = _ZERO_POINT.get(tiny.dtype, 0)
    scale = _INPUT_SCALE if scaled else None
    pictures = [
        Stored(f"picture{i}", tiny.shape, tiny.dtype, scale, zero, signature=tiny.signature)
        for i in range(tiny.inputs)
    ]
    out_shape = tiny.output_shape or (1, tiny.classes)
    lowest = 0 if tiny.dtype == "uint8" else -128
    scores = Stored("scores", out_shape, tiny.dtype, 1 / 256 if scaled else None, lowest if scaled else 0)
    if tiny.custom_op:
        return [*pictures, scores]
    matrix = _quantized_weights(tiny)
    bias = np.zeros(tiny.classes, "int32" if scaled else "float32")
    logits = Stored("logits", out_shape, tiny.dtype, _LOGIT_SCALE if scaled else None, zero)
    middle = [
        Stored(
            "weights", matrix.shape, tiny.dtype, _WEIGHT_SCALE if scaled else None, zero, matrix.tobytes()
        ),
        Stored(
            "bias",
            bias.shape,
            bias.dtype.name,
            _INPUT_SCALE * _WEIGHT_SCALE if scaled else None,
            0,
            bias.tobytes(),
        ),
        logits,
    ]
    return [*pictures, *middle, *([scores] if tiny.softmax else [])]


def _quantized_weights(tiny: Tiny) -> NDArray[Any]:
    matrix = weights(tiny)
    if tiny.dtype not in _ZERO_POINT:
        return matrix.astype(tiny.dtype)
    steps = np.rint(matrix / _WEIGHT_SCALE) + _ZERO_POINT[tiny.dtype]
    return np.asarray(steps, tiny.dtype)


def _operators(tiny: Tiny, w: Writer) -> tuple[list[int], list[int]]:
    builtin = tflite.BuiltinOperator
    n = tiny.inputs
    if tiny.custom_op:
        code = w.code(builtin.CUSTOM, custom=tiny.custom_op)
        return [code], [w.operator(0, range(n), [n], tflite.BuiltinOptions.NONE)]
    is_int8 = tiny.dtype == "int8"
    codes = [w.code(builtin.FULLY_CONNECTED, 4 if is_int8 else 1)]
    steps = [w.operator(0, [0, n, n + 1], [n + 2], tflite.BuiltinOptions.FullyConnectedOptions)]
    if tiny.softmax:
        codes.append(w.code(builtin.SOFTMAX, 2 if is_int8 else 1))
        steps.append(w.operator(1, [n + 2], [n + 3], tflite.BuiltinOptions.SoftmaxOptions))
    return codes, steps


def _metadata_block(tiny: Tiny) -> bytes:
    """The metadata flatbuffer; table layouts from metadata_schema.fbs."""
    if not (tiny.mean or tiny.std or tiny.labels):
        return b""
    w = Writer()

    def table(fields: int, *offsets: tuple[int, int], flags: tuple[tuple[int, int], ...] = ()) -> int:
        w.b.StartObject(fields)
        for slot, offset in offsets:
            w.b.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, value in flags:
            w.b.PrependUint8Slot(slot, value, 0)
        return int(w.b.EndObject())

    options = table(2, (0, w.floats(tiny.mean)), (1, w.floats(tiny.std)))
    unit = table(2, (1, options), flags=((0, 1),))
    entering = table(7, (4, w.tables([unit])))
    files = [table(5, (0, w.b.CreateString("labels.txt")), flags=((2, 2),))] if tiny.labels else []
    leaving = table(7, (6, w.tables(files)))
    graph = table(5, (2, w.tables([entering])), (3, w.tables([leaving])))
    root = table(8, (0, w.b.CreateString("tiny")), (3, w.tables([graph])))
    w.b.Finish(root, b"M001")
    return bytes(w.b.Output())


def _archive(tiny: Tiny) -> bytes:
    if not tiny.labels:
        return b""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("labels.txt", "\n".join(tiny.labels) + "\n")
    return content.getvalue()


CARD = """\
name: {name}
description: A made model for tests
sha256: {sha256}
input: {{width_px: {width}, height_px: {height}, mean: 128, std: 128, color: {color}}}
output: {{kind: probabilities}}
licence: Apache-2.0
source: made by the test
"""


LABELS = ("cat", "dog", "cup", "rocket")
GROUPS = """\
pet: {about: Lives with people, classes: [0, 1]}
thing: {about: Is no animal, classes: [2, 3]}
"""


def write_folder(folder: Path, tiny: Tiny, *, labels: Sequence[str] = LABELS) -> Path:
    """A whole model directory with two groups; tests then change what they want to be wrong."""
    folder.mkdir(parents=True)
    data = make(tiny)
    (folder / "model.tflite").write_bytes(data)
    card = CARD.format(
        name=folder.name,
        sha256=hashlib.sha256(data).hexdigest(),
        width=tiny.shape[2],
        height=tiny.shape[1],
        color="gray" if tiny.shape[3] == 1 else "rgb",
    )
    (folder / "card.yaml").write_text(card, encoding="utf-8")
    (folder / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    (folder / "groups.yaml").write_text(GROUPS, encoding="utf-8")
    return folder

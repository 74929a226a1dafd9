"""Makes the network of `make_tiny_model` as an `.onnx` file: the same weights, channels first or last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from make_tiny_model import Tiny, weights
from numpy.typing import NDArray

_FLOAT = 1


def make_onnx(
    tiny: Tiny,
    *,
    channels_first: bool = True,
    batch: str | int = 1,
    sides: str | None = None,
    shapes: bool = False,
    external: bool = False,
) -> bytes:
    """The file.

    Args:
        tiny: its shape (NHWC) and classes are heard.
        channels_first: NCHW with one convolution as large as the picture; else NHWC with a matrix product.
        batch: a name, or a number: -1 for one that is free and unnamed.
        sides: a name for height and width that are free.
        shapes: says of what shape the tensors between input and output are.
        external: claims that the weights are in another file.
    """
    _, height, width, channels = tiny.shape
    matrix = weights(tiny)
    if channels_first:
        kernel = matrix.reshape(tiny.classes, height, width, channels).transpose(0, 3, 1, 2)
        nodes = [_node("Conv", ["picture", "weights"], "raw"), _node("Flatten", ["raw"], "logits")]
        stored = kernel
        ends = [batch, channels, sides or height, sides or width]
        between = [("raw", [batch, tiny.classes, 1, 1])]
    else:
        nodes = [_node("Flatten", ["picture"], "flat"), _node("MatMul", ["flat", "weights"], "logits")]
        stored = matrix.T
        ends = [batch, sides or height, sides or width, channels]
        between = [("flat", [batch, matrix.shape[1]]), ("logits", [batch, tiny.classes])]
    nodes.append(_node("Softmax", ["logits"], "scores"))
    graph = b"".join(
        (
            *(_block(1, node) for node in nodes),
            _block(2, b"tiny"),
            _block(5, _tensor("weights", stored, external=external)),
            _block(11, _end("picture", ends)),
            _block(12, _end("scores", [batch, tiny.classes])),
            *(_block(13, _end(name, shape)) for name, shape in between if shapes),
        )
    )
    opset = _block(1, b"") + _number(2, 13)
    return _number(1, 8) + _block(7, graph) + _block(8, opset)


def _node(kind: str, inputs: Iterable[str], output: str) -> bytes:
    given = b"".join(_block(1, name.encode()) for name in inputs)
    return given + _block(2, output.encode()) + _block(4, kind.encode())


def _tensor(name: str, values: NDArray[np.float32], *, external: bool) -> bytes:
    dims = b"".join(_number(1, size) for size in values.shape)
    place = _number(14, 1) if external else b""
    return dims + _number(2, _FLOAT) + _block(8, name.encode()) + _block(9, values.tobytes()) + place


def _end(name: str, shape: Sequence[str | int]) -> bytes:
    dims = b"".join(
        _block(
            1, _block(2, size.encode()) if isinstance(size, str) else b"" if size < 0 else _number(1, size)
        )
        for size in shape
    )
    kind = _block(1, _number(1, _FLOAT) + _block(2, dims))
    return _block(1, name.encode()) + _block(2, kind)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _block(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])

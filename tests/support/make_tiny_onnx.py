"""Makes the network of `make_tiny_model` as an `.onnx` file: the same weights, channels first or last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from make_tiny_model import Tiny, weights
from numpy.typing import NDArray

_FLOAT, _BYTE = 1, 2

Hidden = Literal["node", "branch", "sparse", "function", "second graph"]


def make_onnx(
    tiny: Tiny,
    *,
    channels_first: bool = True,
    batch: str | int = 1,
    sides: str | None = None,
    shapes: bool = False,
    external: bool = False,
    in_node: bool = False,
    hidden: Hidden | None = None,
    quantized: bool = False,
    zero_point: float | None = None,
) -> bytes:
    """The file.

    Args:
        tiny: its shape (NHWC) and classes are heard.
        channels_first: NCHW with one convolution as large as the picture; else NHWC with a matrix product.
        batch: a name, or a number: -1 for one that is free and unnamed.
        sides: a name for height and width that are free.
        shapes: says of what shape the tensors between input and output are.
        external: claims that the weights are in another file.
        in_node: the weights are what a node of the kind Constant makes.
        hidden: a constant that claims the same lies there.
        quantized: uint8 in and out, with the scales of the `.tflite`; the weights stay as they are.
        zero_point: of the input, as float32; None: 128 as uint8.
    """
    _, height, width, channels = tiny.shape
    matrix = weights(tiny)
    picture = "real picture" if quantized else "picture"
    if channels_first:
        kernel = matrix.reshape(tiny.classes, height, width, channels).transpose(0, 3, 1, 2)
        nodes = [_node("Conv", [picture, "weights"], "raw"), _node("Flatten", ["raw"], "logits")]
        stored = kernel
        ends = [batch, channels, sides or height, sides or width]
        between = [("raw", [batch, tiny.classes, 1, 1])]
    else:
        nodes = [_node("Flatten", [picture], "flat"), _node("MatMul", ["flat", "weights"], "logits")]
        stored = matrix.T
        ends = [batch, sides or height, sides or width, channels]
        between = [("flat", [batch, matrix.shape[1]]), ("logits", [batch, tiny.classes])]
    nodes.append(_node("Softmax", ["logits"], "real scores" if quantized else "scores"))
    constants = [_tensor("weights", stored, external=external)]
    if in_node:
        value = _block(1, b"value") + _block(5, constants.pop())
        nodes.insert(0, _block(2, b"weights") + _block(4, b"Constant") + _block(5, value))
    if quantized:
        nodes.insert(0, _node("DequantizeLinear", ["picture", "scale", "zero"], picture))
        nodes.append(_node("QuantizeLinear", ["real scores", "out scale", "out zero"], "scores"))
        for name, scale in (("scale", 1 / 128), ("out scale", 1 / 256)):
            constants.append(_tensor(name, np.array(scale, np.float32)))
        zero = np.array(128, np.uint8) if zero_point is None else np.array(zero_point, np.float32)
        constants += [_tensor("zero", zero), _tensor("out zero", np.array(0, np.uint8))]
    graph = b"".join(
        (
            *(_block(1, node) for node in nodes),
            _block(2, b"tiny"),
            *(_block(5, constant) for constant in constants),
            _block(11, _end("picture", ends, kind=_BYTE if quantized else _FLOAT)),
            _block(12, _end("scores", [batch, tiny.classes], kind=_BYTE if quantized else _FLOAT)),
            *(_block(13, _end(name, shape)) for name, shape in between if shapes),
        )
    )
    apart = _tensor("apart", np.zeros(4, np.float32), external=True)
    constant = (
        _block(2, b"apart") + _block(4, b"Constant") + _block(5, _block(1, b"value") + _block(5, apart))
    )
    match hidden:
        case "node":
            graph += _block(1, constant)
        case "branch":
            graph += _block(1, _block(4, b"If") + _block(5, _block(6, _block(1, constant))))
        case "sparse":
            graph += _block(15, _block(1, apart))
    others = {"function": _block(25, _block(7, constant)), "second graph": _block(7, _block(1, constant))}
    opset = _block(1, b"") + _number(2, 13)
    return _number(1, 8) + _block(7, graph) + _block(8, opset) + others.get(hidden or "", b"")


def _node(kind: str, inputs: Iterable[str], output: str) -> bytes:
    given = b"".join(_block(1, name.encode()) for name in inputs)
    return given + _block(2, output.encode()) + _block(4, kind.encode())


def _tensor(name: str, values: NDArray[Any], *, external: bool = False) -> bytes:
    dims = b"".join(_number(1, size) for size in values.shape)
    place = _number(14, 1) if external else b""
    kind = _number(2, _FLOAT if values.dtype == np.float32 else _BYTE)
    return dims + kind + _block(8, name.encode()) + _block(9, values.tobytes()) + place


def _end(name: str, shape: Sequence[str | int], *, kind: int = _FLOAT) -> bytes:
    dims = b"".join(
        _block(
            1, _block(2, size.encode()) if isinstance(size, str) else b"" if size < 0 else _number(1, size)
        )
        for size in shape
    )
    tensor = _block(1, _number(1, kind) + _block(2, dims))
    return _block(1, name.encode()) + _block(2, tensor)


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

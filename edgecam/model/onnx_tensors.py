"""The tensors in an `.onnx` file: what is stored, and what is said of those that are computed.

Field numbers are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.model.network import Tensor
from edgecam.model.protobuf import Field, block, fields_of, messages, numbers, text

FREE = -1
"""The length of an axis that the file leaves open."""
MOST_AXES = 16
"""No network for a camera has more; a damaged file may, and would keep the reader busy."""
_PICTURE_AXES, _TOO_LARGE = 4, 2**63
_DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16", 21: "uint4", 22: "int4",
}  # fmt: skip
_FORMATS = {"float32": "<f4", "int8": "<i1", "uint8": "<u1", "int32": "<i4", "int64": "<i8"}
MOST_VALUES = 64
"""Shapes, axes and paddings are shorter; weights are longer, and nobody asks for their values."""

Values = NDArray[Any]
"""Those of a short constant, in its shape."""


def channels_first(shape: Sequence[int]) -> bool:
    """True if a picture tensor of this shape is NCHW; the last axis decides where both could be channels."""
    return len(shape) == _PICTURE_AXES and shape[1] in {1, 3} and shape[3] not in {1, 3}


def dtype_of(value: int | memoryview) -> str:
    """A TensorProto.DataType by its name here."""
    return _DTYPES.get(value, "unknown") if isinstance(value, int) else "unknown"


def read_constant(fields: Sequence[Field], *, name: str = "") -> Tensor:
    """TensorProto: 1 dims, 2 data_type, 8 name; `name` goes before its own."""
    shape = _shape(size for number, value in fields if number == 1 for size in numbers(value))
    dtype = next((dtype_of(value) for number, value in fields if number == 2), "unknown")  # noqa: PLR2004
    name = name or next((text(value) for number, value in fields if number == 8), "")  # noqa: PLR2004
    plain = Tensor(name, shape, (), dtype, (), (), 0, 0)
    # What has a type of no known size is stored all the same.
    return replace(plain, constant_bytes=plain.elements if plain.bytes is None else plain.bytes)


def read_values(fields: Sequence[Field], tensor: Tensor) -> Values | None:
    """The values of a short constant; None for a long one, and for one that does not hold what it should.

    4 float_data, 5 int32_data, 7 int64_data, 9 raw_data.
    """
    dtype = _FORMATS.get(tensor.dtype)
    if dtype is None or not 0 < tensor.elements <= MOST_VALUES:
        return None
    size_bytes = np.dtype(dtype).itemsize * tensor.elements
    blocks = (block(value) for number, value in fields if number in {4, 9})
    raw = b"".join(value[:size_bytes] for value in blocks)
    if len(raw) == size_bytes:
        return np.frombuffer(raw, dtype).reshape(tensor.shape)
    listed = (item for number, value in fields if number in {5, 7} for item in numbers(value))
    values = list(islice(listed, MOST_VALUES + 1))
    is_sound = len(values) == tensor.elements and all(abs(value) < _TOO_LARGE for value in values)
    return np.array(values, np.int64).reshape(tensor.shape) if is_sound else None


def read_end(end: memoryview) -> Tensor:
    """ValueInfoProto: 1 name, 2 type; in that 1 tensor_type: 1 elem_type, 2 shape; in that 1 dim."""
    fields = list(fields_of(end))
    name = next((text(value) for number, value in fields if number == 1), "")
    kind = _within(_within(fields, 2), 1)
    dtype = next((dtype_of(value) for number, value in kind if number == 1), "unknown")
    return computed(name, _shape(_length(dim) for dim in messages(_within(kind, 2), 1)), dtype)


def as_picture(tensor: Tensor) -> Tensor:
    """The same picture, told as NHWC."""
    if not channels_first(tensor.signature):
        return tensor
    batch, channels, height, width = tensor.signature
    return computed(tensor.name, (batch, height, width, channels), tensor.dtype)


def computed(name: str, signature: tuple[int, ...], dtype: str) -> Tensor:
    """A tensor that is not stored; a free axis counts as one."""
    return Tensor(name, tuple(max(size, 1) for size in signature), signature, dtype, (), (), 0, 0)


def _length(dim: Iterable[Field]) -> int:
    said = (value for number, value in dim if number == 1 and isinstance(value, int) and value > 0)
    return next(said, FREE)


def _shape(sizes: Iterator[int]) -> tuple[int, ...]:
    shape = tuple(islice(sizes, MOST_AXES + 1))
    if len(shape) > MOST_AXES or min(shape, default=0) < FREE:
        raise ValueError(f"a tensor has the shape {list(shape)}")
    return shape


def _within(fields: Sequence[Field], wanted: int) -> list[Field]:
    """The fields of the first message numbered `wanted`."""
    return next(messages(fields, wanted), [])

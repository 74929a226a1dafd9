"""What an isolated engine and its parent agree on.

Tensors lie in one piece of memory that both have mapped: the input, then the output. A socket that keeps
the bounds of messages carries what is done with them: one JSON text each way at the start, then a small
struct a frame.
"""

from __future__ import annotations

import mmap
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.records import TensorSpec

REQUEST = struct.Struct("<Q")
"""The number of the inference."""
REPLY = struct.Struct("<QI")
"""The number again, and 0 if the output is there; else why not follows as text."""
MOST_MESSAGE_BYTES = 65536

_ALIGNMENT_BYTES = 64


class SharedTensors:
    """Input and output in shared memory.

    Args:
        fd: of the memory, `size_bytes` long.
        input_spec: what the input is.
        output_spec: what the output is.
    """

    def __init__(self, fd: int, input_spec: TensorSpec, output_spec: TensorSpec) -> None:
        memory = mmap.mmap(fd, size_bytes(input_spec, output_spec))
        self.input: NDArray[Any] = _array(memory, 0, input_spec)
        self.output: NDArray[Any] = _array(memory, _room_bytes(input_spec), output_spec).reshape(-1)


def size_bytes(input_spec: TensorSpec, output_spec: TensorSpec) -> int:
    """How much memory both need."""
    return _room_bytes(input_spec) + _room_bytes(output_spec)


def same_tensor(one: TensorSpec, other: TensorSpec) -> bool:
    """Whether the same numbers mean the same in both; names may differ."""
    return (one.shape, one.dtype, one.scale, one.zero_point) == (
        other.shape, other.dtype, other.scale, other.zero_point,
    )  # fmt: skip


def _array(memory: mmap.mmap, offset: int, spec: TensorSpec) -> NDArray[Any]:
    count = int(np.prod(spec.shape))
    return np.frombuffer(memory, np.dtype(spec.dtype), count, offset).reshape(spec.shape)


def _room_bytes(spec: TensorSpec) -> int:
    length = int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize
    return -(-length // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES

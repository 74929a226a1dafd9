"""What an isolated engine and its parent agree on.

Tensors lie in one piece of memory that both have mapped: the input, then the output. A socket that keeps
the bounds of messages carries what is done with them: one JSON text each way at the start, then a small
struct a frame. The parent believes nothing that comes back: what is not as it should be is an EngineError.
"""

from __future__ import annotations

import json
import mmap
import struct
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import EngineError, LastingError
from edgecam.inference.engine import EngineInfo
from edgecam.records import TensorSpec

REQUEST = struct.Struct("<Q")
"""The number of the inference."""
REPLY = struct.Struct("<QI")
"""The number again, and 0 if the output is there; else why not follows as text."""
MOST_MESSAGE_BYTES = 65536

_ALIGNMENT_BYTES = 64


@dataclass(frozen=True, slots=True)
class Description:
    """What a child has opened."""

    info: EngineInfo
    input: TensorSpec
    output: TensorSpec
    delegated: int | None
    """So many operators run on the delegate; None: its engine does not say."""
    operators: int | None
    """Of so many."""

    def encode(self) -> bytes:
        """As a message."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """Read one, or the fault in its place; raises EngineError."""
        try:
            said = json.loads(message)
            if "fault" in said:
                raise (LastingError if said["lasting"] else EngineError)(str(said["fault"]))
            info = said["info"]
            return cls(
                EngineInfo(
                    str(info["runtime"]), str(info["version"]), str(info["delegate"]), int(info["threads"])
                ),
                _spec(said["input"]),
                _spec(said["output"]),
                _count(said["delegated"]),
                _count(said["operators"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise EngineError(f"its process talks nonsense ({type(error).__name__}: {error})") from error


def encode_fault(fault: EngineError) -> bytes:
    """In the place of a description: why there is none."""
    return json.dumps({"fault": str(fault), "lasting": isinstance(fault, LastingError)}).encode()


def read_reply(message: bytes, number: int) -> None:
    """The output of the inference of that number is there; raises EngineError: it is not, or who knows."""
    if len(message) < REPLY.size:
        raise EngineError("its process talks nonsense")
    answered, status = REPLY.unpack_from(message)
    if answered != number:
        raise EngineError(f"it answered {answered} when asked for {number}")
    if status:
        raise EngineError(message[REPLY.size :].decode(errors="replace"))


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


def _spec(said: dict[str, Any]) -> TensorSpec:
    return TensorSpec(**{**said, "shape": tuple(int(size) for size in said["shape"])})


def _count(said: Any) -> int | None:
    return None if said is None else int(said)


def _array(memory: mmap.mmap, offset: int, spec: TensorSpec) -> NDArray[Any]:
    count = int(np.prod(spec.shape))
    return np.frombuffer(memory, np.dtype(spec.dtype), count, offset).reshape(spec.shape)


def _room_bytes(spec: TensorSpec) -> int:
    length = int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize
    return -(-length // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES

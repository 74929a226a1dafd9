"""The parts of a network: tensors and the steps between them."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, prod

from edgecam.records import TensorSpec

# Of one value. Those of strings, resources and variants cannot be told from the shape.
_ITEM_BITS = {
    "int2": 2, "int4": 4, "uint4": 4, "bool": 8, "int8": 8, "uint8": 8,
    "int16": 16, "uint16": 16, "float16": 16, "bfloat16": 16, "int32": 32, "uint32": 32, "float32": 32,
    "int64": 64, "uint64": 64, "float64": 64, "complex64": 64, "complex128": 128,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of the graph; real = scale * (quantized - zero_point)."""

    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    """The shape with -1 for what is free until the model is loaded; empty: all of it is fixed."""
    dtype: str
    scales: tuple[float, ...]
    """Empty: not quantized; one: per tensor; several: one per index of `axis`."""
    zero_points: tuple[int, ...]
    axis: int
    constant_bytes: int
    """Size of the stored values; 0 for a tensor that is computed."""
    is_weight: bool | None = None
    """Of a constant, where its use says whether it is a weight or a bias; None: its dtype does."""

    @property
    def elements(self) -> int:
        """How many values it holds."""
        return prod(max(size, 0) for size in self.shape)

    @property
    def bytes(self) -> int | None:
        """What its values take in memory, several of less than eight bits in one byte; None: not known."""
        bits = _ITEM_BITS.get(self.dtype)
        return None if bits is None else -(-self.elements * bits // 8)

    @property
    def spec(self) -> TensorSpec:
        """The tensor as the other rooms know it."""
        single = len(self.scales) == 1 and len(self.zero_points) <= 1 and 0 < self.scales[0] < inf
        zero_point = self.zero_points[0] if self.zero_points else 0
        return TensorSpec(
            name=self.name,
            shape=self.shape,
            dtype=self.dtype,
            scale=self.scales[0] if single else None,
            zero_point=zero_point if single else None,
        )


@dataclass(frozen=True, slots=True)
class Operator:
    """One step; tensors by their index in the subgraph, -1 for an input that is left out."""

    name: str
    """`CONV_2D`, …, or the custom operator's own name."""
    custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Subgraph:
    """Tensors, steps in order, and which tensors go in and out."""

    tensors: tuple[Tensor, ...]
    steps: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def tensor(self, index: int) -> Tensor | None:
        """The tensor of an operator's input or output; None for one that is left out."""
        return self.tensors[index] if 0 <= index < len(self.tensors) else None

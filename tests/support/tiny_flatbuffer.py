"""Writes a TFLite flatbuffer for `make_tiny_model`, table by table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import tflite

_TYPES = {
    "uint8": tflite.TensorType.UINT8,
    "int8": tflite.TensorType.INT8,
    "int16": tflite.TensorType.INT16,
    "int32": tflite.TensorType.INT32,
    "float32": tflite.TensorType.FLOAT32,
}


@dataclass(frozen=True)
class Stored:
    """A tensor to write: real = scale * (data - zero_point)."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int = 0
    data: bytes = b""
    signature: tuple[int, ...] = ()


class Writer:
    """The flatbuffer of one model, from the leaves to the root."""

    def __init__(self) -> None:
        self.b = flatbuffers.Builder(4096)

    def vector(self, items: Sequence[Any], prepend: Callable[[Any], None], size: int) -> int:
        """A vector of fixed-size items; `prepend` writes one."""
        self.b.StartVector(size, len(items), size)
        for item in reversed(items):
            prepend(item)
        return int(self.b.EndVector())

    def tables(self, items: Sequence[int]) -> int:
        """A vector of tables already written."""
        return self.vector(items, self.b.PrependUOffsetTRelative, 4)

    def ints(self, items: Sequence[int]) -> int:
        """A vector of int32."""
        return self.vector(items, self.b.PrependInt32, 4)

    def floats(self, items: Sequence[float]) -> int:
        """A vector of float32."""
        return self.vector(items, self.b.PrependFloat32, 4)

    def buffer(self, data: bytes, outside: tuple[int, int] | None = None) -> int:
        """A buffer with its data inside, or at `outside` (offset, size) after the flatbuffer."""
        content = self.b.CreateByteVector(data) if data else None
        tflite.BufferStart(self.b)
        if content is not None:
            tflite.BufferAddData(self.b, content)
        if outside is not None:
            tflite.BufferAddOffset(self.b, outside[0])
            tflite.BufferAddSize(self.b, outside[1])
        return int(tflite.BufferEnd(self.b))

    def tensor(self, tensor: Stored, buffer: int) -> int:
        """A tensor whose values are in `buffer`."""
        name, shape = self.b.CreateString(tensor.name), self.ints(tensor.shape)
        signature = self.ints(tensor.signature) if tensor.signature else None
        quantization = None if tensor.scale is None else self._quantization(tensor.scale, tensor.zero_point)
        tflite.TensorStart(self.b)
        tflite.TensorAddShape(self.b, shape)
        tflite.TensorAddType(self.b, _TYPES[tensor.dtype])
        tflite.TensorAddBuffer(self.b, buffer)
        tflite.TensorAddName(self.b, name)
        if signature is not None:
            tflite.TensorAddShapeSignature(self.b, signature)
        if quantization is not None:
            tflite.TensorAddQuantization(self.b, quantization)
        return int(tflite.TensorEnd(self.b))

    def _quantization(self, scale: float, zero_point: int) -> int:
        scales = self.floats([scale])
        zero_points = self.vector([zero_point], self.b.PrependInt64, 8)
        tflite.QuantizationParametersStart(self.b)
        tflite.QuantizationParametersAddScale(self.b, scales)
        tflite.QuantizationParametersAddZeroPoint(self.b, zero_points)
        return int(tflite.QuantizationParametersEnd(self.b))

    def code(self, builtin: int, version: int = 1, custom: str | None = None) -> int:
        """An operator code."""
        name = None if custom is None else self.b.CreateString(custom)
        tflite.OperatorCodeStart(self.b)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(self.b, builtin)
        tflite.OperatorCodeAddBuiltinCode(self.b, builtin)
        tflite.OperatorCodeAddVersion(self.b, version)
        if name is not None:
            tflite.OperatorCodeAddCustomCode(self.b, name)
        return int(tflite.OperatorCodeEnd(self.b))

    def operator(self, code: int, inputs: Sequence[int], outputs: Sequence[int], options: int) -> int:
        """One step of the graph, with the options that its kernel needs."""
        ins, outs = self.ints(inputs), self.ints(outputs)
        table = None
        if options == tflite.BuiltinOptions.SoftmaxOptions:
            tflite.SoftmaxOptionsStart(self.b)
            tflite.SoftmaxOptionsAddBeta(self.b, 1.0)
            table = tflite.SoftmaxOptionsEnd(self.b)
        elif options == tflite.BuiltinOptions.FullyConnectedOptions:
            tflite.FullyConnectedOptionsStart(self.b)
            table = tflite.FullyConnectedOptionsEnd(self.b)
        tflite.OperatorStart(self.b)
        tflite.OperatorAddOpcodeIndex(self.b, code)
        tflite.OperatorAddInputs(self.b, ins)
        tflite.OperatorAddOutputs(self.b, outs)
        if table is not None:
            tflite.OperatorAddBuiltinOptionsType(self.b, options)
            tflite.OperatorAddBuiltinOptions(self.b, table)
        return int(tflite.OperatorEnd(self.b))

    def subgraph(self, tensors: int, operators: int, inputs: Sequence[int], outputs: Sequence[int]) -> int:
        """The graph."""
        ins, outs = self.ints(inputs), self.ints(outputs)
        tflite.SubGraphStart(self.b)
        tflite.SubGraphAddTensors(self.b, tensors)
        tflite.SubGraphAddInputs(self.b, ins)
        tflite.SubGraphAddOutputs(self.b, outs)
        tflite.SubGraphAddOperators(self.b, operators)
        return int(tflite.SubGraphEnd(self.b))

    def metadata(self, name: str, buffer: int) -> int:
        """A named metadata entry."""
        text = self.b.CreateString(name)
        tflite.MetadataStart(self.b)
        tflite.MetadataAddName(self.b, text)
        tflite.MetadataAddBuffer(self.b, buffer)
        return int(tflite.MetadataEnd(self.b))

    def model(self, codes: int, subgraphs: int, buffers: int, metadata: int) -> bytes:
        """The root table; finishes the file."""
        tflite.ModelStart(self.b)
        tflite.ModelAddVersion(self.b, 3)
        tflite.ModelAddOperatorCodes(self.b, codes)
        tflite.ModelAddSubgraphs(self.b, subgraphs)
        tflite.ModelAddBuffers(self.b, buffers)
        tflite.ModelAddMetadata(self.b, metadata)
        self.b.Finish(tflite.ModelEnd(self.b), b"TFL3")
        return bytes(self.b.Output())

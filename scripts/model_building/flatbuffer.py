"""Finishing a .tflite file: short tensor names, weights inside the flatbuffer; and what it holds."""

from __future__ import annotations

from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

_IDENTIFIER = b"TFL3"
# Buffer.offset 0 and 1 mean that there is no external data.
_FIRST_EXTERNAL_OFFSET = 2
# `force_align` of Buffer.data in the schema; Python's own packing forgets it.
_DATA_ALIGNMENT = 16


class _AlignedBuffer:
    """Packs as a schema.BufferT does, with its data aligned as the schema demands."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def Pack(self, builder: Any) -> int:  # noqa: N802 - called by the generated code
        vector = None
        if self._data:
            builder.StartVector(1, len(self._data), _DATA_ALIGNMENT)
            builder.head -= len(self._data)
            builder.Bytes[builder.head : builder.head + len(self._data)] = self._data
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))


def tidy(tflite: bytes) -> bytes:
    """The same model, readable by any flatbuffer reader and some 100 KB smaller.

    The converter names each tensor after its whole path in torch, and the quantizer appends weights after the
    flatbuffer (`Buffer.offset`), where simple readers do not look.
    """
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    model.buffers = [_AlignedBuffer(_data(buffer, tflite)) for buffer in model.buffers]
    (graph,) = model.subgraphs
    for number, tensor in enumerate(graph.tensors):
        tensor.name = f"t{number}"
    (graph.tensors[graph.inputs[0]].name, graph.tensors[graph.outputs[0]].name) = ("image", "logits")
    builder = flatbuffers.Builder(len(tflite))
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def count_parameters_and_macs(tflite: bytes) -> tuple[int, int]:
    """Parameters (weights and biases) and multiply-accumulates of one inference.

    Per output value a convolution costs prod(filter[1:]), a depthwise one its kernel area, a fully connected
    layer its number of inputs.
    """
    graph = schema.ModelT.InitFromPackedBuf(tflite, 0).subgraphs[0]
    builtin = schema.BuiltinOptions
    parameters = macs = 0
    for operator in graph.operators:
        kind = operator.builtinOptionsType
        if kind not in (builtin.Conv2DOptions, builtin.DepthwiseConv2DOptions, builtin.FullyConnectedOptions):
            continue
        weights, outputs = _shape(graph, operator.inputs[1]), _shape(graph, operator.outputs[0])
        parameters += _product(weights) + _product(_shape(graph, operator.inputs[2]))
        if kind == builtin.DepthwiseConv2DOptions:
            macs += _product(outputs) * weights[1] * weights[2]
        else:
            macs += _product(outputs) * _product(weights[1:])
    return parameters, macs


def _data(buffer: Any, tflite: bytes) -> bytes:
    if buffer.offset >= _FIRST_EXTERNAL_OFFSET:
        return tflite[buffer.offset : buffer.offset + buffer.size]
    return bytes(buffer.data) if buffer.data is not None else b""


def _shape(graph: Any, tensor: int) -> list[int]:
    return [int(size) for size in graph.tensors[tensor].shape]


def _product(sizes: list[int]) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result

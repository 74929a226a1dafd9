"""Finishing a `.tflite` file: weights inside the flatbuffer, short tensor names, what converters leave wrong.

For files of one's own tools: a stranger's file is read by `edgecam.model.graph` first, which trusts nothing.
"""

from __future__ import annotations

import struct
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from edgecam.errors import ModelError

_IDENTIFIER = b"TFL3"
# Buffer.offset 0 and 1 mean that there is no external data.
_FIRST_EXTERNAL_OFFSET = 2
# `force_align` of Buffer.data in the schema; Python's own packing forgets it.
_DATA_ALIGNMENT = 16
_SIGNATURE = "serving_default"


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
    """The same model, readable by any flatbuffer reader, and smaller by what long tensor names take.

    The converter names each tensor after its whole path in torch, and the quantizer appends weights after the
    flatbuffer (`Buffer.offset`), where simple readers do not look: TFLite Micro ends its process on them. Old
    converters gave biases the `quantized_dimension` of their weights, an axis they lack: LiteRT refuses it.

    Raises:
        ModelError: the model has several graphs, inputs or outputs.
    """
    model = unpack(tflite)
    graph = only_graph(model)
    for number, tensor in enumerate(graph.tensors):
        tensor.name = f"t{number}"
        _correct_dimension(tensor)
    (graph.tensors[graph.inputs[0]].name, graph.tensors[graph.outputs[0]].name) = ("image", "logits")
    return pack(model, tflite)


def with_signature(tflite: bytes) -> tuple[bytes, str, str]:
    """The model with a signature, which the quantizer calibrates by, and the names of it and of its input.

    Returns:
        The file itself if it has a signature, else one with it; the signature's key; its input's name.
    """
    model = unpack(tflite)
    if model.signatureDefs:
        first = model.signatureDefs[0]
        return tflite, _text(first.signatureKey), _text(first.inputs[0].name)
    graph = only_graph(model)
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = _SIGNATURE, 0
    signature.inputs = [_mapped("image", graph.inputs[0])]
    signature.outputs = [_mapped("scores", graph.outputs[0])]
    model.signatureDefs = [signature]
    return pack(model, tflite), _SIGNATURE, "image"


def input_tensor(tflite: bytes) -> str:
    """The name of the tensor that pictures go into."""
    graph = only_graph(unpack(tflite))
    return _text(graph.tensors[graph.inputs[0]].name)


def computed_tensors(tflite: bytes) -> tuple[str, ...]:
    """The names of all tensors that hold no constant, the input first: those that have a range."""
    model = unpack(tflite)
    graph = only_graph(model)
    made = [*graph.inputs, *(index for step in graph.operators for index in step.outputs)]
    return tuple(_text(graph.tensors[index].name) for index in made)


def unpack(tflite: bytes) -> Any:
    """The model as the generated classes have it: a `schema.ModelT`; raises ModelError: it is none."""
    if tflite[4:8] != _IDENTIFIER:
        raise ModelError("expected a .tflite file, found something else; export the network as one")
    try:
        return schema.ModelT.InitFromPackedBuf(tflite, 0)
    except (struct.error, ValueError, TypeError, IndexError, AttributeError) as error:
        raise ModelError(f"the .tflite file is damaged ({error}); export the network again") from error


def pack(model: Any, tflite: bytes) -> bytes:
    """The model as a file; `tflite` is the one that it was unpacked from, where external data lies."""
    model.buffers = [_AlignedBuffer(data_of(buffer, tflite)) for buffer in model.buffers]
    builder = flatbuffers.Builder(len(tflite))
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def only_graph(model: Any) -> Any:
    """The model's one graph; raises ModelError if there are several, or several inputs or outputs."""
    graphs = model.subgraphs
    if len(graphs) != 1 or len(graphs[0].inputs) != 1 or len(graphs[0].outputs) != 1:
        raise ModelError("expected a network of one graph with one input and one output; export it so")
    return graphs[0]


def _correct_dimension(tensor: Any) -> None:
    quantization, axes = tensor.quantization, 0 if tensor.shape is None else len(tensor.shape)
    if quantization is not None and quantization.quantizedDimension >= max(axes, 1):
        quantization.quantizedDimension = 0


def _mapped(name: str, tensor: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, tensor
    return entry


def data_of(buffer: Any, tflite: bytes) -> bytes:
    """A buffer's bytes, inside the flatbuffer or after it."""
    if buffer.offset >= _FIRST_EXTERNAL_OFFSET:
        return tflite[buffer.offset : buffer.offset + buffer.size]
    return bytes(buffer.data) if buffer.data is not None else b""


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value

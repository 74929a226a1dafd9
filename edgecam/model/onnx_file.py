"""What is inside an `.onnx` file: its ends, operators and weights. Reads the protobuf, runs nothing.

Only what lies at the top of the graph is looked at, each byte a few times at most, so a damaged file
cannot keep the reader busy. Field numbers are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from math import isfinite, prod
from struct import calcsize, unpack

from edgecam.errors import ModelError
from edgecam.model.network import Operator, Subgraph, Tensor
from edgecam.model.protobuf import Field, block, fields_of, messages, numbers, text

SUFFIX = ".onnx"
_FREE = -1
_PICTURE_AXES = 4
_MOST_AXES = 16
_DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16",
}  # fmt: skip
# They move values and change none.
_MOVERS = frozenset({"Transpose", "Reshape", "Flatten", "Squeeze", "Identity"})
_ITEM_BYTES = {"8": 1, "16": 2, "32": 4, "64": 8}


def channels_first(shape: Sequence[int]) -> bool:
    """True if a picture tensor of this shape is NCHW; the last axis decides where both could be channels."""
    return len(shape) == _PICTURE_AXES and shape[1] in {1, 3} and shape[3] not in {1, 3}


def read_onnx(data: bytes, *, name: str) -> Subgraph:
    """The main graph; a picture input is told as NHWC, whatever its layout in the file.

    Args:
        data: the whole file.
        name: what messages call it.

    Raises:
        ModelError: it is no ONNX model, or damaged.
    """
    try:
        fields = list(fields_of(memoryview(data)))
        graphs = list(messages(fields, 7))
        if len(graphs) > 1:
            # A runtime would merge them.
            raise ValueError("it has several graphs")  # noqa: TRY301 - as any other damage
        for tensor in _stored_tensors(fields):
            _check_is_here(tensor, name)
        graph = _graph(graphs[0]) if graphs else None
    except (ValueError, IndexError) as error:
        raise ModelError(f"{name}: is no ONNX model, or is damaged: {error}; fetch it again") from error
    if graph is None or not graph.inputs or not graph.outputs:
        raise ModelError(f"{name}: is no ONNX model: it has no graph with an input and an output")
    return graph


def _graph(fields: list[Field]) -> Subgraph:
    """Fields of GraphProto: 1 node, 5 initializer, 11 input, 12 output, 13 what is between them."""
    stored = list(messages(fields, 5))
    constants = [_constant(entry) for entry in stored]
    known = {tensor.name: _scalar(entry, tensor) for entry, tensor in zip(stored, constants, strict=True)}
    ends = {
        which: [_end(block(value), as_picture=which == 11) for number, value in fields if number == which]  # noqa: PLR2004
        for which in (11, 12, 13)
    }
    # Files of before 2019 name the weights among the inputs, too.
    inputs = [tensor for tensor in ends[11] if tensor.name not in known]
    tensors = {tensor.name: tensor for tensor in (*ends[13], *constants, *inputs, *ends[12])}
    places = {name: place for place, name in enumerate(tensors)}
    steps = []
    for node in messages(fields, 1):
        ins, outs = ([text(value) for number, value in node if number == which] for which in (1, 2))
        for tensor in (*ins, *outs):
            if tensor and tensor not in places:
                places[tensor] = len(tensors)
                tensors[tensor] = Tensor(tensor, (), (), "unknown", (), (), 0, 0)
        kind = next((text(value) for number, value in node if number == 4), "")  # noqa: PLR2004
        steps.append(
            Operator(
                kind,
                custom=False,
                inputs=tuple(places.get(tensor, -1) for tensor in ins),
                outputs=tuple(places[tensor] for tensor in outs if tensor),
            )
        )
    return Subgraph(
        _scaled(list(tensors.values()), steps, known),
        tuple(steps),
        tuple(places[tensor.name] for tensor in inputs),
        tuple(places[tensor.name] for tensor in ends[12]),
    )


def _scaled(
    tensors: list[Tensor], steps: Sequence[Operator], known: Mapping[str, float | None]
) -> tuple[Tensor, ...]:
    """The tensors with the scales that a quantized input is read with, and a quantized output made with."""
    sources = {step.outputs[0]: step.inputs[0] for step in steps if step.name in _MOVERS and step.outputs}
    for step in steps:
        ends = {"DequantizeLinear": step.inputs, "QuantizeLinear": step.outputs}.get(step.name)
        if not ends or len(step.inputs) < 2 or step.inputs[1] < 0:  # noqa: PLR2004 - values, scale, zero point
            continue
        scale = known.get(tensors[step.inputs[1]].name)
        zero_point = known.get(tensors[step.inputs[2]].name) if len(step.inputs) > 2 else 0  # noqa: PLR2004
        # A damaged file may have an infinite zero point.
        if scale is not None and zero_point is not None and isfinite(zero_point):
            place: int | None = ends[0]
            while place is not None and place >= 0:
                tensors[place] = replace(tensors[place], scales=(scale,), zero_points=(int(zero_point),))
                place = sources.pop(place, None)
    return tuple(tensors)


def _scalar(fields: Sequence[Field], tensor: Tensor) -> float | None:
    """The value of a constant that has one; 4 float_data, 5 int32_data, 9 raw_data."""
    kind = {"float32": "<f", "int8": "<b", "uint8": "<B"}.get(tensor.dtype)
    if tensor.elements != 1 or kind is None:
        return None
    for number, value in fields:
        if number == 9 and isinstance(value, memoryview) and len(value) == calcsize(kind):  # noqa: PLR2004
            return float(unpack(kind, value)[0])
        if number == 4 and isinstance(value, memoryview) and len(value) == 4:  # noqa: PLR2004
            return float(unpack("<f", value)[0])
        if number == 5:  # noqa: PLR2004
            return next(map(float, numbers(value)), None)
    return None


def _constant(fields: Sequence[Field]) -> Tensor:
    """TensorProto: 1 dims, 2 data_type, 8 name."""
    shape = _shape(size for number, value in fields if number == 1 for size in numbers(value))
    dtype = next((_dtype(value) for number, value in fields if number == 2), "unknown")  # noqa: PLR2004
    name = next((text(value) for number, value in fields if number == 8), "")  # noqa: PLR2004
    item = next((size for bits, size in _ITEM_BYTES.items() if dtype.endswith(bits)), 1)
    return Tensor(name, shape, (), dtype, (), (), 0, constant_bytes=item * prod(shape))


def _stored_tensors(model: Sequence[Field]) -> Iterator[list[Field]]:
    """All the constants' tensors: initializers, those in nodes, branches and functions, and sparse ones.

    ModelProto: 7 graph, 25 functions; in those 7 node. NodeProto: 5 attribute; in that 5 t, 6 g, 10 tensors,
    11 graphs, 22 sparse_tensor, 23 sparse_tensors. GraphProto: 1 node, 5 initializer, 15 sparse_initializer;
    of those 1 values, 2 indices.
    """
    graphs = list(messages(model, 7))
    nodes = [node for function in messages(model, 25) for node in messages(function, 7)]
    sparse: list[list[Field]] = []
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            nodes.extend(messages(graph, 1))
            sparse.extend(messages(graph, 15))
            yield from messages(graph, 5)
        else:
            for attribute in messages(nodes.pop(), 5):
                yield from messages(attribute, 5, 10)
                graphs.extend(messages(attribute, 6, 11))
                sparse.extend(messages(attribute, 22, 23))
    for tensor in sparse:
        yield from messages(tensor, 1, 2)


def _check_is_here(tensor: Sequence[Field], file: str) -> None:
    """TensorProto: 14 data_location. Raises ModelError: the values lie in another file."""
    if any(number == 14 and value == 1 for number, value in tensor):  # noqa: PLR2004
        # Another file is in no SHA-256.
        raise ModelError(f"{file}: keeps weights in another file; save it as one file")


def _end(end: memoryview, *, as_picture: bool) -> Tensor:
    """ValueInfoProto: 1 name, 2 type; in that 1 tensor_type: 1 elem_type, 2 shape; in that 1 dim."""
    fields = list(fields_of(end))
    name = next((text(value) for number, value in fields if number == 1), "")
    kind = list(_within(_within(fields, 2), 1))
    dtype = next((_dtype(value) for number, value in kind if number == 1), "unknown")
    dims = messages(_within(kind, 2), 1)
    signature = _shape(
        next((value for number, value in dim if number == 1 and isinstance(value, int) and value > 0), _FREE)
        for dim in dims
    )
    if as_picture and channels_first(signature):
        batch, channels, height, width = signature
        signature = batch, height, width, channels
    return Tensor(name, tuple(max(size, 1) for size in signature), signature, dtype, (), (), 0, 0)


def _shape(sizes: Iterator[int]) -> tuple[int, ...]:
    shape = tuple(islice(sizes, _MOST_AXES + 1))
    if len(shape) > _MOST_AXES or min(shape, default=0) < _FREE:
        raise ValueError(f"a tensor has the shape {list(shape)}")
    return shape


def _within(fields: Sequence[Field], wanted: int) -> list[Field]:
    """The fields of the first message numbered `wanted`."""
    return next(messages(fields, wanted), [])


def _dtype(value: int | memoryview) -> str:
    return _DTYPES.get(value, "unknown") if isinstance(value, int) else "unknown"

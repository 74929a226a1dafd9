"""What is inside an `.onnx` file: its ends, operators and weights. Reads the protobuf, runs nothing.

Only what lies at the top of the graph is looked at, each byte a few times at most, so a damaged file
cannot keep the reader busy. Field numbers are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from edgecam.errors import ModelError
from edgecam.model.network import Operator, Subgraph, Tensor
from edgecam.model.onnx_shapes import Node, fill_shapes
from edgecam.model.onnx_tensors import MOST_VALUES, Values, as_picture, read_constant, read_end, read_values
from edgecam.model.protobuf import Field, block, fields_of, messages, numbers, text

SUFFIX = ".onnx"
# They move values and change none.
_MOVERS = frozenset({"Transpose", "Reshape", "Flatten", "Squeeze", "Identity"})
# Which inputs are weights or biases, whatever their dtype; the others are scales and zero points.
_WEIGHTS = {
    "DequantizeLinear": {0}, "QuantizeLinear": {0}, "QLinearConv": {3, 8}, "ConvInteger": {1},
    "QLinearMatMul": {3}, "MatMulInteger": {1}, "QGemm": {3, 6}, "QLinearAdd": {0, 3}, "QLinearMul": {0, 3},
}  # fmt: skip
# What is no weight of other operators: running means and variances, bounds, sizes.
_NO_WEIGHTS = {
    "BatchNormalization": {3, 4}, "Clip": {1, 2}, "Pad": {1, 2}, "Resize": {1, 2, 3}, "Pow": {1},
}  # fmt: skip


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
    nodes = list(messages(fields, 1))
    stored = {tensor.name: (tensor, values) for tensor, values in _constants(fields, nodes)}
    ends = {
        which: [read_end(block(value)) for number, value in fields if number == which]
        for which in (11, 12, 13)
    }
    # Files of before 2019 name the weights among the inputs, too.
    inputs = [tensor for tensor in ends[11] if tensor.name not in stored]
    constants = [tensor for tensor, _ in stored.values()]
    tensors = {tensor.name: tensor for tensor in (*ends[13], *constants, *inputs, *ends[12])}
    places = {name: place for place, name in enumerate(tensors)}
    read = [_node(node, places) for node in nodes]
    found = [*tensors.values(), *(_unknown(name) for name in islice(places, len(tensors), None))]
    steps = tuple(node.step for node in read)
    _give_roles(found, steps)
    values = {places[name]: values for name, (_, values) in stored.items() if values is not None}
    found = list(fill_shapes(found, read, values))
    for tensor in inputs:
        found[places[tensor.name]] = as_picture(tensor)
    _give_scales(found, steps, values)
    return Subgraph(
        tuple(found),
        steps,
        tuple(places[tensor.name] for tensor in inputs),
        tuple(places[tensor.name] for tensor in ends[12]),
    )


def _constants(
    graph: Sequence[Field], nodes: Sequence[Sequence[Field]]
) -> Iterator[tuple[Tensor, Values | None]]:
    """What is stored at the graph's top: initializers, and the tensors of nodes that are nothing else.

    NodeProto: 2 output, 4 op_type, 5 attribute; in that 5 t.
    """
    for fields in messages(graph, 5):
        tensor = read_constant(fields)
        yield tensor, read_values(fields, tensor)
    for node in nodes:
        if any(number == 4 and text(value) == "Constant" for number, value in node):  # noqa: PLR2004
            name = next((text(value) for number, value in node if number == 2), "")  # noqa: PLR2004
            for attribute in messages(node, 5):
                for fields in messages(attribute, 5):
                    tensor = read_constant(fields, name=name)
                    yield tensor, read_values(fields, tensor)


def _node(fields: Sequence[Field], places: dict[str, int]) -> Node:
    """NodeProto: 1 input, 2 output, 4 op_type, 5 attribute.

    Args:
        fields: of the node.
        places: the tensors' indices by name; those that are new get the next ones.
    """
    ins, outs = ([text(value) for number, value in fields if number == which] for which in (1, 2))
    for name in (*ins, *outs):
        if name:
            places.setdefault(name, len(places))
    kind = next((text(value) for number, value in fields if number == 4), "")  # noqa: PLR2004
    integers, words = {}, {}
    for attribute in messages(fields, 5):
        name = next((text(value) for number, value in attribute if number == 1), "")
        if found := _integers(attribute):
            integers[name] = found
        for number, value in attribute:
            if number == 4:  # noqa: PLR2004
                words[name] = text(value)
    step = Operator(
        kind,
        custom=False,
        inputs=tuple(places.get(name, -1) for name in ins),
        outputs=tuple(places[name] for name in outs if name),
    )
    return Node(step, integers, words)


def _integers(attribute: Sequence[Field]) -> tuple[int, ...]:
    """AttributeProto: 3 i, 5 t, 8 ints; empty: it has none, or too many."""
    for fields in messages(attribute, 5):
        values = read_values(fields, read_constant(fields))
        if values is not None and values.dtype.kind in "iu":
            return tuple(int(value) for value in values.flat)
    listed = (item for number, value in attribute if number in {3, 8} for item in numbers(value))
    found = tuple(islice(listed, MOST_VALUES + 1))
    return found if len(found) <= MOST_VALUES else ()


def _unknown(name: str) -> Tensor:
    return Tensor(name, (), (), "unknown", (), (), 0, 0)


def _give_roles(tensors: list[Tensor], steps: Sequence[Operator]) -> None:
    """Say of the constants of some operators whether they are weights, which their dtype does not tell."""
    for step in steps:
        for place, index in enumerate(step.inputs):
            if index < 0 or not tensors[index].constant_bytes:
                continue
            if step.name in _WEIGHTS:
                tensors[index] = replace(tensors[index], is_weight=place in _WEIGHTS[step.name])
            elif place in _NO_WEIGHTS.get(step.name, ()):
                tensors[index] = replace(tensors[index], is_weight=False)


def _give_scales(tensors: list[Tensor], steps: Sequence[Operator], values: Mapping[int, Values]) -> None:
    """Say with which scale a quantized input is read, and a quantized output made."""
    sources = {step.outputs[0]: step.inputs[0] for step in steps if step.name in _MOVERS and step.outputs}
    for step in steps:
        ends = {"DequantizeLinear": step.inputs, "QuantizeLinear": step.outputs}.get(step.name)
        if not ends or len(step.inputs) < 2:  # noqa: PLR2004 - values, scale, zero point
            continue
        scale = values.get(step.inputs[1])
        zero_point = values.get(step.inputs[2]) if len(step.inputs) > 2 else np.zeros(1)  # noqa: PLR2004
        if (
            scale is None
            or zero_point is None
            or not scale.size == zero_point.size == np.isfinite(zero_point).sum() == 1
        ):
            continue
        place: int | None = ends[0]
        while place is not None and place >= 0:
            tensors[place] = replace(
                tensors[place], scales=(float(scale.flat[0]),), zero_points=(int(zero_point.flat[0]),)
            )
            place = sources.pop(place, None)


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

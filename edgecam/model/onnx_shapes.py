"""Fills in the shapes that an `.onnx` file does not say, from the picture on, node by node.

What ends up without a shape stays unknown, and so does all that follows from it: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import cycle

import numpy as np

from edgecam.model import onnx_moves as moves
from edgecam.model import onnx_rules as rules
from edgecam.model.network import Operator, Tensor
from edgecam.model.onnx_call import Call, Shape, Unknown
from edgecam.model.onnx_tensors import MOST_AXES, MOST_VALUES, Values, dtype_of
from edgecam.model.onnx_values import VALUES, measured

# What a node says that is none: too few attributes, inputs of the wrong number of axes, a step of nothing.
_NONSENSE = (Unknown, IndexError, KeyError, ValueError, ZeroDivisionError, OverflowError)
_MOST_LENGTH = 2**31


@dataclass(frozen=True, slots=True)
class Node:
    """A step with the attributes that shapes depend on."""

    step: Operator
    numbers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)


def fill_shapes(
    tensors: Sequence[Tensor], nodes: Sequence[Node], constants: Mapping[int, Values]
) -> tuple[Tensor, ...]:
    """The tensors, with the shape and dtype of each that can be told.

    Args:
        tensors: of the graph; what the file says of them stands, unless it leaves a length open.
        nodes: in the order in which they run.
        constants: the values of short constants, by the tensor's index.
    """
    found, values = list(tensors), dict(constants)
    for node in nodes:
        if not all(_is_known(found[index]) for index in node.step.outputs):
            _fill(node, found, values)
        _note_values(node, found, values)
    return tuple(found)


def _fill(node: Node, found: list[Tensor], values: Mapping[int, Values]) -> None:
    try:
        shapes = _shapes(_call(node, found, values))
        dtypes = _dtypes(node, found)
    except _NONSENSE:
        return
    for index, shape, dtype in zip(node.step.outputs, shapes, cycle(dtypes), strict=False):
        if not _is_known(found[index]) and _is_sound(shape):
            found[index] = replace(found[index], shape=shape, signature=(), dtype=dtype)


def _is_known(tensor: Tensor) -> bool:
    """A free batch is taken as one picture."""
    return tensor.dtype != "unknown" and -1 not in tensor.signature[1:]


def _is_sound(shape: Shape) -> bool:
    return len(shape) <= MOST_AXES and all(0 <= size < _MOST_LENGTH for size in shape)


def _call(node: Node, tensors: Sequence[Tensor], values: Mapping[int, Values]) -> Call:
    inputs = node.step.inputs
    return Call(
        operator=node.step.name,
        shapes=[tensors[i].shape if i >= 0 and _is_known(tensors[i]) else None for i in inputs],
        values=[values.get(i) for i in inputs],
        numbers=node.numbers,
        words=node.words,
        absent=frozenset(place for place, index in enumerate(inputs) if index < 0),
        outputs=len(node.step.outputs),
    )


def _shapes(call: Call) -> Sequence[Shape]:
    if call.operator == "Split":
        return moves.split(call)
    if call.operator == "DynamicQuantizeLinear":
        return call.shape(), (), ()
    rule = RULES.get(call.operator)
    if rule is None:
        raise Unknown
    return [rule(call)]


def _dtypes(node: Node, tensors: Sequence[Tensor]) -> tuple[str, ...]:
    """Of what comes out: that of the first input, save for the operators that change it."""
    step = node.step
    if step.name == "Cast":
        return (dtype_of(node.numbers["to"][0]),)
    if step.name in _DTYPES:
        return _DTYPES[step.name]
    place = _DTYPE_PLACES.get(step.name, 0)
    index = step.inputs[place] if place < len(step.inputs) else -1
    return (tensors[index].dtype if index >= 0 else "uint8",)


def _note_values(node: Node, tensors: Sequence[Tensor], values: dict[int, Values]) -> None:
    """Work out short lists of numbers: shapes and paddings are often put together by nodes of their own."""
    step = node.step
    if step.name not in VALUES or len(step.outputs) != 1:
        return
    made = tensors[step.outputs[0]]
    if not _is_known(made) or made.elements > MOST_VALUES:
        return
    with np.errstate(all="ignore"), suppress(*_NONSENSE):
        values[step.outputs[0]] = VALUES[step.name](_call(node, tensors, values)).reshape(made.shape)


_DTYPES: dict[str, tuple[str, ...]] = {
    "DynamicQuantizeLinear": ("uint8", "float32", "uint8"),
    **dict.fromkeys(("Shape", "ArgMax", "ArgMin", "ConstantOfShape"), ("int64",)),
    **dict.fromkeys(("ConvInteger", "MatMulInteger"), ("int32",)),
    **dict.fromkeys(("Equal", "Greater", "Less", "Not"), ("bool",)),
}
# Which input has the dtype of what comes out, where that is not the first: a zero point, or a scale.
_DTYPE_PLACES = {"QuantizeLinear": 2, "DequantizeLinear": 1, "QLinearConv": 7, "QLinearMatMul": 7}
_SAME = """
    Abs BatchNormalization Cast Ceil Celu Clip DequantizeLinear Dropout Elu Erf Exp Floor Gelu HardSigmoid
    HardSwish Identity InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax Mish Neg Not
    QuantizeLinear Reciprocal Relu Round Selu Sigmoid Sign Softmax Softplus Softsign Sqrt Tanh ThresholdedRelu
"""
_ELEMENTWISE = "Add Div Equal Greater Less Max Mean Min Mod Mul PRelu Pow Sub Sum Where"
RULES: dict[str, Callable[[Call], Shape]] = {
    **dict.fromkeys(_SAME.split(), rules.same),
    **dict.fromkeys(_ELEMENTWISE.split(), rules.elementwise),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), rules.global_pool),
    **dict.fromkeys(("AveragePool", "MaxPool", "LpPool"), rules.pool),
    **dict.fromkeys(("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceL2"), moves.reduce),
    "Conv": rules.convolution(1),
    "ConvInteger": rules.convolution(1),
    "QLinearConv": rules.convolution(3),
    "ConvTranspose": rules.transposed_convolution,
    "Gemm": rules.gemm(1),
    "MatMul": rules.matmul(1),
    "MatMulInteger": rules.matmul(1),
    "QLinearMatMul": rules.matmul(3),
    # ONNX Runtime's own.
    "QGemm": rules.gemm(3),
    "QLinearAdd": rules.elementwise_quantized,
    "QLinearMul": rules.elementwise_quantized,
    "QLinearGlobalAveragePool": rules.global_pool,
    "Concat": moves.concat,
    "ConstantOfShape": lambda call: call.integers(0),
    "Flatten": moves.flatten,
    "Gather": moves.gather,
    "Pad": moves.pad,
    "Reshape": moves.reshape,
    "Resize": moves.resize,
    "Upsample": moves.resize,
    "Shape": lambda call: (len(measured(call)),),
    "Slice": moves.cut,
    "Squeeze": moves.squeeze,
    "Transpose": moves.transpose,
    "Unsqueeze": moves.unsqueeze,
}
"""By operator; those with several outputs are in `_shapes`."""

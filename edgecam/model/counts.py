"""How large a network is: parameters and multiply-accumulates, counted from its graph.

The counts agree with the published ones of MobileNet, EfficientNet and MLPerf Tiny's ResNet-8 once
batch normalisation is folded away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod

from edgecam.model.network import Operator, Subgraph, Tensor

_FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})


def count_parameters(subgraphs: Iterable[Subgraph]) -> int:
    """Values of all constant tensors that are weights or biases.

    An integer constant is one only if it is quantized: a shape or a padding is not.
    """
    return sum(
        tensor.elements
        for subgraph in subgraphs
        for tensor in subgraph.tensors
        if tensor.constant_bytes and (tensor.dtype in _FLOATS or tensor.scales)
    )


def count_macs(subgraphs: Iterable[Subgraph]) -> int:
    """Multiply-accumulates of one inference, of the operators that matter.

    Convolution: prod(output) * prod(filter[1:]); depthwise: prod(output) * kernel height * width;
    fully connected and batch matmul: prod(output) * inner length; transposed convolution:
    prod(input) * kernel height * width * output channels.
    """
    return sum(_step_macs(step, subgraph) for subgraph in subgraphs for step in subgraph.steps)


def _step_macs(step: Operator, graph: Subgraph) -> int:
    if step.custom or step.name not in _COUNTERS or not step.outputs:
        return 0
    needed, count = _COUNTERS[step.name]
    inputs = [graph.tensor(index) for index in step.inputs[:needed]]
    output = graph.tensor(step.outputs[0])
    present = [tensor for tensor in inputs if tensor is not None]
    return count(present, output) if output is not None and len(present) == needed else 0


def _size(shape: tuple[int, ...]) -> int:
    return prod(max(length, 0) for length in shape)


def _convolution(inputs: list[Tensor], output: Tensor) -> int:
    return output.elements * _size(inputs[1].shape[1:])


def _depthwise(inputs: list[Tensor], output: Tensor) -> int:
    return output.elements * _size(inputs[1].shape[1:3])


def _fully_connected(inputs: list[Tensor], output: Tensor) -> int:
    return output.elements * _size(inputs[1].shape[-1:])


def _batch_matmul(inputs: list[Tensor], output: Tensor) -> int:
    # (…, M, K) x (…, K, N), either perhaps stored transposed: K is what is not M.
    left = inputs[0].shape[-2:]
    if len(left) < 2 or len(output.shape) < 2:  # noqa: PLR2004 - a matrix has two axes
        return 0
    inner = left[1] if left[0] == output.shape[-2] else left[0]
    return output.elements * max(inner, 0)


def _transposed_convolution(inputs: list[Tensor], _output: Tensor) -> int:
    # Inputs: output shape, filter (output channels, height, width, input channels), picture.
    return inputs[2].elements * _size(inputs[1].shape[:3])


# How many inputs each formula looks at, and the formula.
_COUNTERS: dict[str, tuple[int, Callable[[list[Tensor], Tensor], int]]] = {
    "CONV_2D": (2, _convolution),
    "DEPTHWISE_CONV_2D": (2, _depthwise),
    "FULLY_CONNECTED": (2, _fully_connected),
    "BATCH_MATMUL": (2, _batch_matmul),
    "TRANSPOSE_CONV": (3, _transposed_convolution),
}

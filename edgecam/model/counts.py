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
    """Values of all constant tensors that are weights or biases."""
    return sum(
        tensor.elements for subgraph in subgraphs for tensor in subgraph.tensors if is_parameter(tensor)
    )


def is_parameter(tensor: Tensor) -> bool:
    """Whether a tensor is a weight or a bias.

    An integer constant is one only if it is quantized: a shape or a padding is not. ONNX keeps scales as
    tensors of their own, so that of bytes in rows and columns it is taken for granted.
    """
    is_value = tensor.dtype in _FLOATS or bool(tensor.scales) or _is_bytes(tensor)
    return tensor.constant_bytes > 0 and is_value


def count_macs(subgraphs: Iterable[Subgraph]) -> int:
    """Multiply-accumulates of one inference, of the operators that matter.

    Convolution: prod(output) * prod(filter[1:]); depthwise: prod(output) * kernel height * width;
    fully connected and batch matmul: prod(output) * inner length; transposed convolution:
    prod(input) * kernel height * width * output channels.

    0 if an ONNX file does not say the shapes that are needed.
    """
    counts = [step_macs(step, subgraph) for subgraph in subgraphs for step in subgraph.steps]
    return 0 if None in counts else sum(count or 0 for count in counts)


def step_macs(step: Operator, graph: Subgraph) -> int | None:
    """One step's part of `count_macs`; None: it counts, but of an unknown size."""
    if step.custom or step.name not in _COUNTERS or not step.outputs:
        return 0
    needed, count = _COUNTERS[step.name]
    inputs = [graph.tensor(index) for index in step.inputs[:needed]]
    output = graph.tensor(step.outputs[0])
    present = [tensor for tensor in inputs if tensor is not None]
    if output is None or len(present) != needed:
        return 0
    is_unknown = any(tensor.dtype == "unknown" for tensor in (output, present[-1]))
    return None if is_unknown else count(present, output)


def _is_bytes(tensor: Tensor) -> bool:
    return tensor.dtype in {"int8", "uint8"} and len(tensor.shape) > 1


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


def _matrix(inputs: list[Tensor], output: Tensor) -> int:
    # ONNX: (K, N), or (N, K) where it is stored transposed; N is what comes out.
    rows, columns = inputs[1].shape[-2:] if len(inputs[1].shape) > 1 else (0, 0)
    return output.elements * max(rows if columns == output.shape[-1] else columns, 0)


# How many inputs each formula looks at, and the formula. The last of them are ONNX's.
_COUNTERS: dict[str, tuple[int, Callable[[list[Tensor], Tensor], int]]] = {
    "CONV_2D": (2, _convolution),
    "DEPTHWISE_CONV_2D": (2, _depthwise),
    "FULLY_CONNECTED": (2, _fully_connected),
    "BATCH_MATMUL": (2, _batch_matmul),
    "TRANSPOSE_CONV": (3, _transposed_convolution),
    "Conv": (2, _convolution),
    "Gemm": (2, _matrix),
    "MatMul": (2, _matrix),
}

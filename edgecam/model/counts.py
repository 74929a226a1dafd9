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

    An integer constant is one only if it is quantized: a shape or a padding is not. In ONNX, where scales are
    tensors of their own, its use decides, else whether it has bytes in rows and columns.
    """
    if not tensor.constant_bytes:
        return False
    if tensor.is_weight is not None:
        return tensor.is_weight
    return tensor.dtype in _FLOATS or bool(tensor.scales) or _is_bytes(tensor)


def count_macs(subgraphs: Iterable[Subgraph]) -> int:
    """Multiply-accumulates of one inference, of the operators that matter.

    Convolution: prod(output) * prod(filter[1:]); depthwise: prod(output) * kernel height * width;
    fully connected and batch matmul: prod(output) * inner length; transposed convolution:
    prod(input) * kernel height * width * output channels. Those of ONNX likewise, quantized or not.

    0 if a shape is needed that the file does not tell and that does not follow from the picture's.
    """
    counts = [step_macs(step, subgraph) for subgraph in subgraphs for step in subgraph.steps]
    return 0 if None in counts else sum(count or 0 for count in counts)


def step_macs(step: Operator, graph: Subgraph) -> int | None:
    """One step's part of `count_macs`; None: it counts, but of an unknown size."""
    if step.custom or step.name not in _COUNTERS or not step.outputs:
        return 0
    needed, count = _COUNTERS[step.name]
    inputs = [graph.tensor(step.inputs[place]) for place in needed if place < len(step.inputs)]
    output = graph.tensor(step.outputs[0])
    present = [tensor for tensor in inputs if tensor is not None]
    if output is None or len(present) != len(needed):
        return 0
    return None if any(_is_unknown(tensor) for tensor in (output, *present)) else count(present, output)


def _is_unknown(tensor: Tensor) -> bool:
    """A free batch is one picture; any other free axis is of unknown length."""
    return tensor.dtype == "unknown" or -1 in tensor.signature[1:]


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


def _transposed_convolution_onnx(inputs: list[Tensor], _output: Tensor) -> int:
    # Filter: input channels, output channels of one group, height, width.
    return inputs[0].elements * _size(inputs[1].shape[1:])


def _matrix(inputs: list[Tensor], output: Tensor) -> int:
    # ONNX: (K, N), or (N, K) where it is stored transposed; N is what comes out.
    rows, columns = inputs[1].shape[-2:] if len(inputs[1].shape) > 1 else (0, 0)
    return output.elements * max(rows if columns == output.shape[-1] else columns, 0)


# Which inputs each formula looks at, and the formula. From `Conv` on they are ONNX's.
_COUNTERS: dict[str, tuple[tuple[int, ...], Callable[[list[Tensor], Tensor], int]]] = {
    "CONV_2D": ((0, 1), _convolution),
    "DEPTHWISE_CONV_2D": ((0, 1), _depthwise),
    "FULLY_CONNECTED": ((0, 1), _fully_connected),
    "BATCH_MATMUL": ((0, 1), _batch_matmul),
    "TRANSPOSE_CONV": ((0, 1, 2), _transposed_convolution),
    "Conv": ((0, 1), _convolution),
    "ConvInteger": ((0, 1), _convolution),
    "QLinearConv": ((0, 3), _convolution),
    "ConvTranspose": ((0, 1), _transposed_convolution_onnx),
    "Gemm": ((0, 1), _matrix),
    "MatMul": ((0, 1), _matrix),
    "MatMulInteger": ((0, 1), _matrix),
    "QLinearMatMul": ((0, 3), _matrix),
    "QGemm": ((0, 3), _matrix),
}

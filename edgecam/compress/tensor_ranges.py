"""Which tensor of a float `.tflite` is which activation of the network that it was exported from.

The export keeps the order of the network's steps: the file's steps that compute something new are the
network's, one by one. Steps that only move values about, or that have fixed ranges, are the file's own. What
does not fit is refused: a range on the wrong tensor would be a quiet loss of accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecam.errors import ModelError
from edgecam.model.graph import parse_graph
from edgecam.model.network import Operator, Subgraph

CONVOLUTION, DEPTHWISE, LINEAR = "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"
ADDITION, PRODUCT = "ADD", "MUL"

# Their kernels want one scale at both ends.
_CARRIERS = frozenset(
    {"PAD", "PADV2", "RESHAPE", "AVERAGE_POOL_2D", "MAX_POOL_2D", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS"}
)
LOGISTIC_RANGE = (0.0, 255 / 256)
"""The one that the int8 kernel of the logistic function has: 256 steps from 0."""
_FIXED = {"LOGISTIC": LOGISTIC_RANGE}


@dataclass(frozen=True, slots=True)
class Activation:
    """What one step of the network gives."""

    operator: str
    """As the file has it: `CONV_2D`, …"""
    channels: int
    low: float
    """The real value of int8 -128."""
    high: float
    """The real value of int8 127."""


def ranges_by_tensor(
    tflite: bytes, input_range: tuple[float, float], activations: Sequence[Activation]
) -> dict[str, tuple[float, float]]:
    """The range of every computed tensor by its name in the file, as `quantize` takes them.

    Args:
        tflite: the float export of the network.
        input_range: the real values that -128 and 127 of the input stand for.
        activations: of the network, in the order in which it computes them.

    Raises:
        ModelError: the file's steps are not the network's.
    """
    graph = parse_graph(tflite, path=Path("the export")).subgraphs[0]
    ranges = {graph.tensors[index].name: input_range for index in graph.inputs}
    left = list(activations)
    for step in graph.steps:
        output = graph.tensors[step.outputs[0]]
        if step.name in _CARRIERS:
            ranges[output.name] = ranges[graph.tensors[step.inputs[0]].name]
        elif step.name in _FIXED:
            ranges[output.name] = _FIXED[step.name]
        else:
            found = _next(step, graph, left)
            ranges[output.name] = (found.low, found.high)
    if left:
        raise ModelError(f"the export lacks {len(left)} steps of the network, the first of them {left[0]}")
    return ranges


def _next(step: Operator, graph: Subgraph, left: list[Activation]) -> Activation:
    channels = graph.tensors[step.outputs[0]].shape[-1]
    expected = left.pop(0) if left else None
    if expected is None or (expected.operator, expected.channels) != (step.name, channels):
        raise ModelError(
            f"the export has {step.name} with {channels} channels where the network has "
            f"{expected or 'nothing more'}; export the very network that was trained"
        )
    return expected

"""Channels whose weights have all but vanished, kept from losing their bias when they are quantized.

A bias is quantized in steps of its input's scale times its channel's weight scale. Training leaves channels
with weights of 1e-9 and a bias of 1: in steps that small, such a bias fits into no integer. The quantizer
cuts it off, or lets it overflow into its opposite.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgecam.compress.flatfile import data_of, only_graph, pack, unpack

# Which axis of an operator's weights is its output's channel.
_CHANNEL_AXIS = {
    schema.BuiltinOptions.Conv2DOptions: 0,
    schema.BuiltinOptions.DepthwiseConv2DOptions: 3,
    schema.BuiltinOptions.FullyConnectedOptions: 0,
}
_WEIGHT_STEPS = 127
# The quantizer cuts a bias off at 32 bits, beside int16 activations, too, where it is stored in 64.
_MOST_BIAS_STEPS = 2.0**31 * 0.99


def with_biases_kept(
    tflite: bytes, ranges: Mapping[str, Mapping[str, Any]], *, activation_bits: int
) -> bytes:
    """The float model, with one weight of each dead channel raised so far that its bias fits.

    What that weight then adds to the channel is at most a fivehundredth of its bias; with int8, much less.

    Args:
        tflite: the float model.
        ranges: `min` and `max` of each tensor by its name.
        activation_bits: 8 or 16.
    """
    model = unpack(tflite)
    graph = only_graph(model)
    changed = False
    for step in graph.operators:
        axis = _CHANNEL_AXIS.get(step.builtinOptionsType)
        if axis is None or len(step.inputs) < 3 or step.inputs[2] < 0:  # noqa: PLR2004 - the third is the bias
            continue
        given, weights, bias = (graph.tensors[index] for index in step.inputs[:3])
        entry = ranges.get(given.name.decode())
        if not entry or weights.type != schema.TensorType.FLOAT32:
            continue
        values = [_floats(model, tensor, tflite) for tensor in (weights, bias)]
        if min(value.size for value in values) == 0:
            continue
        least = _least_weight(values[1], _scale(entry, activation_bits))
        raised = _raised(values[0].reshape(weights.shape), least, axis)
        if raised is not None:
            buffer = model.buffers[weights.buffer]
            buffer.data, buffer.offset, buffer.size = raised.tobytes(), 0, 0
            changed = True
    return pack(model, tflite) if changed else tflite


def _least_weight(bias: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """What the largest weight of each channel has to be, (channels,)."""
    return np.abs(bias.astype(np.float64)) * _WEIGHT_STEPS / (scale * _MOST_BIAS_STEPS)


def _raised(
    weights: NDArray[np.float32], least: NDArray[np.float64], axis: int
) -> NDArray[np.float32] | None:
    """The weights with what has to be raised; None: nothing has."""
    rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1).copy()
    largest = np.abs(rows).max(axis=1)
    dead = np.flatnonzero(largest < least)
    if dead.size == 0:
        return None
    places = np.abs(rows[dead]).argmax(axis=1)
    rows[dead, places] = np.copysign(least[dead], rows[dead, places])
    moved = [weights.shape[axis], *np.delete(weights.shape, axis)]
    return np.ascontiguousarray(np.moveaxis(rows.reshape(moved), 0, axis), np.float32)


def _scale(entry: Mapping[str, Any], bits: int) -> float:
    low, high = min(float(np.min(entry["min"])), 0.0), max(float(np.max(entry["max"])), 0.0)
    if bits == 8:  # noqa: PLR2004
        return max(high - low, 1e-9) / 255
    return max(high, -low, 1e-9) / 32767


def _floats(model: Any, tensor: Any, tflite: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data_of(model.buffers[tensor.buffer], tflite), np.float32)

"""What short lists of numbers become in nodes that put shapes and paddings together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgecam.model.onnx_call import Call, Unknown
from edgecam.model.onnx_tensors import Values


def measured(call: Call) -> Values:
    """The shape of the first input, or a part of it."""
    end = call.numbers.get("end", (None,))[0]
    return np.array(call.shape()[slice(call.number("start", 0), end)], np.int64)


def _same(call: Call) -> Values:
    return call.value(0)


def _gathered(call: Call) -> Values:
    return np.take(call.value(0), np.array(call.integers(1)), axis=call.number("axis", 0))


def _joined(call: Call) -> Values:
    parts = [call.value(place) for place in range(len(call.values))]
    return np.concatenate(parts, axis=call.number("axis", 0))


def _cut(call: Call) -> Values:
    found = call.value(0)
    starts, ends = call.listed("starts", 1), call.listed("ends", 2)
    if starts is None or ends is None:
        raise Unknown
    parts = [slice(None)] * found.ndim
    axes = call.listed("axes", 3) or tuple(range(len(starts)))
    steps = call.listed("steps", 4) or (1,) * len(starts)
    for axis, *bounds in zip(axes, starts, ends, steps, strict=True):
        parts[axis] = slice(*bounds)
    return found[tuple(parts)]


def _turned(call: Call) -> Values:
    return np.transpose(call.value(0), call.numbers.get("perm"))


def _filled(call: Call) -> Values:
    return np.full(call.integers(0), call.number("value", 0))


def _divided(call: Call) -> Values:
    return np.trunc(call.value(0) / call.value(1)).astype(np.int64)


VALUES: dict[str, Callable[[Call], Values]] = {
    "Shape": measured,
    "Gather": _gathered,
    "Concat": _joined,
    "ConstantOfShape": _filled,
    "Slice": _cut,
    "Transpose": _turned,
    **dict.fromkeys(("Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape"), _same),
    "Neg": lambda call: -call.value(0),
    "Add": lambda call: call.value(0) + call.value(1),
    "Sub": lambda call: call.value(0) - call.value(1),
    "Mul": lambda call: call.value(0) * call.value(1),
    "Div": _divided,
}
"""By operator; each raises what the rules of shapes raise when it cannot be told."""

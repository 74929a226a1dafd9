"""What shape comes out of the ONNX operators that move values, cut them or add them up along an axis.

Each rule follows the operator's own page of the ONNX specification.
"""

from __future__ import annotations

from math import floor, prod

from edgecam.model.onnx_call import Call, Shape, Unknown


def flatten(call: Call) -> Shape:
    """Two axes: those before `axis`, and the others."""
    shape = call.shape()
    axis = _axis(call.number("axis", 1), len(shape) + 1)
    return prod(shape[:axis]), prod(shape[axis:])


def reshape(call: Call) -> Shape:
    """As its second input says: 0 keeps an axis, -1 takes the rest."""
    shape = call.shape()
    wanted = call.listed("shape", 1)
    if wanted is None:
        raise Unknown
    if not call.number("allowzero", 0):
        wanted = tuple(shape[axis] if size == 0 else size for axis, size in enumerate(wanted))
    known = prod(size for size in wanted if size != -1)
    return tuple(prod(shape) // known if size == -1 else size for size in wanted)


def transpose(call: Call) -> Shape:
    """The axes in another order."""
    shape = call.shape()
    order = call.numbers.get("perm", tuple(reversed(range(len(shape)))))
    return tuple(shape[axis] for axis in order)


def squeeze(call: Call) -> Shape:
    """Without axes of length one."""
    shape = call.shape()
    axes = call.listed("axes", 1)
    gone = {_axis(axis, len(shape)) for axis in axes} if axes is not None else None
    return tuple(size for axis, size in enumerate(shape) if not (size == 1 if gone is None else axis in gone))


def unsqueeze(call: Call) -> Shape:
    """With new axes of length one."""
    left = list(call.shape())
    axes = call.listed("axes", 1) or ()
    rank = len(left) + len(axes)
    new = {_axis(axis, rank) for axis in axes}
    return tuple(1 if axis in new else left.pop(0) for axis in range(rank))


def concat(call: Call) -> Shape:
    """One behind the other along an axis."""
    shapes = [call.shape(place) for place in range(len(call.shapes))]
    axis = _axis(call.number("axis", 0), len(shapes[0]))
    total = sum(shape[axis] for shape in shapes)
    return (*shapes[0][:axis], total, *shapes[0][axis + 1 :])


def pad(call: Call) -> Shape:
    """Longer at both ends of its axes, or shorter."""
    shape = call.shape()
    pads = call.listed("pads", 1)
    if pads is None:
        raise Unknown
    axes = [_axis(axis, len(shape)) for axis in call.listed("axes", 3) or range(len(shape))]
    sizes = list(shape)
    for place, axis in enumerate(axes):
        sizes[axis] += pads[place] + pads[len(axes) + place]
    return tuple(sizes)


def reduce(call: Call) -> Shape:
    """Summed up along some axes."""
    shape = call.shape()
    axes = call.listed("axes", 1)
    if axes is None and call.number("noop_with_empty_axes", 0):
        return shape
    gone = {_axis(axis, len(shape)) for axis in (range(len(shape)) if axes is None else axes)}
    if call.number("keepdims", 1):
        return tuple(1 if axis in gone else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


def resize(call: Call) -> Shape:
    """A picture of another size."""
    shape = call.shape()
    if len(call.values) > 3 and call.values[3] is not None:  # noqa: PLR2004 - picture, roi, scales, sizes
        return call.integers(3)
    scales = call.value(1 if call.operator == "Upsample" else 2)
    return tuple(floor(size * float(scale)) for size, scale in zip(shape, scales.flat, strict=True))


def cut(call: Call) -> Shape:
    """A part of some axes."""
    shape = list(call.shape())
    starts, ends = call.listed("starts", 1), call.listed("ends", 2)
    if starts is None or ends is None:
        raise Unknown
    axes = call.listed("axes", 3) or tuple(range(len(starts)))
    steps = call.listed("steps", 4) or (1,) * len(starts)
    for axis, *bounds in zip(axes, starts, ends, steps, strict=True):
        shape[axis] = len(range(*slice(*bounds).indices(shape[axis])))
    return tuple(shape)


def gather(call: Call) -> Shape:
    """What stands at indices along an axis."""
    shape, indices = call.shape(), call.shape(1)
    axis = _axis(call.number("axis", 0), len(shape))
    return (*shape[:axis], *indices, *shape[axis + 1 :])


def split(call: Call) -> tuple[Shape, ...]:
    """Several outputs, parts of one axis."""
    shape = call.shape()
    axis = _axis(call.number("axis", 0), len(shape))
    even = -(-shape[axis] // call.outputs)
    last = shape[axis] - even * (call.outputs - 1)
    sizes = call.listed("split", 1) or (*(even,) * (call.outputs - 1), last)
    return tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in sizes)


def _axis(axis: int, rank: int) -> int:
    return axis + rank if axis < 0 else axis

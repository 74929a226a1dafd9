"""What shape comes out of the ONNX operators that compute: convolutions, pools, products, sums.

Each rule follows the operator's own page of the ONNX specification.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest

from edgecam.model.onnx_call import Call, Shape


def same(call: Call) -> Shape:
    """That of the first input."""
    return call.shape()


def elementwise(call: Call) -> Shape:
    """All inputs stretched to one shape."""
    return broadcast(*(call.shape(place) for place in range(len(call.shapes))))


def elementwise_quantized(call: Call) -> Shape:
    """Each of the two inputs has its scale and its zero point behind it."""
    return broadcast(call.shape(), call.shape(3))


def broadcast(*shapes: Shape) -> Shape:
    """The shape that all of these stretch to."""
    columns = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    return tuple(reversed([max(sizes, key=lambda size: (size != 1, size)) for sizes in columns]))


def convolution(place: int) -> Callable[[Call], Shape]:
    """`place`: the input that is the filter."""

    def shape(call: Call) -> Shape:
        picture, kernel = call.shape(), call.shape(place)
        return (picture[0], kernel[0], *_windows(call, picture[2:], kernel[2:]))

    return shape


def pool(call: Call) -> Shape:
    """A window that slides over each channel."""
    picture = call.shape()
    return (*picture[:2], *_windows(call, picture[2:], call.numbers["kernel_shape"]))


def _windows(call: Call, sizes: Shape, kernel: Shape) -> Shape:
    """How many places a sliding window has along each axis."""
    axes = len(sizes)
    strides = call.numbers.get("strides", (1,) * axes)
    dilations = call.numbers.get("dilations", (1,) * axes)
    pads = call.numbers.get("pads", (0,) * (2 * axes))
    how = call.words.get("auto_pad", "NOTSET")
    if how.startswith("SAME"):
        return tuple(-(-size // stride) for size, stride in zip(sizes, strides, strict=True))
    if how == "VALID":
        pads = (0,) * (2 * axes)
    found = []
    for axis, (size, width, stride) in enumerate(zip(sizes, kernel, strides, strict=True)):
        before = size + pads[axis]
        room = before + pads[axes + axis] - dilations[axis] * (width - 1) - 1
        count = room // stride + 1
        # With ceil_mode a last window may hang over the end, if it begins before it.
        if call.number("ceil_mode", 0) and room % stride and count * stride < before:
            count += 1
        found.append(count)
    return tuple(found)


def transposed_convolution(call: Call) -> Shape:
    """A filter that is laid down once for each input value."""
    picture, kernel = call.shape(), call.shape(1)
    axes = len(picture) - 2
    channels = kernel[1] * call.number("group", 1)
    if "output_shape" in call.numbers:
        return (picture[0], channels, *call.numbers["output_shape"][-axes:])
    strides = call.numbers.get("strides", (1,) * axes)
    if call.words.get("auto_pad", "NOTSET").startswith("SAME"):
        sides = zip(picture[2:], strides, strict=True)
        return (picture[0], channels, *(size * stride for size, stride in sides))
    dilations = call.numbers.get("dilations", (1,) * axes)
    pads = call.numbers.get("pads", (0,) * (2 * axes))
    more = call.numbers.get("output_padding", (0,) * axes)
    found = [
        strides[axis] * (picture[2 + axis] - 1)
        + more[axis]
        + (kernel[2 + axis] - 1) * dilations[axis]
        + 1
        - pads[axis]
        - pads[axes + axis]
        for axis in range(axes)
    ]
    return (picture[0], channels, *found)


def global_pool(call: Call) -> Shape:
    """One value a channel."""
    picture = call.shape()
    return (*picture[:2], *(1 for _ in picture[2:]))


def gemm(place: int) -> Callable[[Call], Shape]:
    """A product of two matrices, either perhaps stored transposed; `place`: the input that is the second."""

    def shape(call: Call) -> Shape:
        left, right = call.shape(), call.shape(place)
        return left[call.number("transA", 0)], right[1 - call.number("transB", 0)]

    return shape


def matmul(place: int) -> Callable[[Call], Shape]:
    """`place`: the input that is the second matrix."""

    def shape(call: Call) -> Shape:
        left, right = call.shape(), call.shape(place)
        rows = left[-2:-1]
        columns = right[-1:] if len(right) > 1 else ()
        return (*broadcast(left[:-2], right[:-2]), *rows, *columns)

    return shape

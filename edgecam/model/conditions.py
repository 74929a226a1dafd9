"""Conditions that delegates put on single layers, as far as shapes and dtypes show them.

Each takes the tensors that a layer reads and makes, and says what is wrong; nothing: it is met.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from edgecam.model.network import Tensor

Condition = Callable[[Sequence[Tensor | None], Sequence[Tensor]], str]


def same_sign(inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> str:
    """Of quantized values that are only scaled anew."""
    found = {tensor.dtype for tensor in (*inputs[:1], *outputs) if tensor is not None}
    return "between int8 and uint8" if {"int8", "uint8"} <= found else ""


def bias(inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> str:
    """A convolution has one."""
    return "" if len(inputs) > 2 and inputs[2] is not None else "without a bias"  # noqa: PLR2004


def constant_weights(inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> str:
    """Weights stand in the file."""
    weights = inputs[1] if len(inputs) > 1 else None
    return "" if weights is not None and weights.constant_bytes else "weights that are computed"


def own_dtype(inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> str:
    """Weights are as wide as what goes in."""
    picture, weights = (*inputs, None, None)[:2]
    if picture is None or weights is None or picture.bytes is None or picture.dtype == weights.dtype:
        return ""
    is_hybrid = picture.dtype.startswith("float") and "int" in weights.dtype
    return f"{picture.dtype} with {weights.dtype} weights" if is_hybrid else ""


def one_scale(inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> str:
    """Weights are quantized as a whole."""
    weights = inputs[1] if len(inputs) > 1 else None
    return "weights with a scale for each channel" if weights and len(set(weights.scales)) > 1 else ""


def byte_weights(inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> str:
    """Weights have eight bits."""
    weights = inputs[1] if len(inputs) > 1 else None
    return "" if weights is None or weights.dtype in {"int8", "uint8"} else f"{weights.dtype} weights"


def matrix_out(_inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> str:
    """What comes out has two axes."""
    return "" if all(len(tensor.shape) == 2 for tensor in outputs) else "an output without two axes"  # noqa: PLR2004


def one_row(inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> str:
    """What goes in is one row of values."""
    shape = inputs[0].shape if inputs and inputs[0] is not None else ()
    return "more than one row" if sum(size > 1 for size in shape) > 1 else ""


def at_most(elements: int) -> Condition:
    """What goes in has no more values than this."""

    def check(inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> str:
        found = inputs[0].elements if inputs and inputs[0] is not None else 0
        return f"{found} values, more than {elements}" if found > elements else ""

    return check


def at_most_pixels(pixels: int) -> Condition:
    """What goes in has no more pixels than this; NHWC."""

    def check(inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> str:
        found = prod(inputs[0].shape[1:3]) if inputs and inputs[0] is not None else 0
        return f"{found} pixels, more than {pixels}" if found > pixels else ""

    return check


def three_wide(inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> str:
    """A filter is three pixels wide."""
    kernel = inputs[1].shape if len(inputs) > 1 and inputs[1] is not None else ()
    return "" if kernel[2:3] in {(), (3,)} else f"a filter {kernel[2]} pixels wide, not 3"


def one_for_each(inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> str:
    """A depthwise convolution makes one channel of each."""
    before = inputs[0].shape[-1:] if inputs and inputs[0] is not None else ()
    after = outputs[0].shape[-1:] if outputs else ()
    return "" if before == after else "several channels made of each"

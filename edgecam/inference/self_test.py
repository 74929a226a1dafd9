"""One inference of a known picture, before an engine is believed; it also warms the engine up.

A delegate or kernel that is broken seldom fails: it computes something else. So the card may carry what
the network says of a made picture, and any engine that runs it has to say nearly the same.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import EngineError
from edgecam.inference.engine import Engine, reads_metadata
from edgecam.model.card import TOP_COUNT, Channels, InputCard, OutputKind
from edgecam.model.model import Model
from edgecam.records import TensorSpec
from edgecam.vision.postprocess import dequantize, top_k
from edgecam.vision.preprocess import input_table

# How far from 0..1 a float probability may lie: rounding only.
_TOLERANCE = 1e-3


def run_self_test(engine: Engine, model: Model) -> float:
    """Classify the synthetic picture and check the answer.

    Returns:
        How long this first inference took, in ms; 0 for an engine that cannot be shown a picture.

    Raises:
        EngineError: the outputs are not finite, all the same, no probabilities, or not those of the card.
    """
    if reads_metadata(engine):
        return 0.0
    tensor = synthetic_tensor(model.card.input, engine.input)
    start_ns = time.perf_counter_ns()
    raw = engine.invoke(tensor)
    took_ms = (time.perf_counter_ns() - start_ns) / 1e6
    check_answer(raw, engine=engine, model=model)
    return took_ms


def check_answer(raw: NDArray[Any], *, engine: Engine, model: Model) -> None:
    """Check the (classes,) raw output for the synthetic picture; raises as `run_self_test`."""
    where = f"{model.path}: the engine {engine.info.name} computes wrong results:"
    values = dequantize(raw, engine.output.scale, engine.output.zero_point)
    if not np.isfinite(values).all():
        raise EngineError(f"{where} {int((~np.isfinite(values)).sum())} scores are not finite")
    if (values == values[0]).all():
        raise EngineError(
            f"{where} all {values.size} scores are {values[0]:.3g} for a picture full of contrast"
        )
    low, high = float(values.min()), float(values.max())
    probable = model.card.output.kind is OutputKind.PROBABILITIES
    if probable and engine.output.dtype == "float32" and (low < -_TOLERANCE or high > 1 + _TOLERANCE):
        raise EngineError(
            f"{model.path}: scores from {low:.3g} to {high:.3g} are no probabilities; "
            "set output.kind: logits in the card"
        )
    if model.card.self_test is None:
        return
    expected = model.card.self_test.top5[0]
    found = [int(index) for index in top_k(raw, TOP_COUNT)]
    if expected not in found:
        raise EngineError(
            f"{where} the test picture must give class {expected} among the best {TOP_COUNT}, got {found}; "
            "update the runtime, or correct self_test in the card if you changed the model"
        )


def synthetic_picture(height_px: int, width_px: int) -> NDArray[np.uint8]:
    """A made picture with edges, gradients and colour: (height, width, 3) uint8, RGB.

    pixel[y, x, c] = ((x * (c + 1) * 7 + y * (3 - c) * 5) ^ (x * y // 16)) & 255
    """
    y, x, c = np.ogrid[:height_px, :width_px, :3]
    values = ((x * (c + 1) * 7 + y * (3 - c) * 5) ^ (x * y // 16)) & 255
    return np.asarray(values, np.uint8)


def synthetic_tensor(card: InputCard, tensor: TensorSpec) -> NDArray[Any]:
    """The synthetic picture as the model's input tensor; gray models see its red channel."""
    picture = synthetic_picture(card.height_px, card.width_px)
    channels = {Channels.RGB: [0, 1, 2], Channels.BGR: [2, 1, 0], Channels.GRAY: [0]}[card.color]
    table = input_table(
        card.mean, card.std, scale=tensor.scale, zero_point=tensor.zero_point, dtype=tensor.dtype
    )
    table = np.broadcast_to(table, (table.shape[0], len(channels)))
    return table[picture[..., channels], np.arange(len(channels))][np.newaxis]

"""From a torch network to a float .tflite, and from there to full int8."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import litert_torch
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe
from ai_edge_quantizer.calibrator import Calibrator
from ai_edge_quantizer.recipe_manager import RecipeManager
from ai_edge_quantizer.utils.qsv_utils import min_max_update
from numpy.typing import NDArray

from model_building.networks import Classifier

_RANGE_STEPS = 256


def convert_to_tflite(model: Classifier, *, side_px: int) -> bytes:
    """Float .tflite, input [1, side_px, side_px, 3] without a transpose, output [1, 1000] logits."""
    channel_last = litert_torch.to_channel_last_io(model, args=[0]).eval()
    sample = (torch.zeros(1, side_px, side_px, 3),)
    with torch.no_grad():
        return bytes(litert_torch.convert(channel_last, sample).model_content())


def quantize(
    float_tflite: bytes,
    inputs: Iterable[NDArray[np.float32]],
    *,
    input_range: tuple[float, float],
) -> bytes:
    """Full int8 .tflite: weights per channel, activations per tensor, int8 in and out.

    A tensor's range is the union of its ranges over all pictures: the quantizer's own default, a moving
    average, cuts off what is rare and costs points of accuracy.

    Args:
        float_tflite: What `convert_to_tflite` made.
        inputs: Normalised pictures, float32 [1, side, side, 3].
        input_range: The real values that int8 -128 and 127 of the input tensor stand for.
    """
    rules = recipe.static_wi8_ai8()
    manager = RecipeManager()
    manager.load_quantization_recipe(rules)
    calibrator = Calibrator(float_tflite, num_threads=1, qsv_update_func=min_max_update)
    calibrator.calibrate({"serving_default": [{"args_0": picture} for picture in inputs]}, manager)
    ranges = {name: _rounded_outwards(entry) for name, entry in calibrator.get_model_qsvs().items()}
    low, high = (np.float32(value).reshape(1, 1, 1, 1) for value in input_range)
    ranges[_input_name(float_tflite)] = {"min": low, "max": high}
    result = quantizer.Quantizer(float_tflite, rules).quantize(ranges, enable_progress_report=False)
    return bytes(result.quantized_model or b"")


def _rounded_outwards(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Coarser limits, so that a last bit that differs between processors does not change the file."""
    low, high = entry["min"], entry["max"]
    step = np.exp2(np.ceil(np.log2(np.maximum(np.abs(low), np.abs(high)) + 1e-30))) / _RANGE_STEPS
    return {
        **entry,
        "min": (np.floor(low / step) * step).astype(np.float32),
        "max": (np.ceil(high / step) * step).astype(np.float32),
    }


def _input_name(tflite: bytes) -> str:
    return str(Interpreter(model_content=tflite).get_input_details()[0]["name"])

"""From a torch network to a float .tflite."""

from __future__ import annotations

import litert_torch
import torch

from model_building.networks import Classifier


def convert_to_tflite(model: Classifier, *, side_px: int) -> bytes:
    """Float .tflite, input [1, side_px, side_px, 3] without a transpose, output [1, 1000] logits."""
    channel_last = litert_torch.to_channel_last_io(model, args=[0]).eval()
    sample = (torch.zeros(1, side_px, side_px, 3),)
    with torch.no_grad():
        return bytes(litert_torch.convert(channel_last, sample).model_content())

"""Numbers that stay float and take only the values that int8 can hold, and gradients through them.

Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference": weights symmetric per output channel, activations asymmetric per tensor; rounding has the gradient
of the identity, clipping that of clipping. Scales and zero points are worked out as the quantizer does.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WEIGHT_STEPS = 127
"""Narrow range: -127 to 127, so that weights are symmetric."""
STEPS = 255
LOWEST = -128
# The quantizer's own guard against a scale of zero.
_LEAST_BOUND = 1e-9


def fake_quantized_weight(weight: Tensor) -> Tensor:
    """Weights on their int8 grid; float32 [out, …], one scale for each output channel."""
    bound = weight.detach().abs().flatten(1).amax(1).clamp_min(_LEAST_BOUND)
    scale = (bound / WEIGHT_STEPS).reshape(-1, *[1] * (weight.dim() - 1))
    on_grid = torch.round(weight.detach() / scale).clamp(-WEIGHT_STEPS, WEIGHT_STEPS) * scale
    return weight + (on_grid - weight).detach()


def fake_quantized(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Activations on the int8 grid of a range that contains zero; the limits are scalars."""
    scale = (high - low).clamp_min(_LEAST_BOUND) / STEPS
    zero_point = torch.round(LOWEST - low / scale)
    # What the grid reaches, which may be half a step off the range: zero has to lie on it.
    least, most = (LOWEST - zero_point) * scale, (LOWEST + STEPS - zero_point) * scale
    clipped = torch.clamp(x, least, most)
    on_grid = torch.round(clipped.detach() / scale) * scale
    return clipped + (on_grid - clipped).detach()


class Observer(nn.Module):
    """Learns the range of one activation, and puts the activation on that range's grid.

    While `watching`, its range is first the union of what it sees, then a moving average of each batch's
    limits; while `rounding`, what passes is rounded to the grid.

    Args:
        operator: what makes the activation, as a `.tflite` calls it: `CONV_2D`, …
        momentum: how much of the average stays with each batch, 0 to 1.
    """

    def __init__(self, operator: str, momentum: float) -> None:
        super().__init__()
        self.operator = operator
        self.momentum = momentum
        self.watching = True
        self.rounding = False
        self.channels = 0
        """Of the activation that it saw last."""
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """[n, channels, …] to the same."""
        self.channels = x.shape[1]
        if self.watching and self.training:
            self._watch(x.detach())
        return fake_quantized(x, self.low, self.high) if self.rounding else x

    def range(self) -> tuple[float, float]:
        """The real values of -128 and 127, zero on the grid."""
        low, high = self.low.double(), self.high.double()
        scale = torch.clamp_min(high - low, _LEAST_BOUND) / STEPS
        zero_point = torch.round(LOWEST - low / scale)
        return float((LOWEST - zero_point) * scale), float((LOWEST + STEPS - zero_point) * scale)

    def _watch(self, x: Tensor) -> None:
        low, high = x.min().clamp_max(0.0), x.max().clamp_min(0.0)
        if self.rounding:
            self.low.lerp_(low, 1 - self.momentum)
            self.high.lerp_(high, 1 - self.momentum)
        else:
            torch.minimum(self.low, low, out=self.low)
            torch.maximum(self.high, high, out=self.high)

"""A picture into the model's input tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.model.card import InputCard
from edgecam.records import Image, TensorSpec
from edgecam.vision.color import Pixels, cut_and_convert
from edgecam.vision.geometry import Plan, View, plan_view

_SIGN_BIT = np.uint8(0x80)
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def input_table(
    mean: Sequence[float], std: Sequence[float], *, scale: float | None, zero_point: int | None, dtype: str
) -> NDArray[Any]:
    """What each of the 256 pixel values becomes in the tensor, per channel.

    real = (pixel - mean) / std; for a quantized tensor round(real / scale) + zero_point, halves away
    from zero as TFLite rounds, clipped to the dtype. One table serves every normalisation and dtype
    (mean 127, std 128, int8, scale 1/128, zero point -1 gives `pixel ^ 0x80`).

    Returns:
        (256, channels) of `dtype`.
    """
    pixels = np.arange(256, dtype=np.float64)[:, np.newaxis]
    real = (pixels - np.asarray(mean, np.float64)) / np.asarray(std, np.float64)
    if scale is None or zero_point is None:
        return np.asarray(real, dtype)
    steps = real / scale
    rounded = np.trunc(steps + np.copysign(0.5, steps)) + zero_point
    limits = np.iinfo(dtype)
    return np.asarray(np.clip(rounded, limits.min, limits.max), dtype)


class Preprocessor:
    """Turns pictures of one camera into the input tensor of one model.

    Not thread-safe: it belongs to the engine worker.
    """

    def __init__(self, card: InputCard, tensor: TensorSpec, view: View) -> None:
        """Build the table; the plan is made for the first picture and again when its size changes."""
        self._card = card
        self._view = view
        self._shape = tensor.shape
        self._plan: tuple[tuple[int, int], Plan] | None = None
        table = input_table(
            card.mean, card.std, scale=tensor.scale, zero_point=tensor.zero_point, dtype=tensor.dtype
        )
        channels = tensor.shape[-1]
        self._pad = tuple(round(float(m)) for m in np.broadcast_to(card.mean, channels))
        per_channel = np.broadcast_to(table, (256, channels))
        if (per_channel == per_channel[:, :1]).all():
            per_channel = per_channel[:, :1]
        self._table = np.ascontiguousarray(per_channel)[np.newaxis]
        # Most quantized inputs are the pixels themselves, or these with the sign bit turned: no table then.
        is_same = self._table.dtype.itemsize == 1 and self._table.shape[2] == 1
        bits = self._table[0, :, 0].view(np.uint8) if is_same else np.zeros(256, np.uint8)
        self._is_identity = bool((bits == np.arange(256)).all())
        self._turns_sign = bool((bits == np.arange(256) ^ _SIGN_BIT).all())

    def __call__(self, image: Image) -> NDArray[Any]:
        """The input tensor, (1, height, width, channels), in the model's dtype."""
        plan = self.plan_of(image)
        upright = turn(cut_and_convert(image, plan, self._card.color), plan)
        if upright.shape[:2] != (self._card.height_px, self._card.width_px):
            upright = self._letterbox(upright, plan)
        tensor: NDArray[Any]
        if self._is_identity:
            tensor = upright
        elif self._turns_sign:
            tensor = np.bitwise_xor(upright, _SIGN_BIT)
        else:
            tensor = np.asarray(cv2.LUT(upright, self._table))
        return np.ascontiguousarray(tensor).view(self._table.dtype).reshape(self._shape)

    def plan_of(self, image: Image) -> Plan:
        """What is cut from a picture of this size, and where it goes."""
        size = (image.width_px, image.height_px)
        if self._plan is None or self._plan[0] != size:
            self._plan = (size, plan_view(*size, self._view, self._card))
        return self._plan[1]

    def _letterbox(self, picture: Pixels, plan: Plan) -> Pixels:
        """Lay the picture on the mean colour, which the network sees as nothing."""
        top, left = plan.pad_top_px, plan.pad_left_px
        bottom = self._card.height_px - picture.shape[0] - top
        right = self._card.width_px - picture.shape[1] - left
        padded = cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=self._pad)
        return np.asarray(padded, np.uint8)


def turn(picture: Pixels, plan: Plan) -> Pixels:
    """A resized picture as the plan turns and flips it."""
    turned: Any = picture
    if not (plan.rotate or plan.flip_horizontal or plan.flip_vertical):
        return picture
    if plan.rotate:
        turned = cv2.rotate(turned, _TURNS[plan.rotate])
    if plan.flip_horizontal:
        turned = turned[:, ::-1]
    if plan.flip_vertical:
        turned = turned[::-1]
    return np.ascontiguousarray(turned)

"""Cut and resize a picture in its own format, then convert the small result to the model's colours.

Resizing before converting halves the work, and YUV is converted by one 3x4 matrix whatever its
standard and range (ITU-R BT.601-7, BT.709-6, BT.2020-2).
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.model.card import Channels
from edgecam.records import ColorSpace, Image, PixelFormat, YuvMatrix
from edgecam.vision.geometry import Plan

Pixels = NDArray[np.uint8]

# Kr, Kb of each standard; Kg = 1 - Kr - Kb.
_LUMA = {
    YuvMatrix.BT601: (0.299, 0.114),
    YuvMatrix.BT709: (0.2126, 0.0722),
    YuvMatrix.BT2020: (0.2627, 0.0593),
}
_FROM_BGR = {Channels.RGB: cv2.COLOR_BGR2RGB, Channels.BGR: None, Channels.GRAY: cv2.COLOR_BGR2GRAY}
_FROM_RGB = {Channels.RGB: None, Channels.BGR: cv2.COLOR_RGB2BGR, Channels.GRAY: cv2.COLOR_RGB2GRAY}
_FROM_GRAY = {Channels.RGB: cv2.COLOR_GRAY2RGB, Channels.BGR: cv2.COLOR_GRAY2BGR, Channels.GRAY: None}
_CONVERSION = {PixelFormat.BGR: _FROM_BGR, PixelFormat.RGB: _FROM_RGB, PixelFormat.GRAY: _FROM_GRAY}


def cut_and_convert(image: Image, plan: Plan, color: Channels) -> Pixels:
    """Cut the planned rectangle, resize it, convert it.

    Args:
        image: The whole picture.
        plan: Rectangle and size.
        color: The order that the model wants.

    Returns:
        (plan.resized_height_px, plan.resized_width_px, 3), or without the last axis for gray; uint8.
    """
    if image.format in {PixelFormat.I420, PixelFormat.NV12}:
        return _from_yuv(image, plan, color)
    box = image.pixels[plan.y_px : plan.y_px + plan.height_px, plan.x_px : plan.x_px + plan.width_px]
    small = shrink(box, plan.resized_width_px, plan.resized_height_px)
    code = _CONVERSION[image.format][color]
    return small if code is None else np.asarray(cv2.cvtColor(small, code), np.uint8)


def shrink(box: Pixels, width_px: int, height_px: int) -> Pixels:
    """Resize (height, width[, channels]) uint8 bilinearly, halving first where that avoids aliasing.

    A bilinear sample sees two pixels a side, so above a factor of two it would leave some out. Exact
    halving is a plain mean, which OpenCV does fast; INTER_AREA at other factors is ten times slower.
    """
    while box.shape[1] >= 2 * width_px and box.shape[0] >= 2 * height_px:
        even_w, even_h = box.shape[1] & ~1, box.shape[0] & ~1
        half = (even_w // 2, even_h // 2)
        box = np.asarray(cv2.resize(box[:even_h, :even_w], half, interpolation=cv2.INTER_AREA), np.uint8)
    if box.shape[:2] == (height_px, width_px):
        return box
    return np.asarray(cv2.resize(box, (width_px, height_px), interpolation=cv2.INTER_LINEAR), np.uint8)


def _from_yuv(image: Image, plan: Plan, color: Channels) -> Pixels:
    luma, chroma = _planes(image)
    box = luma[plan.y_px : plan.y_px + plan.height_px, plan.x_px : plan.x_px + plan.width_px]
    size = (plan.resized_width_px, plan.resized_height_px)
    small_y = shrink(box, *size)
    matrix = yuv_matrix(image.color, color)
    if color is Channels.GRAY:
        return np.asarray(cv2.transform(small_y, matrix[:1, [0, 3]]), np.uint8)
    left, top = plan.x_px // 2, plan.y_px // 2
    right = max(left + 1, (plan.x_px + plan.width_px) // 2)
    bottom = max(top + 1, (plan.y_px + plan.height_px) // 2)
    small_uv = [shrink(plane[top:bottom, left:right], *size) for plane in chroma]
    yuv = cv2.merge([small_y, *(half for plane in small_uv for half in _channels(plane))])
    return np.asarray(cv2.transform(yuv, matrix), np.uint8)


def _planes(image: Image) -> tuple[Pixels, list[Pixels]]:
    """Views of the visible luma and chroma: U and V apart (I420), or one two-channel UV (NV12)."""
    height, stride = image.height_px, image.pixels.shape[1]
    half_w, half_h, half_stride = image.width_px // 2, height // 2, stride // 2
    luma = image.pixels[:height, : image.width_px]
    rest = image.pixels[height:].reshape(-1)
    if image.format is PixelFormat.NV12:
        return luma, [rest.reshape(half_h, half_stride, 2)[:, :half_w]]
    plane_bytes = half_h * half_stride
    planes = (rest[:plane_bytes], rest[plane_bytes : 2 * plane_bytes])
    return luma, [plane.reshape(half_h, half_stride)[:, :half_w] for plane in planes]


def _channels(plane: Pixels) -> tuple[Pixels, ...]:
    return (plane,) if plane.ndim == 2 else (plane[..., 0], plane[..., 1])  # noqa: PLR2004 - axes


@lru_cache(maxsize=16)
def yuv_matrix(space: ColorSpace, color: Channels) -> NDArray[np.float32]:
    """The (3, 4) float32 matrix that takes (Y, U, V, 1) in 0..255 to the model's colours in 0..255.

    R = Y + 2 (1 - Kr) V, B = Y + 2 (1 - Kb) U, G from the luma equation; limited range is stretched
    by 255 / 219 (luma) and 255 / 224 (chroma). For `gray` the first row is the stretched luma.
    """
    kr, kb = _LUMA[space.matrix]
    kg = 1 - kr - kb
    y_gain, c_gain, black = (1.0, 1.0, 0.0) if space.full_range else (255 / 219, 255 / 224, 16.0)
    red, blue = 2 * (1 - kr) * c_gain, 2 * (1 - kb) * c_gain
    rows = {
        "r": (y_gain, 0.0, red),
        "g": (y_gain, -blue * kb / kg, -red * kr / kg),
        "b": (y_gain, blue, 0.0),
        "y": (y_gain, 0.0, 0.0),
    }
    order = {Channels.RGB: "rgb", Channels.BGR: "bgr", Channels.GRAY: "yyy"}[color]
    matrix = [(y, u, v, -black * y - 128 * (u + v)) for y, u, v in (rows[name] for name in order)]
    return np.array(matrix, np.float32)

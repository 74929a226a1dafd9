"""Colours, layouts and resizing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgecam.model.card import Channels, Fit, InputCard
from edgecam.records import ColorSpace, Image, PixelFormat, YuvMatrix
from edgecam.vision.color import cut_and_convert, shrink, yuv_matrix
from edgecam.vision.geometry import View, plan_view

BT601_FULL = ColorSpace(YuvMatrix.BT601, full_range=True)


def whole(size: tuple[int, int]) -> InputCard:
    """A card that squashes everything to `size`."""
    return InputCard(
        width_px=size[0],
        height_px=size[1],
        mean=(0.0,),
        std=(1.0,),
        fit=Fit.SQUASH,
        crop_fraction=1.0,
        color=Channels.RGB,
    )


def convert(image: Image, color: Channels, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """The whole image in a colour order, at its own or another size."""
    size = size or (image.width_px, image.height_px)
    plan = plan_view(image.width_px, image.height_px, View(), whole(size))
    return cut_and_convert(image, plan, color)


def i420(y: int, u: int, v: int, *, width: int, height: int, stride: int, space: ColorSpace) -> Image:
    """One colour, with 255 in the padding, which must never be seen."""
    pixels = np.full((height * 3 // 2, stride), 255, np.uint8)
    pixels[:height, :width] = y
    chroma = pixels[height:].reshape(2, height // 2, stride // 2)
    chroma[0, :, : width // 2] = u
    chroma[1, :, : width // 2] = v
    return Image(pixels, PixelFormat.I420, width, height, space)


# (Y, U, V) of pure colours by the standards' own equations, rounded; and the RGB they stand for.
REFERENCE = [
    (ColorSpace(YuvMatrix.BT601, full_range=True), (76, 85, 255), (254, 0, 0)),
    (ColorSpace(YuvMatrix.BT601, full_range=False), (81, 90, 240), (255, 0, 0)),
    (ColorSpace(YuvMatrix.BT709, full_range=False), (63, 102, 240), (255, 0, 0)),
    (ColorSpace(YuvMatrix.BT709, full_range=False), (173, 42, 26), (0, 255, 0)),
    (ColorSpace(YuvMatrix.BT601, full_range=False), (41, 240, 110), (0, 0, 255)),
    (ColorSpace(YuvMatrix.BT2020, full_range=False), (74, 97, 240), (255, 0, 0)),
    (ColorSpace(YuvMatrix.BT601, full_range=False), (235, 128, 128), (255, 255, 255)),
    (ColorSpace(YuvMatrix.BT709, full_range=True), (128, 128, 128), (128, 128, 128)),
]


@pytest.mark.parametrize(("space", "yuv", Channels.RGB), REFERENCE)
def test_yuv_becomes_the_rgb_of_its_standard_and_range(
    space: ColorSpace, yuv: tuple[int, int, int], rgb: tuple[int, int, int]
) -> None:
    """Reference vectors from the BT.601, 709 and 2020 equations; one code value of rounding allowed."""
    image = i420(*yuv, width=32, height=16, stride=48, space=space)
    seen = convert(image, Channels.RGB)
    assert seen.shape == (16, 32, 3)
    assert np.abs(seen.astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("height", [16, 18])
def test_padding_of_a_row_is_never_seen(height: int) -> None:
    """I420 rows may be longer than the picture, also when its height is no multiple of four."""
    image = i420(100, 128, 128, width=20, height=height, stride=64, space=BT601_FULL)
    assert (convert(image, Channels.RGB) == 100).all()


def test_nv12_and_i420_of_one_picture_agree() -> None:
    """The layout of the chroma does not change the colours."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 256, (16, 32), np.uint8)
    u, v = rng.integers(0, 256, (2, 8, 16), np.uint8)
    planar = np.vstack([y, u.reshape(4, 32), v.reshape(4, 32)])
    packed = np.vstack([y, np.stack([u, v], axis=-1).reshape(8, 32)])
    size = (10, 6)
    assert np.array_equal(
        convert(Image(planar, PixelFormat.I420, 32, 16, BT601_FULL), Channels.RGB, size),
        convert(Image(packed, PixelFormat.NV12, 32, 16, BT601_FULL), Channels.RGB, size),
    )


def test_resizing_first_agrees_with_converting_first() -> None:
    """The cheap order gives what OpenCV's own conversion of the whole picture gives, on a smooth picture."""
    ramp = np.linspace(30, 220, 64, dtype=np.uint8)
    bgr = np.stack(
        [np.tile(ramp, (48, 1)), np.full((48, 64), 90, np.uint8), np.tile(ramp[::-1], (48, 1))], -1
    )
    pixels = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)
    image = Image(pixels, PixelFormat.I420, 64, 48, ColorSpace(YuvMatrix.BT601, full_range=False))
    expected = cv2.resize(bgr[:, :, ::-1].copy(), (32, 24), interpolation=cv2.INTER_LINEAR).astype(int)
    seen = convert(image, Channels.RGB, (32, 24)).astype(int)
    assert np.abs(seen - expected).max() <= 6  # the chroma has a quarter of the samples
    assert np.abs(seen - expected).mean() <= 1.5


@pytest.mark.parametrize(
    ("format_", "pixels"),
    [
        (PixelFormat.BGR, np.full((4, 4, 3), (10, 20, 30), np.uint8)),
        (PixelFormat.RGB, np.full((4, 4, 3), (30, 20, 10), np.uint8)),
    ],
)
def test_channel_order_follows_the_card(format_: PixelFormat, pixels: NDArray[np.uint8]) -> None:
    """Whatever the camera gives, the model gets the order that it was trained on."""
    image = Image(pixels, format_, 4, 4)
    assert convert(image, Channels.RGB)[0, 0].tolist() == [30, 20, 10]
    assert convert(image, Channels.BGR)[0, 0].tolist() == [10, 20, 30]
    gray = convert(image, Channels.GRAY)
    assert gray.shape == (4, 4)
    assert abs(int(gray[0, 0]) - round(0.299 * 30 + 0.587 * 20 + 0.114 * 10)) <= 1


def test_gray_pictures_feed_colour_models_and_yuv_feeds_gray_ones() -> None:
    """A gray camera and a gray model both work."""
    image = Image(np.full((4, 4), 77, np.uint8), PixelFormat.GRAY, 4, 4)
    assert convert(image, Channels.RGB)[0, 0].tolist() == [77, 77, 77]
    yuv = i420(16, 128, 128, width=8, height=8, stride=8, space=ColorSpace(YuvMatrix.BT601, full_range=False))
    assert (convert(yuv, Channels.GRAY) == 0).all()


def test_shrinking_leaves_no_pixel_out() -> None:
    """Above a factor of two plain bilinear misses pixels: one bright pixel in each 4x4 must count."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[::4, ::4] = 160
    assert (shrink(picture, 16, 16) == 10).all()


def test_shrinking_odd_sizes_keeps_a_gradient() -> None:
    """Halving drops the odd row or column, not the picture's shape."""
    ramp = np.tile(np.linspace(0, 250, 251, dtype=np.uint8), (101, 1))
    small = shrink(ramp, 25, 20).astype(int)
    assert small.shape == (20, 25)
    assert (np.diff(small[0]) > 0).all()
    assert abs(small.mean() - 125) <= 2


def test_the_matrix_of_gray_is_luma_alone() -> None:
    """Chroma never leaks into a gray model."""
    assert np.count_nonzero(yuv_matrix(BT601_FULL, Channels.GRAY)[0, 1:3]) == 0

"""Pixels into the tensor's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.model.card import Channels, Fit, InputCard
from edgecam.records import Image, PixelFormat, TensorSpec
from edgecam.vision.geometry import View
from edgecam.vision.preprocess import Preprocessor, input_table

PIXELS = np.arange(256)


def make_card(
    *, fit: Fit = Fit.SQUASH, mean: tuple[float, ...], std: tuple[float, ...], size: int = 4
) -> InputCard:
    """A square rgb input."""
    return InputCard(
        width_px=size, height_px=size, mean=mean, std=std, fit=fit, crop_fraction=1.0, color=Channels.RGB
    )


def test_the_xor_table_is_exact() -> None:
    """Mean 127, std 128, int8 at scale 1/128 and zero point -1 is pixel ^ 0x80."""
    table = input_table((127.0,), (128.0,), scale=1 / 128, zero_point=-1, dtype="int8")
    assert np.array_equal(table[:, 0], (PIXELS ^ 0x80).astype(np.uint8).view(np.int8))


def test_uint8_with_its_own_scale_is_the_identity() -> None:
    """Pixel / 255 into scale 1/255, zero point 0."""
    table = input_table((0.0,), (255.0,), scale=1 / 255, zero_point=0, dtype="uint8")
    assert np.array_equal(table[:, 0], PIXELS)


def test_float_tables_hold_the_formula_per_channel() -> None:
    """(pixel - mean) / std, each channel its own: torchvision's ImageNet constants as reference."""
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    table = input_table(mean, std, scale=None, zero_point=None, dtype="float32")
    assert table.dtype == np.float32
    assert table[0].tolist() == pytest.approx([-2.1179, -2.0357, -1.8044], abs=1e-4)
    assert table[255].tolist() == pytest.approx([2.2489, 2.4286, 2.64], abs=1e-4)


@given(
    mean=st.floats(0, 255),
    std=st.floats(0.5, 255),
    scale=st.floats(1e-3, 1),
    zero_point=st.integers(-128, 127),
)
def test_quantized_tables_round_to_the_nearest_and_clip(
    mean: float, std: float, scale: float, zero_point: int
) -> None:
    """Dequantizing a table entry gives the real value back to half a step, unless it was clipped."""
    table = input_table((mean,), (std,), scale=scale, zero_point=zero_point, dtype="int8")[:, 0].astype(float)
    real = (PIXELS - mean) / std
    inside = (table > -128) & (table < 127)
    error = np.abs((table - zero_point) * scale - real)[inside]
    assert (error <= scale / 2 + 1e-9).all()
    assert (np.diff(table) >= 0).all()


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "expected"),
    [
        ("uint8", 1 / 128, 127, [0, 127, 255]),
        ("int8", 1 / 128, -1, [-128, -1, 127]),
        ("float32", None, None, [-127 / 128, 0.0, 1.0]),
    ],
)
def test_one_picture_serves_every_dtype(
    dtype: str, scale: float | None, zero_point: int | None, expected: list[float]
) -> None:
    """uint8, int8 and float32 inputs come from the same table mechanism; shape and dtype are the tensor's."""
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[..., :] = (255, 127, 0)  # BGR
    spec = TensorSpec("input", (1, 4, 4, 3), dtype, scale, zero_point)
    prepare = Preprocessor(make_card(mean=(127.0,), std=(128.0,)), spec, View())
    tensor = prepare(Image(pixels, PixelFormat.BGR, 4, 4))
    assert tensor.shape == (1, 4, 4, 3)
    assert tensor.dtype == dtype
    assert tensor[0, 2, 2].tolist() == pytest.approx(expected)


def test_letterbox_bars_are_nothing_to_the_network() -> None:
    """The bars hold the mean colour: zero after normalisation."""
    spec = TensorSpec("input", (1, 8, 8, 3), "float32")
    prepare = Preprocessor(make_card(fit=Fit.LETTERBOX, mean=(127.0,), std=(128.0,), size=8), spec, View())
    tensor = prepare(Image(np.full((4, 8, 3), 255, np.uint8), PixelFormat.BGR, 8, 4))
    assert (tensor[0, :2] == 0).all()
    assert (tensor[0, 6:] == 0).all()
    assert (tensor[0, 2:6] == 1).all()


def test_a_change_of_size_in_mid_stream_makes_a_new_plan() -> None:
    """A stream that comes back at another resolution is fitted anew."""
    spec = TensorSpec("input", (1, 4, 4, 3), "uint8", 1.0, 0)
    prepare = Preprocessor(make_card(mean=(0.0,), std=(1.0,)), spec, View())
    for height, width in ((4, 4), (9, 7), (2, 30)):
        tensor = prepare(Image(np.full((height, width, 3), 9, np.uint8), PixelFormat.BGR, width, height))
        assert (tensor == 9).all()


def test_gray_models_get_one_channel() -> None:
    """(1, height, width, 1) is filled from any camera."""
    card = InputCard(
        width_px=4,
        height_px=4,
        mean=(128.0,),
        std=(1.0,),
        fit=Fit.SQUASH,
        crop_fraction=1.0,
        color=Channels.GRAY,
    )
    prepare = Preprocessor(card, TensorSpec("input", (1, 4, 4, 1), "int8", 1.0, 0), View())
    tensor = prepare(Image(np.full((8, 8, 3), 200, np.uint8), PixelFormat.BGR, 8, 8))
    assert tensor.shape == (1, 4, 4, 1)
    assert (tensor == 72).all()

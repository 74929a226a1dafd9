"""Where in the picture the model looks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.model.card import Channels, Fit, InputCard
from edgecam.records import Image, PixelFormat
from edgecam.vision.color import cut_and_convert
from edgecam.vision.geometry import View, plan_view
from edgecam.vision.preprocess import turn


def card(fit: Fit = Fit.CROP, size: tuple[int, int] = (224, 224), crop_fraction: float = 1.0) -> InputCard:
    """An input card with nothing done to the colours."""
    return InputCard(
        width_px=size[0],
        height_px=size[1],
        mean=(0.0,),
        std=(1.0,),
        fit=fit,
        crop_fraction=crop_fraction,
        color=Channels.BGR,
    )


def test_crop_takes_the_centre_at_the_fraction_of_the_short_side() -> None:
    """Reference: 640x480 at 0.875 is the 420x420 square at (110, 30)."""
    plan = plan_view(640, 480, View(), card(crop_fraction=0.875))
    assert (plan.x_px, plan.y_px, plan.width_px, plan.height_px) == (110, 30, 420, 420)
    assert (plan.resized_width_px, plan.resized_height_px) == (224, 224)


def test_squash_takes_everything() -> None:
    """Squash changes the shape and leaves nothing out."""
    plan = plan_view(640, 480, View(), card(Fit.SQUASH))
    assert (plan.x_px, plan.y_px, plan.width_px, plan.height_px) == (0, 0, 640, 480)


def test_letterbox_keeps_the_shape_and_centres_it() -> None:
    """Reference: 640x480 in 224x224 is 224x168 with 28 rows above."""
    plan = plan_view(640, 480, View(), card(Fit.LETTERBOX))
    assert (plan.resized_width_px, plan.resized_height_px) == (224, 168)
    assert (plan.pad_left_px, plan.pad_top_px) == (0, 28)


def test_roi_is_a_fraction_of_the_upright_picture() -> None:
    """A region is chosen in what the user sees, after rotating."""
    plan = plan_view(640, 480, View(rotate=90, roi=(0.0, 0.0, 1.0, 0.5)), card(Fit.SQUASH))
    # Upright it is 480x640; its upper half came from the left half of the sensor's picture.
    assert (plan.x_px, plan.y_px, plan.width_px, plan.height_px) == (0, 0, 320, 480)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("roi", [None, (0.25, 0.0, 0.5, 0.25), (0.5, 0.5, 0.5, 0.5)])
def test_planning_in_the_cameras_picture_equals_turning_it_first(
    rotate: int, flip: tuple[bool, bool], roi: tuple[float, float, float, float] | None
) -> None:
    """Cutting first and turning the small result gives just what turning the whole picture would give."""
    picture = np.random.default_rng(7).integers(0, 256, (48, 64, 3), np.uint8)
    view = View(rotate=rotate, flip_horizontal=flip[0], flip_vertical=flip[1], roi=roi)
    upright = picture
    if rotate:
        upright = np.asarray(
            cv2.rotate(picture, {90: 0, 180: 1, 270: 2}[rotate]), np.uint8
        )  # OpenCV's ROTATE_ codes
    upright = upright[:, ::-1] if flip[0] else upright
    upright = upright[::-1] if flip[1] else upright
    height, width = upright.shape[:2]
    x, y, w, h = roi or (0.0, 0.0, 1.0, 1.0)
    expected = upright[int(y * height) : int((y + h) * height), int(x * width) : int((x + w) * width)]

    size = (expected.shape[1], expected.shape[0])
    plan = plan_view(64, 48, view, card(Fit.SQUASH, size=size))
    image = Image(picture, PixelFormat.BGR, 64, 48)
    assert np.array_equal(turn(cut_and_convert(image, plan, Channels.BGR), plan), expected)


@given(
    width=st.integers(1, 4000),
    height=st.integers(1, 4000),
    rotate=st.sampled_from([0, 90, 180, 270]),
    fit=st.sampled_from(list(Fit)),
    roi=st.none()
    | st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 0.1), st.floats(0.01, 0.1)),
    fraction=st.floats(0.05, 1.0),
)
def test_every_picture_size_gives_a_rectangle_inside_it(
    width: int,
    height: int,
    rotate: int,
    fit: Fit,
    roi: tuple[float, float, float, float] | None,
    fraction: float,
) -> None:
    """A stranger's stream may have any size: the plan never leaves the picture and is never empty."""
    plan = plan_view(width, height, View(rotate=rotate, roi=roi), card(fit, crop_fraction=fraction))
    assert plan.width_px >= 1
    assert plan.height_px >= 1
    assert 0 <= plan.x_px <= width - plan.width_px
    assert 0 <= plan.y_px <= height - plan.height_px
    assert 1 <= plan.resized_width_px <= 224
    assert 1 <= plan.resized_height_px <= 224

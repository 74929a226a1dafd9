"""Where in the camera's picture the model looks: rotate, flip, roi and fit as one plan.

All of it is worked out on the size of the picture before a pixel is touched, so that a frame is sliced
and resized once, and only the small result is turned.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgecam.model.card import Fit, InputCard


@dataclass(frozen=True, slots=True)
class View:
    """How the camera is mounted and what part of its picture counts.

    Applied in this order: rotate, flip, roi; so roi is given in the upright picture.
    """

    rotate: int = 0
    """0, 90, 180 or 270 degrees clockwise."""
    flip_horizontal: bool = False
    flip_vertical: bool = False
    roi: tuple[float, float, float, float] | None = None
    """x, y, width, height as fractions of the upright picture."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with one picture of a given size."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    """The rectangle to cut from the camera's own picture."""
    resized_width_px: int
    resized_height_px: int
    """Its size after resizing, still in the camera's own orientation."""
    rotate: int
    flip_horizontal: bool
    flip_vertical: bool
    pad_left_px: int
    pad_top_px: int
    """Where the turned picture lies in the tensor (letterbox); 0 otherwise."""


@dataclass(frozen=True, slots=True)
class _Box:
    """A rectangle in a picture of width x height, all px."""

    x: float
    y: float
    w: float
    h: float


def plan_view(width_px: int, height_px: int, view: View, card: InputCard) -> Plan:
    """Plan how a picture of this size becomes the model's input.

    Args:
        width_px: Width of the camera's own picture.
        height_px: Its height.
        view: Mounting and region of interest.
        card: Size and fit that the model wants.
    """
    sideways = view.rotate in {90, 270}
    upright_w, upright_h = (height_px, width_px) if sideways else (width_px, height_px)
    box = _fit_box(_roi_box(upright_w, upright_h, view.roi), card)
    out_w, out_h = _fitted_size(box, card)
    source = _unrotate(_unflip(box, upright_w, upright_h, view), upright_w, upright_h, view.rotate)
    x, y, w, h = _whole_pixels(source, width_px, height_px)
    return Plan(
        x_px=x,
        y_px=y,
        width_px=w,
        height_px=h,
        resized_width_px=out_h if sideways else out_w,
        resized_height_px=out_w if sideways else out_h,
        rotate=view.rotate,
        flip_horizontal=view.flip_horizontal,
        flip_vertical=view.flip_vertical,
        pad_left_px=(card.width_px - out_w) // 2,
        pad_top_px=(card.height_px - out_h) // 2,
    )


def _roi_box(width: int, height: int, roi: tuple[float, float, float, float] | None) -> _Box:
    if roi is None:
        return _Box(0, 0, width, height)
    x, y, w, h = roi
    return _Box(x * width, y * height, w * width, h * height)


def _fit_box(box: _Box, card: InputCard) -> _Box:
    """Cut the centre that has the model's shape (crop); everything otherwise."""
    if card.fit is not Fit.CROP:
        return box
    aspect = card.width_px / card.height_px
    w = min(box.w, box.h * aspect) * card.crop_fraction
    h = w / aspect
    return _Box(box.x + (box.w - w) / 2, box.y + (box.h - h) / 2, w, h)


def _fitted_size(box: _Box, card: InputCard) -> tuple[int, int]:
    """Size in the tensor: all of it, or for letterbox the largest of the box's own shape."""
    if card.fit is not Fit.LETTERBOX:
        return card.width_px, card.height_px
    scale = min(card.width_px / box.w, card.height_px / box.h)
    return max(1, round(box.w * scale)), max(1, round(box.h * scale))


def _unflip(box: _Box, width: int, height: int, view: View) -> _Box:
    x = width - box.x - box.w if view.flip_horizontal else box.x
    y = height - box.y - box.h if view.flip_vertical else box.y
    return _Box(x, y, box.w, box.h)


def _unrotate(box: _Box, width: int, height: int, rotate: int) -> _Box:
    """Undo a clockwise turn; width and height are the turned picture's."""
    if rotate == 90:  # noqa: PLR2004 - degrees
        return _Box(box.y, width - box.x - box.w, box.h, box.w)
    if rotate == 180:  # noqa: PLR2004 - degrees
        return _Box(width - box.x - box.w, height - box.y - box.h, box.w, box.h)
    if rotate == 270:  # noqa: PLR2004 - degrees
        return _Box(height - box.y - box.h, box.x, box.h, box.w)
    return box


def _whole_pixels(box: _Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Round to whole pixels inside the picture, at least one pixel wide and high."""
    left = min(max(round(box.x), 0), width - 1)
    top = min(max(round(box.y), 0), height - 1)
    right = min(max(round(box.x + box.w), left + 1), width)
    bottom = min(max(round(box.y + box.h), top + 1), height)
    return left, top, right - left, bottom - top

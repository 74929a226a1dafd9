"""A camera's picture for people: whole, upright, in colours that a file can hold."""

from __future__ import annotations

from dataclasses import replace

from edgecam.model.card import Channels, Fit, InputCard
from edgecam.records import Image
from edgecam.vision.color import Pixels, cut_and_convert
from edgecam.vision.geometry import View, plan_view
from edgecam.vision.preprocess import turn


def upright(image: Image, view: View) -> Pixels:
    """The whole picture, turned and flipped as the view says, its roi left aside.

    Returns:
        (height, width, 3) uint8, blue first.
    """
    sideways = view.rotate in {90, 270}
    size_px = image.width_px, image.height_px
    width_px, height_px = reversed(size_px) if sideways else size_px
    card = InputCard(width_px=width_px, height_px=height_px, mean=(0.0,), std=(1.0,), fit=Fit.SQUASH)
    plan = plan_view(*size_px, replace(view, roi=None), card)
    return turn(cut_and_convert(image, plan, Channels.BGR), plan)

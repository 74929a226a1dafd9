"""Pictures changed a little by chance, so that a network does not learn them by heart."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name that everyone gives it
from torch import Tensor

# ITU-R BT.601.
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far pictures may be changed."""

    flip: bool = True
    """Half of them are mirrored, left and right; not for what has a left and a right, as writing has."""
    shift: float = 0.125
    """Moved by up to this share of the side, the border mirrored in."""
    light: float = 0.2
    """Brightness, contrast and saturation are each changed by a factor of up to 1 plus or minus this."""


LIGHT = Augmentation()


def augmented(pixels: Tensor, how: Augmentation, chance: torch.Generator) -> Tensor:
    """Change each picture by itself.

    Args:
        pixels: float32 (n, 3, side, side), 0..255.
        how: how far.
        chance: what decides; the same state gives the same pictures.

    Returns:
        The same shape and range.
    """
    if how.flip:
        mirrored = torch.rand(len(pixels), generator=chance) < 0.5  # noqa: PLR2004 - half of them
        pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
    room_px = int(how.shift * pixels.shape[-1])
    if room_px:
        pixels = _shifted(pixels, room_px, chance)
    return _relit(pixels, how.light, chance) if how.light else pixels


def _shifted(pixels: Tensor, room_px: int, chance: torch.Generator) -> Tensor:
    side_px = pixels.shape[-1]
    padded = F.pad(pixels, (room_px, room_px, room_px, room_px), mode="reflect")
    corners = torch.randint(0, 2 * room_px + 1, (len(pixels), 2), generator=chance).tolist()
    return torch.stack(
        [
            picture[:, top : top + side_px, left : left + side_px]
            for picture, (top, left) in zip(padded, corners, strict=True)
        ]
    )


def _relit(pixels: Tensor, most: float, chance: torch.Generator) -> Tensor:
    factors = 1 + most * (2 * torch.rand(3, len(pixels), 1, 1, 1, generator=chance) - 1)
    brightness, contrast, saturation = factors
    pixels = pixels * brightness
    mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
    pixels = mean + (pixels - mean) * contrast
    grey = (pixels * torch.tensor(_LUMA).reshape(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    return (grey + (pixels - grey) * saturation).clamp(0, 255)

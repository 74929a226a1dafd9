"""A network of a few thousand weights that has learnt to tell made pictures apart: tests go on from it.

Needs the extra `compress`.
"""

from __future__ import annotations

from functools import cache

import torch

from edgecam.compress.checkpoint import Checkpoint
from edgecam.compress.design import Block, Design
from edgecam.compress.learning import Learning
from edgecam.compress.scratch import train
from edgecam.compress.tensors import PictureTensors

SIDE_PX = 16
LABELS = ("rising", "falling", "upright", "level")
# Beside other processes, more threads wait for each other longer than they compute.
torch.set_num_threads(1)


def made_pictures(count: int, *, seed: int) -> PictureTensors:
    """Stripes in four directions, of chance colours and places, in noise."""
    chance = torch.Generator().manual_seed(seed)
    truth = torch.arange(count) % len(LABELS)
    across = torch.arange(SIDE_PX, dtype=torch.float32)
    x, y = across[None, None, :], across[None, :, None]
    phase = torch.rand(count, 1, 1, generator=chance) * 6.28
    steps = torch.stack([x + y, x - y, x + 0 * y, y + 0 * x]).squeeze(1)[truth]
    wave = torch.sin(steps * 0.9 + phase)[..., None]
    colour = 40 + 60 * torch.rand(count, 1, 1, 3, generator=chance)
    noise = 25 * torch.randn(count, SIDE_PX, SIDE_PX, 3, generator=chance)
    pixels = (127 + wave * colour + noise).clamp(0, 255).to(torch.uint8)
    return PictureTensors(pixels, truth, LABELS)


def small_design(*, activation: str = "relu6", squeeze: int = 0) -> Design:
    """A stem, three inverted residuals of which two add, and a head."""

    def block(channels: int, stride: int, *, adds: bool, incoming: int) -> Block:
        return Block(
            expanded=2 * incoming, channels=channels, stride=stride, kernel=3, squeeze=squeeze, adds=adds
        )

    return Design(
        family="mobilenet_v2",
        side_px=SIDE_PX,
        stem=16,
        stem_stride=2,
        blocks=(
            block(16, 1, adds=True, incoming=16),
            block(32, 2, adds=False, incoming=16),
            block(32, 1, adds=True, incoming=32),
        ),
        head=64,
        classes=len(LABELS),
        pads_like_tensorflow=True,
        batch_norm_epsilon=1e-3,
        activation=activation,
    )


@cache
def taught(*, activation: str = "relu6", squeeze: int = 0) -> Checkpoint:
    """The network, which tells nearly all of them."""
    return train(
        small_design(activation=activation, squeeze=squeeze),
        made_pictures(256, seed=1),
        Learning(epochs=8, batch=32, learning_rate=5e-3, augmentation=None),
        seed=1,
        licence="CC0-1.0",
        source="made for tests",
    )

"""The architectures of the literature: MobileNetV2, EfficientNet-Lite0 and B0, MobileNetV1 for tiny chips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgecam.compress.design import Block, Design
from edgecam.errors import UsageError

SMALL_PX = 64
"""Up to this side the stem keeps the picture's resolution: see `design`."""
TINY_PX = 32
"""Up to this side the first stage that would halve it keeps it, too."""
_SMALLEST_PX = 16
_LARGEST_PX = 1024
_WIDTHS = (0.1, 2.0)


def design(family: str, *, classes: int, side_px: int, width: float | None = None) -> Design:
    """An architecture by its name.

    Small pictures keep their resolution longer, or the last blocks would see a single pixel: up to 64 px
    the stem has stride 1, up to 32 px so has the first stage that would halve. The weights stay the same; the
    work does not: 64 px cost more than 96 px.

    Args:
        family: a key of `FAMILIES`.
        classes: how many; at least 2.
        side_px: of the square picture, 16 to 1024.
        width: factor on the channels, 0.1 to 2; None: the family's own. The EfficientNets have but one.

    Raises:
        UsageError: there is no such family, width or size.
    """
    if family not in FAMILIES:
        raise UsageError(f"there is no architecture {family!r}; expected one of {', '.join(FAMILIES)}")
    if classes < 2:  # noqa: PLR2004 - a choice needs two
        raise UsageError(
            f"expected at least 2 classes, got {classes}; give each a folder of pictures, "
            "and one to what else the camera will see"
        )
    if not _SMALLEST_PX <= side_px <= _LARGEST_PX:
        raise UsageError(f"expected a side of {_SMALLEST_PX} to {_LARGEST_PX} px, got {side_px}")
    make, own_width, is_fixed = FAMILIES[family]
    if width is not None and not _WIDTHS[0] <= width <= _WIDTHS[1]:
        raise UsageError(f"expected a width of {_WIDTHS[0]} to {_WIDTHS[1]}, got {width}")
    if is_fixed and width not in {None, own_width}:
        raise UsageError(f"{family} has one width; leave it out, or take mobilenet_v2")
    return make(classes, side_px, own_width if width is None else width)


def mobilenet_v2(classes: int, side_px: int = 224, width: float = 1.0) -> Design:
    """Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", table 2."""
    stages = (
        _Stage(1, 16, 1, 1, 3), _Stage(6, 24, 2, 2, 3), _Stage(6, 32, 3, 2, 3), _Stage(6, 64, 4, 2, 3),
        _Stage(6, 96, 3, 1, 3), _Stage(6, 160, 3, 2, 3), _Stage(6, 320, 1, 1, 3),
    )  # fmt: skip
    stem = rounded_channels(32 * width)
    return Design(
        family="mobilenet_v2",
        side_px=side_px,
        stem=stem,
        stem_stride=_stem_stride(side_px),
        blocks=_inverted_residuals(stages, stem, side_px, width=width),
        # A narrow network keeps the wide head, as in the paper.
        head=rounded_channels(1280 * max(1.0, width)),
        classes=classes,
        pads_like_tensorflow=False,
        batch_norm_epsilon=1e-5,
        activation="relu6",
    )


def efficientnet_lite0(classes: int, side_px: int = 224, _width: float = 1.0) -> Design:
    """github.com/tensorflow/tpu, models/official/efficientnet/lite."""
    return _efficientnet("efficientnet_lite0", classes, side_px, activation="relu6", squeeze=0.0)


def efficientnet_b0(classes: int, side_px: int = 224, _width: float = 1.0) -> Design:
    """Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Networks", table 1."""
    return _efficientnet("efficientnet_b0", classes, side_px, activation="swish", squeeze=0.25)


def micro_mobilenet(classes: int, side_px: int = 96, width: float = 0.25) -> Design:
    """MobileNetV1 for microcontrollers; at 0.25, 96 px and 2 classes MLPerf Tiny's person detector.

    Howard et al. 2017, "MobileNets", table 1; Banbury et al. 2021, "MLPerf Tiny Benchmark".
    """
    rows = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
    stem = rounded_channels(32 * width)
    strides = _strides([stride for _, stride in rows], side_px)
    blocks = []
    incoming = stem
    for (channels, _), stride in zip(rows, strides, strict=True):
        outgoing = rounded_channels(channels * width)
        blocks.append(
            Block(
                expanded=incoming, channels=outgoing, stride=stride, kernel=3, linear=False,
                has_expansion=False, adds=False,
            )
        )  # fmt: skip
        incoming = outgoing
    return Design(
        family="micro_mobilenet",
        side_px=side_px,
        stem=stem,
        stem_stride=_stem_stride(side_px),
        blocks=tuple(blocks),
        head=0,
        classes=classes,
        pads_like_tensorflow=True,
        batch_norm_epsilon=1e-3,
        activation="relu6",
    )


FAMILIES: dict[str, tuple[Callable[[int, int, float], Design], float, bool]] = {
    "mobilenet_v2": (mobilenet_v2, 1.0, False),
    "efficientnet_lite0": (efficientnet_lite0, 1.0, True),
    "efficientnet_b0": (efficientnet_b0, 1.0, True),
    "micro_mobilenet": (micro_mobilenet, 0.25, False),
}
"""By name: what makes it of classes, side and width; its own width; whether it has no other."""


def rounded_channels(channels: float, divisor: int = 8) -> int:
    """A number of channels that processors like: the nearest multiple that loses no more than a tenth."""
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest


@dataclass(frozen=True, slots=True)
class _Stage:
    """A run of inverted residuals; only the first one has the stride."""

    expand: int
    channels: int
    repeats: int
    stride: int
    kernel: int


def _efficientnet(family: str, classes: int, side_px: int, *, activation: str, squeeze: float) -> Design:
    stages = (
        _Stage(1, 16, 1, 1, 3), _Stage(6, 24, 2, 2, 3), _Stage(6, 40, 2, 2, 5), _Stage(6, 80, 3, 2, 3),
        _Stage(6, 112, 3, 1, 5), _Stage(6, 192, 4, 2, 5), _Stage(6, 320, 1, 1, 3),
    )  # fmt: skip
    return Design(
        family=family,
        side_px=side_px,
        stem=32,
        stem_stride=_stem_stride(side_px),
        blocks=_inverted_residuals(stages, 32, side_px, squeeze=squeeze),
        head=1280,
        classes=classes,
        pads_like_tensorflow=True,
        batch_norm_epsilon=1e-3,
        activation=activation,
    )


def _inverted_residuals(
    stages: Sequence[_Stage], stem: int, side_px: int, *, width: float = 1.0, squeeze: float = 0.0
) -> tuple[Block, ...]:
    """Args: `squeeze`: inner channels of squeeze-and-excitation, as a share of those that come in."""
    blocks = []
    incoming = stem
    strides = _strides([stage.stride for stage in stages], side_px)
    for stage, first_stride in zip(stages, strides, strict=True):
        channels = rounded_channels(stage.channels * width)
        for index in range(stage.repeats):
            stride = first_stride if index == 0 else 1
            blocks.append(
                Block(
                    expanded=incoming * stage.expand,
                    channels=channels,
                    stride=stride,
                    kernel=stage.kernel,
                    squeeze=max(1, int(incoming * squeeze)) if squeeze else 0,
                    has_expansion=stage.expand != 1,
                    # The rest of a stage adds; its first block does not, even if a stride fell away.
                    adds=index > 0,
                )
            )
            incoming = channels
    return tuple(blocks)


def _stem_stride(side_px: int) -> int:
    return 1 if side_px <= SMALL_PX else 2


def _strides(strides: Sequence[int], side_px: int) -> list[int]:
    first = strides.index(2)
    return [1 if side_px <= TINY_PX and index == first else stride for index, stride in enumerate(strides)]

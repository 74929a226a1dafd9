"""The two networks, their published weights, and the fold of batch normalisation into convolutions.

EfficientNet-Lite0 and MobileNetV2 are one structure: a stem, seven stages of inverted residuals, a head.
They differ in the table of stages, in how a stride-2 convolution is padded, and in how pixels are normalised.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name that everyone gives it
from torch import Tensor, nn

TRAINED_PX = 224
"""The side of the pictures that both were trained with; the layers themselves take any size."""
CLASSES = 1000
_STEM_CHANNELS = 32
_HEAD_CHANNELS = 1280


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of inverted residual blocks; only the first one has the stride."""

    expand: int
    channels: int
    repeats: int
    stride: int
    kernel: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """What tells the two networks apart."""

    stages: tuple[Stage, ...]
    pads_like_tensorflow: bool
    """True: `SAME` padding, by the size of what comes in; an odd pixel goes to the bottom and right."""
    batch_norm_epsilon: float


EFFICIENTNET_LITE0 = Architecture(
    stages=(
        Stage(expand=1, channels=16, repeats=1, stride=1, kernel=3),
        Stage(expand=6, channels=24, repeats=2, stride=2, kernel=3),
        Stage(expand=6, channels=40, repeats=2, stride=2, kernel=5),
        Stage(expand=6, channels=80, repeats=3, stride=2, kernel=3),
        Stage(expand=6, channels=112, repeats=3, stride=1, kernel=5),
        Stage(expand=6, channels=192, repeats=4, stride=2, kernel=5),
        Stage(expand=6, channels=320, repeats=1, stride=1, kernel=3),
    ),
    pads_like_tensorflow=True,
    batch_norm_epsilon=1e-3,
)
"""github.com/tensorflow/tpu, models/official/efficientnet/lite."""

MOBILENET_V2 = Architecture(
    stages=(
        Stage(expand=1, channels=16, repeats=1, stride=1, kernel=3),
        Stage(expand=6, channels=24, repeats=2, stride=2, kernel=3),
        Stage(expand=6, channels=32, repeats=3, stride=2, kernel=3),
        Stage(expand=6, channels=64, repeats=4, stride=2, kernel=3),
        Stage(expand=6, channels=96, repeats=3, stride=1, kernel=3),
        Stage(expand=6, channels=160, repeats=3, stride=2, kernel=3),
        Stage(expand=6, channels=320, repeats=1, stride=1, kernel=3),
    ),
    pads_like_tensorflow=False,
    batch_norm_epsilon=1e-5,
)
"""Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", table 2."""

ARCHITECTURES = {"efficientnet_lite0": EFFICIENTNET_LITE0, "mobilenet_v2": MOBILENET_V2}


class Convolution(nn.Module):
    """A convolution with bias (its batch normalisation is folded in), padded, with or without ReLU6."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel: int,
        stride: int,
        groups: int,
        relu: bool,
        tf: bool,
    ) -> None:
        super().__init__()
        self._kernel, self._stride, self._tf = kernel, stride, tf
        self._relu = relu
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """[1, channels_in, h, w] to [1, channels_out, h/stride, w/stride]."""
        before, after = self._padding(x.shape[-1])
        y = self.conv(F.pad(x, (before, after, before, after)) if before + after else x)
        return F.relu6(y) if self._relu else y

    def _padding(self, side_px: int) -> tuple[int, int]:
        if not self._tf:
            return self._kernel // 2, self._kernel // 2
        steps = -(-side_px // self._stride) - 1
        total = max(steps * self._stride + self._kernel - side_px, 0)
        return total // 2, total - total // 2


class InvertedResidual(nn.Module):
    """Expand, convolve each channel by itself, project; added to the input where shapes agree."""

    def __init__(self, channels_in: int, stage: Stage, *, stride: int, tf: bool) -> None:
        super().__init__()
        wide = channels_in * stage.expand
        layers = []
        if stage.expand != 1:
            layers.append(Convolution(channels_in, wide, kernel=1, stride=1, groups=1, relu=True, tf=tf))
        layers.append(
            Convolution(wide, wide, kernel=stage.kernel, stride=stride, groups=wide, relu=True, tf=tf)
        )
        layers.append(Convolution(wide, stage.channels, kernel=1, stride=1, groups=1, relu=False, tf=tf))
        self.layers = nn.Sequential(*layers)
        self._adds = stride == 1 and channels_in == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """[1, channels_in, h, w] to [1, stage.channels, h/stride, w/stride]."""
        y: Tensor = self.layers(x)
        return x + y if self._adds else y


class Classifier(nn.Module):
    """The whole network, from normalised pixels to logits."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        tf = architecture.pads_like_tensorflow
        layers: list[nn.Module] = [
            Convolution(3, _STEM_CHANNELS, kernel=3, stride=2, groups=1, relu=True, tf=tf)
        ]
        channels = _STEM_CHANNELS
        for stage in architecture.stages:
            for index in range(stage.repeats):
                stride = stage.stride if index == 0 else 1
                layers.append(InvertedResidual(channels, stage, stride=stride, tf=tf))
                channels = stage.channels
        layers.append(Convolution(channels, _HEAD_CHANNELS, kernel=1, stride=1, groups=1, relu=True, tf=tf))
        self.layers = nn.Sequential(*layers)
        self.linear = nn.Linear(_HEAD_CHANNELS, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """[1, 3, side, side] to [1, 1000]."""
        logits: Tensor = self.linear(self.features(x))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """[1, 3, side, side] to [1, 1280], the means over the picture."""
        x = self.layers(x)
        # Not mean(): it leaves a TRANSPOSE in the file.
        return F.avg_pool2d(x, x.shape[-1]).flatten(1)


def load_classifier(architecture: Architecture, weights: dict[str, Tensor]) -> Classifier:
    """The network with published weights in it, ready for export.

    Both weight files list the convolutions in forward order, each followed by its batch normalisation, and
    the linear layer last: the order is the key map.

    Raises:
        RuntimeError: A weight is missing, left over or of the wrong shape.
    """
    names = [name for name in weights if not name.endswith("num_batches_tracked")]
    *convolutions, linear_weight, linear_bias = names
    model = Classifier(architecture)
    targets = [name.removesuffix(".weight") for name in model.state_dict() if name.endswith(".conv.weight")]
    if len(convolutions) != 5 * len(targets):
        raise RuntimeError(f"expected {5 * len(targets)} convolution weights, got {len(convolutions)}")
    folded = {"linear.weight": weights[linear_weight], "linear.bias": weights[linear_bias]}
    for index, target in enumerate(targets):
        kernel, gamma, beta, mean, variance = (
            weights[name] for name in convolutions[5 * index : 5 * index + 5]
        )
        # In float64, so that the bytes do not hang on the machine's vector unit.
        scale = gamma.double() / torch.sqrt(variance.double() + architecture.batch_norm_epsilon)
        folded[f"{target}.weight"] = (kernel.double() * scale[:, None, None, None]).float()
        folded[f"{target}.bias"] = (beta.double() - mean.double() * scale).float()
    model.load_state_dict(folded, strict=True)
    model.eval()
    return model

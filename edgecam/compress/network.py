"""A design as a torch network: built, read back after pruning, batch normalisation folded away.

Padding, convolution, normalisation and activation are modules of their own, so that pruning sees each
channel and quantization-aware training can put its observers between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812 - the name that everyone gives it
from torch import Tensor, nn

from edgecam.compress.design import COLOURS, Block, Design
from edgecam.errors import ModelError

_STEM_KERNEL = 3


class Convolution(nn.Module):
    """A padded convolution, its batch normalisation (or none: then a bias), its activation (or none)."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel: int,
        stride: int,
        depthwise: bool = False,
        active: bool = True,
        design: Design,
        folded: bool,
    ) -> None:
        super().__init__()
        self._kernel, self._stride, self._like_tensorflow = kernel, stride, design.pads_like_tensorflow
        groups = channels_in if depthwise else 1
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, groups=groups, bias=folded)
        self.norm = nn.Identity() if folded else nn.BatchNorm2d(channels_out, eps=design.batch_norm_epsilon)
        self.activation = _activation(design) if active else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[n, channels_in, h, w] to [n, channels_out, h/stride, w/stride]."""
        before, after = self._padding(x.shape[-1])
        x = F.pad(x, (before, after, before, after)) if before + after else x
        y: Tensor = self.activation(self.norm(self.conv(x)))
        return y

    def _padding(self, side_px: int) -> tuple[int, int]:
        if not self._like_tensorflow:
            return self._kernel // 2, self._kernel // 2
        steps = -(-side_px // self._stride) - 1
        total = max(steps * self._stride + self._kernel - side_px, 0)
        return total // 2, total - total // 2


class MeanOverPicture(nn.Module):
    """The mean of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        """[n, channels, side, side] to [n, channels, 1, 1]."""
        # Not mean(): it leaves a TRANSPOSE in the exported file.
        return F.avg_pool2d(x, x.shape[-1])


class SqueezeExcite(nn.Module):
    """Weighs each channel by what all channels are over the whole picture (Hu et al. 2018)."""

    def __init__(self, channels: int, inner: int, design: Design) -> None:
        super().__init__()
        self.pool = MeanOverPicture()
        self.reduce = nn.Conv2d(channels, inner, 1)
        self.activation = _activation(design)
        self.restore = nn.Conv2d(inner, channels, 1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """[n, channels, h, w] to the same."""
        return x * self.gate(self.restore(self.activation(self.reduce(self.pool(x)))))


class InvertedResidual(nn.Module):
    """Expand, convolve each channel by itself, perhaps weigh the channels, project, perhaps add."""

    def __init__(self, channels_in: int, block: Block, design: Design, *, folded: bool) -> None:
        super().__init__()
        wide = block.expanded
        self.expand = nn.Identity()
        if block.has_expansion:
            self.expand = Convolution(channels_in, wide, kernel=1, stride=1, design=design, folded=folded)
        self.depthwise = Convolution(
            wide, wide, kernel=block.kernel, stride=block.stride, depthwise=True, design=design, folded=folded
        )
        self.excite = SqueezeExcite(wide, block.squeeze, design) if block.squeeze else nn.Identity()
        self.project = Convolution(
            wide, block.channels, kernel=1, stride=1, active=not block.linear, design=design, folded=folded
        )
        self.adds = block.adds

    def forward(self, x: Tensor) -> Tensor:
        """[n, channels_in, h, w] to [n, block.channels, h/stride, w/stride]."""
        y: Tensor = self.project(self.excite(self.depthwise(self.expand(x))))
        return x + y if self.adds else y


class Network(nn.Module):
    """The whole classifier, from normalised pixels to logits.

    Args:
        design: what it is.
        folded: without batch normalisation, each convolution with a bias instead.
    """

    def __init__(self, design: Design, *, folded: bool = False) -> None:
        super().__init__()
        self.design = design
        """As it was built; `design_of` reads what it has become."""
        self.stem = Convolution(
            COLOURS,
            design.stem,
            kernel=_STEM_KERNEL,
            stride=design.stem_stride,
            design=design,
            folded=folded,
        )
        channels, blocks = design.stem, []
        for block in design.blocks:
            blocks.append(InvertedResidual(channels, block, design, folded=folded))
            channels = block.channels
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Identity()
        if design.head:
            self.head = Convolution(channels, design.head, kernel=1, stride=1, design=design, folded=folded)
        self.pool = MeanOverPicture()
        self.linear = nn.Linear(design.features, design.classes)

    def forward(self, x: Tensor) -> Tensor:
        """[n, 3, side, side], normalised, to [n, classes] logits."""
        logits: Tensor = self.linear(self.features(x))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """[n, 3, side, side] to [n, design.features]: the means over the picture."""
        means: Tensor = self.pool(self.head(self.blocks(self.stem(x))))
        return means.flatten(1)


def build(design: Design, *, seed: int = 0) -> Network:
    """An untrained network, in training mode; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(design)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)
    return network


def design_of(network: Network) -> Design:
    """What a network is, read from its layers, since pruning may have taken channels."""
    old = network.design
    blocks = []
    for block, module in zip(old.blocks, network.blocks, strict=True):
        excite = module.excite
        blocks.append(
            replace(
                block,
                expanded=module.depthwise.conv.out_channels,
                channels=module.project.conv.out_channels,
                squeeze=excite.reduce.out_channels if isinstance(excite, SqueezeExcite) else 0,
            )
        )
    return replace(
        old,
        stem=network.stem.conv.out_channels,
        blocks=tuple(blocks),
        head=network.head.conv.out_channels if isinstance(network.head, Convolution) else 0,
        classes=network.linear.out_features,
    )


def folded(network: Network) -> Network:
    """The network in evaluation mode with each batch normalisation folded into its convolution.

    In float64, so that the numbers do not hang on the machine's vector unit.
    """
    result = Network(design_of(network), folded=True)
    state = {name: value.clone() for name, value in network.state_dict().items() if ".norm." not in name}
    for name, module in network.named_modules():
        if isinstance(module, Convolution) and isinstance(module.norm, nn.BatchNorm2d):
            norm, kernel = module.norm, module.conv.weight.detach()
            scale = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
            shift = norm.bias.detach().double() - norm.running_mean.double() * scale
            state[f"{name}.conv.weight"] = (kernel.double() * scale[:, None, None, None]).float()
            state[f"{name}.conv.bias"] = shift.float()
    result.load_state_dict(state, strict=True)
    result.eval()
    return result


def load_published(network: Network, weights: Mapping[str, Tensor], *, where: str) -> None:
    """Put published weights into a network; the last layer only if it has as many classes.

    Weight files name their tensors in many ways, but list them in forward order, each convolution followed by
    its batch normalisation: the order is the key map.

    Args:
        network: as built; changed.
        weights: by their published names.
        where: the file, for the message.

    Raises:
        ModelError: a weight is missing, left over or of another shape.
    """
    given = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
    state = network.state_dict()
    wanted = [name for name in state if not name.endswith("num_batches_tracked")]
    if len(given) != len(wanted):
        raise ModelError(
            f"{where}: holds {len(given)} weights, but {network.design.family} has {len(wanted)}; "
            "give the file of that architecture"
        )
    for name, (published, value) in zip(wanted, given.items(), strict=True):
        expected, found = tuple(state[name].shape), tuple(value.shape)
        if expected == found:
            state[name] = value
        elif not name.startswith("linear.") or expected[1:] != found[1:]:
            raise ModelError(
                f"{where}: {published} has the shape {found}, but {network.design.family} wants {expected}; "
                "give the file of that architecture and width"
            )
    network.load_state_dict(state, strict=True)


def _activation(design: Design) -> nn.Module:
    return nn.ReLU6() if design.activation == "relu6" else nn.SiLU()

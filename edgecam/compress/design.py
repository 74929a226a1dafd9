"""A small classifier, written out layer by layer: what a network is before it has weights.

A network that lost channels in pruning is a `Design` as well: every width stands there as a number. The
architectures from the literature are made in `edgecam.compress.architectures`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

COLOURS = 3
ACTIVATIONS = ("relu6", "swish")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One inverted residual: expand, convolve each channel by itself, project.

    Without an expansion and with `linear=False` it is MobileNetV1's separable convolution.
    """

    expanded: int
    """Channels of the depthwise convolution; without an expansion those that come in."""
    channels: int
    """Channels that go out."""
    stride: int
    kernel: int
    squeeze: int = 0
    """Inner channels of squeeze-and-excitation; 0: there is none."""
    linear: bool = True
    """No activation behind the projection."""
    has_expansion: bool = True
    adds: bool
    """What comes in is added to what goes out; their channels are as many, and the stride is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One convolution, or the fully connected layer at the end, and the size of what it makes."""

    inputs: int
    outputs: int
    kernel: int
    side_px: int
    """Of its square output."""
    depthwise: bool = False

    @property
    def weights(self) -> int:
        """How many, without biases."""
        return self.outputs * (1 if self.depthwise else self.inputs) * self.kernel**2

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one picture."""
        return self.weights * self.side_px**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A whole classifier: stem, blocks, perhaps a head, the mean over the picture, a linear layer.

    Raises:
        ValueError: widths that do not fit each other, or a value that no network has.
    """

    family: str
    """The architecture that it is, or was before pruning: a key of `architectures.FAMILIES`."""
    side_px: int
    """Of the square picture that goes in."""
    stem: int
    """Channels of the first convolution, 3x3."""
    stem_stride: int
    blocks: tuple[Block, ...]
    head: int
    """Channels of the last convolution, 1x1; 0: there is none."""
    classes: int
    pads_like_tensorflow: bool
    """True: `SAME` padding, by the size of what comes in; an odd pixel goes to the bottom and right."""
    batch_norm_epsilon: float
    activation: str
    """`relu6` or `swish`."""

    def __post_init__(self) -> None:
        counts = (self.side_px, self.stem, self.stem_stride, self.classes)
        if not _are_whole(*counts, self.head) or min(counts) < 1 or self.head < 0:
            raise ValueError(f"no network has these values: {self._shown()}")
        if self.activation not in ACTIVATIONS or not 0 <= self.batch_norm_epsilon <= 1:
            raise ValueError(f"no network has these values: {self._shown()}")
        incoming = self.stem
        for number, block in enumerate(self.blocks):
            _check(block, incoming, number)
            incoming = block.channels

    @property
    def parameters(self) -> int:
        """Weights and biases of the exported network, in which batch normalisation is folded."""
        return sum(layer.weights + layer.outputs for layer in self.layers())

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one picture."""
        return sum(layer.macs for layer in self.layers())

    @property
    def features(self) -> int:
        """How many means over the picture the last layer sees."""
        return self.head or (self.blocks[-1].channels if self.blocks else self.stem)

    def layers(self) -> Iterator[Layer]:
        """All layers with weights, in forward order."""
        side_px = -(-self.side_px // self.stem_stride)
        yield Layer(inputs=COLOURS, outputs=self.stem, kernel=3, side_px=side_px)
        incoming = self.stem
        for block in self.blocks:
            yield from _layers_of(block, incoming, side_px)
            incoming, side_px = block.channels, -(-side_px // block.stride)
        if self.head:
            yield Layer(inputs=incoming, outputs=self.head, kernel=1, side_px=side_px)
        yield Layer(inputs=self.features, outputs=self.classes, kernel=1, side_px=1)

    def _shown(self) -> str:
        return (
            f"side_px {self.side_px}, stem {self.stem}, stem_stride {self.stem_stride}, head {self.head}, "
            f"classes {self.classes}, activation {self.activation}, "
            f"batch_norm_epsilon {self.batch_norm_epsilon}"
        )


def _layers_of(block: Block, incoming: int, side_px: int) -> Iterator[Layer]:
    wide, out_px = block.expanded, -(-side_px // block.stride)
    if block.has_expansion:
        yield Layer(inputs=incoming, outputs=wide, kernel=1, side_px=side_px)
    yield Layer(inputs=wide, outputs=wide, kernel=block.kernel, side_px=out_px, depthwise=True)
    if block.squeeze:
        yield Layer(inputs=wide, outputs=block.squeeze, kernel=1, side_px=1)
        yield Layer(inputs=block.squeeze, outputs=wide, kernel=1, side_px=1)
    yield Layer(inputs=wide, outputs=block.channels, kernel=1, side_px=out_px)


def _are_whole(*values: object) -> bool:
    """A file may say 8.0, which no layer can be as wide as."""
    return all(isinstance(value, int) for value in values)


def _check(block: Block, incoming: int, number: int) -> None:
    if not _are_whole(block.expanded, block.channels, block.stride, block.kernel, block.squeeze):
        raise ValueError(f"block {number}: a width, stride or kernel that is no whole number: {block}")
    if min(block.expanded, block.channels, block.stride, block.kernel) < 1 or block.squeeze < 0:
        raise ValueError(f"block {number}: a width, stride or kernel below 1: {block}")
    if block.kernel % 2 == 0:
        raise ValueError(f"block {number}: the kernel is even: {block}")
    if not block.has_expansion and block.expanded != incoming:
        raise ValueError(f"block {number}: {incoming} channels come in without an expansion: {block}")
    if block.adds and (block.stride != 1 or block.channels != incoming):
        raise ValueError(f"block {number}: {incoming} channels cannot be added to what it makes: {block}")

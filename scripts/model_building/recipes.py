"""The models that can be built: where their weights come from and what their cards say."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgecam.compress import published
from edgecam.compress.published import Published

REQUIREMENTS = (
    "torch==2.13.0",
    "litert-torch==0.10.0",
    "litert-converter==0.5.0",
    "ai-edge-litert==2.3.0",
    "ai-edge-quantizer==0.10.0",
    "numpy==2.4.6",
    "pillow==13.0.0",
    "pyyaml==6.0.4",
    "safetensors==0.8.0",
    "scikit-image==0.26.0",
    "scikit-learn==1.9.1",
    "tflite==2.18.0",
)
"""Pinned, so that a build gives the same bytes."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One model: its weights, its size, the words of its card."""

    name: str
    description: str
    published: Published
    """The weights, and how they see pictures."""
    side_px: int
    """Of the square picture that the network sees; it costs time with its square."""
    crop_fraction: float
    """How much of the photo's short side that picture is."""
    relit_calibration: bool
    """Calibrate on changed light too: safe for odd scenes, but it stretches the ranges."""
    shipped: bool
    """Lies in models/, with a README written by hand."""

    @property
    def source(self) -> str:
        """For the card."""
        return f"{self.published.source}; quantized by scripts/build_models.py"


EFFICIENTNET_LITE0 = Recipe(
    name="efficientnet_lite0_int8",
    description="EfficientNet-Lite0, 1000 ImageNet classes, full int8, 224x224",
    published=published.EFFICIENTNET_LITE0,
    side_px=224,
    crop_fraction=0.875,
    relit_calibration=True,
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
    published=published.MOBILENET_V2,
    side_px=224,
    crop_fraction=0.875,
    relit_calibration=False,
    shipped=False,
)

RECIPES = {recipe.name: recipe for recipe in (EFFICIENTNET_LITE0, EFFICIENTNET_LITE0_160, MOBILENET_V2)}

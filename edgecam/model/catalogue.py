"""The catalogue: published models that `edgecam models pull` knows, and what is known of each.

A hash stands here only if it was checked, here or by those named beside it: all 64 digits, or the first 16
of them (64 bits, and then the length too), or none. What has none is taken only with a hash that users bring.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgecam.errors import UsageError

_CORAL = "https://raw.githubusercontent.com/google-coral/test_data/104342d2d3480b3e66203073dac24f4e2dbb4c41/"
_MEDIAPIPE = "https://storage.googleapis.com/mediapipe-models/image_classifier/"
_HUB = "https://tfhub.dev/tensorflow/lite-model/efficientnet/"
_CORAL_SOURCE = "google-coral/test_data at 104342d2"
_LITE_SOURCE = "Google's EfficientNet-Lite"
_HOSTED = "https://www.tensorflow.org/lite/guide/hosted_models"
_SLIM = "https://github.com/tensorflow/models/tree/master/research/slim/nets/mobilenet"
_LITE = "https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite"
WHOLE_DIGITS = 64
"""Of a sha256 that is known in full."""


@dataclass(frozen=True, slots=True)
class Part:
    """One published file."""

    name: str
    """As it was published, and as a mirror has it."""
    url: str
    bytes: int | None = None
    """Its length; None: not known."""
    sha256: str = ""
    """All its digits, the first 16, or empty: not known."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What somebody else measured on ImageNet's validation set, in percent."""

    top1: float
    top5: float | None
    of: str
    """Of which weights: the float network's figure is not the quantized one's."""
    source: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that can be pulled."""

    name: str
    description: str
    model: Part
    source: str
    labels: Part | None = None
    """None: ImageNet's 1000 classes, whose labels and groups come with edgecam."""
    twins: Mapping[str, Part] = field(default_factory=dict)
    """By the delegate that runs it."""
    licence: str = "Apache-2.0"
    background_offset: int = 0
    crop_fraction: float = 0.875
    parameters: int | None = None
    """Counted from the file, or as published; None: counted when the file is here."""
    macs: int | None = None
    accuracy: Accuracy | None = None


def _coral(name: str, length: int | None = None, sha256: str = "") -> Part:
    return Part(name, _CORAL + name, length, sha256)


ENTRIES = (
    Entry(
        "mobilenet_v2",
        "MobileNetV2 1.0, 1000 ImageNet classes, int8 inside, 224x224",
        _coral(
            "tf2_mobilenet_v2_1.0_224_ptq.tflite",
            4_070_174,
            "5d3137241276e79c86d14a74fe43581398ae0e815191d3dba45495b810840e8c",
        ),
        _CORAL_SOURCE,
        twins={"coral": _coral("tf2_mobilenet_v2_1.0_224_ptq_edgetpu.tflite")},
        background_offset=1,
        parameters=3_489_097,
        macs=300_775_552,
        accuracy=Accuracy(71.8, 91.0, "the float network", _SLIM),
    ),
    Entry(
        "mobilenet_v2_uint8",
        "MobileNetV2 1.0, 1000 ImageNet classes, uint8 by quantization-aware training, 224x224",
        _coral(
            "mobilenet_v2_1.0_224_quant.tflite",
            3_610_798,
            "7aad0c74c5e3c06e5eb3c827e13304fdd68a83da6087d92ee169c24ff9fd4776",
        ),
        _CORAL_SOURCE,
        twins={
            "coral": _coral(
                "mobilenet_v2_1.0_224_quant_edgetpu.tflite",
                4_283_046,
                "4315ee115507aab28c78809c0f384e5296527dd6a5dd53a1751b3eb9c91db6aa",
            )
        },
        background_offset=1,
        parameters=3_489_000,
        macs=300_780_000,
        accuracy=Accuracy(70.8, 89.9, "the quantized network", _HOSTED),
    ),
    Entry(
        "mobilenet_v1_025_128",
        "MobileNetV1 0.25, 1000 ImageNet classes, uint8, 128x128",
        _coral(
            "mobilenet_v1_0.25_128_quant.tflite",
            525_598,
            "cb273c23ee76374b05b9583177e28aa19744858a7679c56a250e83d0333da785",
        ),
        _CORAL_SOURCE,
        twins={
            "coral": _coral(
                "mobilenet_v1_0.25_128_quant_edgetpu.tflite",
                801_454,
                "a4cb1e493346542248687939fbd7421ab92d74c58b1f0a0018b8f1bdddfcef7e",
            )
        },
        background_offset=1,
        parameters=467_593,
        macs=13_570_304,
        accuracy=Accuracy(39.5, 64.4, "the quantized network", _HOSTED),
    ),
    Entry(
        "mobilenet_v1_050_160",
        "MobileNetV1 0.5, 1000 ImageNet classes, uint8, 160x160",
        _coral("mobilenet_v1_0.5_160_quant.tflite", 1_392_846, "3cc6d2ca460abd2e"),
        _CORAL_SOURCE,
        twins={"coral": _coral("mobilenet_v1_0.5_160_quant_edgetpu.tflite", 1_743_534, "e8fc376452b21346")},
        background_offset=1,
        parameters=1_327_000,
        macs=76_500_000,
        accuracy=Accuracy(57.2, 80.5, "the quantized network", _HOSTED),
    ),
    Entry(
        "mobilenet_v1_075_192",
        "MobileNetV1 0.75, 1000 ImageNet classes, uint8, 192x192",
        _coral("mobilenet_v1_0.75_192_quant.tflite", 2_652_542, "41daeb22fdcf947e"),
        _CORAL_SOURCE,
        twins={"coral": _coral("mobilenet_v1_0.75_192_quant_edgetpu.tflite", 3_029_678, "ead897a0aa6d184f")},
        background_offset=1,
        parameters=2_578_000,
        macs=239_300_000,
        accuracy=Accuracy(66.1, 86.2, "the quantized network", _HOSTED),
    ),
    Entry(
        "efficientnet_lite0",
        "EfficientNet-Lite0, 1000 ImageNet classes, int8, 224x224, as MediaPipe has it",
        Part(
            "efficientnet_lite0.tflite",
            f"{_MEDIAPIPE}efficientnet_lite0/int8/1/efficientnet_lite0.tflite",
            5_434_517,
            "bc2ffe19c1118de0c0c2a9088992da5589722656e0fba81421385300a4a34b16",
        ),
        f"{_LITE_SOURCE}, by MediaPipe",
        parameters=4_700_000,
        macs=407_000_000,
        accuracy=Accuracy(74.4, None, "the int8 network", _LITE),
    ),
    Entry(
        "efficientnet_lite1",
        "EfficientNet-Lite1, 1000 ImageNet classes, int8, 240x240",
        Part("efficientnet_lite1_int8_2.tflite", f"{_HUB}lite1/int8/2?lite-format=tflite"),
        f"{_LITE_SOURCE}, by TensorFlow Hub",
        crop_fraction=0.882,
        parameters=5_400_000,
        macs=631_000_000,
        accuracy=Accuracy(75.9, None, "the int8 network", _LITE),
    ),
    Entry(
        "efficientnet_lite2",
        "EfficientNet-Lite2, 1000 ImageNet classes, int8, 260x260, as MediaPipe has it",
        # The hash is from DEEPBOM's corpus of MediaPipe's models, which has lite0's as it was checked here.
        Part(
            "efficientnet_lite2.tflite",
            f"{_MEDIAPIPE}efficientnet_lite2/int8/1/efficientnet_lite2.tflite",
            7_165_461,
            "7fc3a7dbc1cd2833b162a54577afb47ab531d9c4b799ef11d90a4c56fe4ed5ad",
        ),
        f"{_LITE_SOURCE}, by MediaPipe",
        crop_fraction=0.89,
        parameters=6_100_000,
        macs=899_000_000,
        accuracy=Accuracy(77.0, None, "the int8 network", _LITE),
    ),
    Entry(
        "inat_birds",
        "MobileNetV2 1.0, birds of iNaturalist, uint8, 224x224",
        _coral(
            "mobilenet_v2_1.0_224_inat_bird_quant.tflite",
            3_579_500,
            "350fcd8cf1df1560060d464595dfed8b174b05792788052896004848d9ad04f9",
        ),
        _CORAL_SOURCE,
        labels=_coral(
            "inat_bird_labels.txt",
            sha256="a16108dfe3f8daff015b87a97ab6a17e717b9b1bccd719f6d8f747746d7b9277",
        ),
        # The twin's hash is from giaever-online-iot's snap of Frigate, whose build checks it.
        twins={
            "coral": _coral(
                "mobilenet_v2_1.0_224_inat_bird_quant_edgetpu.tflite",
                sha256="5b468dfe63ce4d79056bb19b953529e25df0a8d841b204c626576a1b8bd36afe",
            )
        },
        crop_fraction=1.0,
    ),
    Entry(
        "inat_insects",
        "MobileNetV2 1.0, insects of iNaturalist, uint8, 224x224",
        _coral("mobilenet_v2_1.0_224_inat_insect_quant.tflite", 3_655_867, "0ebaeb474dccf56b"),
        _CORAL_SOURCE,
        labels=_coral("inat_insect_labels.txt"),
        twins={"coral": _coral("mobilenet_v2_1.0_224_inat_insect_quant_edgetpu.tflite")},
        crop_fraction=1.0,
    ),
)


def find_entry(name: str) -> Entry:
    """The entry of that name.

    Raises:
        UsageError: there is none, with the nearest name.
    """
    known = [entry.name for entry in ENTRIES]
    if name in known:
        return ENTRIES[known.index(name)]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
    raise UsageError(f"the catalogue has no model {name!r}; {hint}")

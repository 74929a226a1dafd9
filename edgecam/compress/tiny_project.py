"""A network for TFLite Micro as text: C array, `main.cc`, Makefile, README."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np

from edgecam import __version__
from edgecam.errors import ModelError
from edgecam.model.card import Card, Channels
from edgecam.records import TensorSpec
from edgecam.vision.preprocess import input_table

_ASSETS = Path(__file__).parent / "assets"
_TEXTS = ("model_data.h", "main.cc", "Makefile", "README.md")
_BYTES_A_LINE = 16
_COLOURS = {Channels.RGB: (0, 1, 2), Channels.BGR: (2, 1, 0), Channels.GRAY: (0,)}

# What MicroMutableOpResolver can add and a classifier may have: its methods are called Add and one of these.
_OPERATORS = (
    "Abs", "Add", "AddN", "ArgMax", "ArgMin", "AveragePool2D", "BatchMatMul", "BatchToSpaceNd", "Cast",
    "Ceil", "Concatenation", "Conv2D", "DepthToSpace", "DepthwiseConv2D", "Dequantize", "Div", "Elu", "Exp",
    "ExpandDims", "Floor", "FullyConnected", "Gather", "HardSwish", "L2Normalization", "L2Pool2D",
    "LeakyRelu", "Log", "LogSoftmax", "Logistic", "MaxPool2D", "Maximum", "Mean", "Minimum", "MirrorPad",
    "Mul", "Neg", "Pack", "Pad", "PadV2", "Prelu", "Quantize", "ReduceMax", "Relu", "Relu6", "Reshape",
    "ResizeBilinear", "ResizeNearestNeighbor", "Round", "Rsqrt", "Shape", "Slice", "Softmax",
    "SpaceToBatchNd", "SpaceToDepth", "Split", "SplitV", "Sqrt", "Square", "SquaredDifference", "Squeeze",
    "StridedSlice", "Sub", "Sum", "Svdf", "Tanh", "Transpose", "TransposeConv", "Unpack",
)  # fmt: skip
_BY_NAME = {name.lower(): name for name in _OPERATORS}


class _AtTemplate(Template):
    """C and make have their own uses for the dollar."""

    delimiter = "@"


@dataclass(frozen=True, slots=True)
class Micro:
    """What was measured of a network in TFLite Micro."""

    runtime: str
    """Its version."""
    used_bytes: int
    arena_bytes: int
    rows: int
    """Pictures that went through it and through the reference kernels."""
    what: str
    """Which pictures these were."""
    same: int
    """On how many both name the same class."""
    identical: int
    """On how many all scores are the same."""
    largest: int
    """The largest difference of a score, in steps of the int8 output."""
    expected: int
    """The class that it names for the made picture."""


def resolver_methods(operators: Iterable[str], *, path: Path) -> tuple[str, ...]:
    """The methods of MicroMutableOpResolver that add these operators, in order, each once.

    Args:
        operators: as the schema calls them: `CONV_2D`, …
        path: of the model, for messages.

    Raises:
        ModelError: TFLite Micro has no such operator.
    """
    unknown = sorted({name for name in operators if name.replace("_", "").lower() not in _BY_NAME})
    if unknown:
        raise ModelError(
            f"{path}: TFLite Micro has no operator {', '.join(unknown)}; export the network without, or "
            "choose another architecture: micro_mobilenet has what it knows"
        )
    return tuple(sorted({f"Add{_BY_NAME[name.replace('_', '').lower()]}" for name in operators}))


def project_files(
    tflite: bytes,
    card: Card,
    labels: Sequence[str],
    *,
    methods: Sequence[str],
    ends: tuple[TensorSpec, TensorSpec],
    micro: Micro,
) -> Mapping[str, str]:
    """Every file of the project by its name, the network and the card aside.

    Args:
        tflite: what goes into the array.
        card: of that file.
        labels: one per class.
        methods: from `resolver_methods`.
        ends: the file's input and output.
        micro: what was measured.
    """
    words = _words(tflite, card, methods=methods, ends=ends, micro=micro)
    texts = {
        name: _AtTemplate((_ASSETS / name).read_text(encoding="utf-8")).substitute(words) for name in _TEXTS
    }
    return {**texts, "model_data.cc": "\n".join(_data(tflite, card, labels, ends[0])) + "\n"}


def _words(
    tflite: bytes,
    card: Card,
    *,
    methods: Sequence[str],
    ends: tuple[TensorSpec, TensorSpec],
    micro: Micro,
) -> dict[str, object]:
    given, made = ends
    return {
        "version": __version__,
        "description": card.description or "A classifier.",
        "licence": card.licence,
        "source": " ".join(card.source.split()),
        "sha256": hashlib.sha256(tflite).hexdigest(),
        "length": len(tflite),
        "height": card.input.height_px,
        "width": card.input.width_px,
        "channels": given.shape[-1],
        "classes": made.shape[-1],
        "mean": _numbers(card.input.mean),
        "std": _numbers(card.input.std),
        "fit": f"{card.input.fit}, {card.input.crop_fraction:g} of its short side",
        "input_scale": given.scale,
        "input_zero_point": given.zero_point,
        "output_scale": made.scale,
        "output_zero_point": made.zero_point,
        "output_kind": str(card.output.kind),
        "operators": "\n".join(f"  TF_LITE_ENSURE_STATUS(resolver.{method}());" for method in methods),
        "operator_count": len(methods),
        "operator_names": ", ".join(method.removeprefix("Add") for method in methods),
        "used_bytes": micro.used_bytes,
        "arena_bytes": micro.arena_bytes,
        "runtime": micro.runtime,
        "rows": micro.rows,
        "what": micro.what,
        "same": micro.same,
        "identical": micro.identical,
        "largest": micro.largest,
        "expected": micro.expected,
    }


def _data(tflite: bytes, card: Card, labels: Sequence[str], given: TensorSpec) -> Iterator[str]:
    table = input_table(
        card.input.mean, card.input.std, scale=given.scale, zero_point=given.zero_point, dtype=given.dtype
    )
    yield f"// {len(tflite)} bytes, sha256 {hashlib.sha256(tflite).hexdigest()}"
    yield f"// Made by edgecam {__version__}. Licence of the weights: {card.licence}"
    yield ""
    yield '#include "model_data.h"'
    yield ""
    yield "alignas(16) const unsigned char kModelData[] = {"
    for start in range(0, len(tflite), _BYTES_A_LINE):
        yield "    " + " ".join(f"0x{value:02x}," for value in tflite[start : start + _BYTES_A_LINE])
    yield "};"
    yield f"const unsigned int kModelDataBytes = {len(tflite)};"
    yield ""
    yield "const int8_t kInputTable[kChannels][256] = {"
    for column in np.broadcast_to(table, (256, given.shape[-1])).T.tolist():
        yield "    {" + ", ".join(map(str, column)) + "},"
    yield "};"
    yield f"const int kColourOfChannel[kChannels] = {{{_numbers(_COLOURS[card.input.color])}}};"
    yield ""
    yield "const char* const kLabels[kClasses] = {"
    for label in labels:
        yield f"    {_c_string(label)},"
    yield "};"


def _c_string(text: str) -> str:
    """A C literal; what is not ASCII as its UTF-8 bytes, in octal: that ends after three digits."""
    plain = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}"  # noqa: PLR2004 - printable
        for byte in text.encode()
    )
    return f'"{plain}"'


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)

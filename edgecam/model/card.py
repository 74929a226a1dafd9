"""The model card: what a model's file does not say of itself.

The format of `card.yaml` is described in docs/models.md; it is versioned and changes by adding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from edgecam.model.fields import Fields, read_fields

SCHEMA = 1
"""The version of `card.yaml` that this program reads."""
DEFAULT_FILE = "model.tflite"
"""The model's file in a directory whose card names none."""
TOP_COUNT = 5
"""How many classes a self-test names."""


class Fit(StrEnum):
    """How a picture of any shape becomes the network's input."""

    CROP = "crop"
    """The middle, as large as the network's shape allows."""
    SQUASH = "squash"
    """The whole picture, its shape changed."""
    LETTERBOX = "letterbox"
    """The whole picture, its shape kept, the rest filled."""


class Channels(StrEnum):
    """The order of colours that the network was trained on."""

    RGB = "rgb"
    BGR = "bgr"
    GRAY = "gray"


class OutputKind(StrEnum):
    """What the network's outputs are, once dequantized."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"


@dataclass(frozen=True, slots=True)
class InputCard:
    """The picture that the network wants: real input = (pixel - mean) / std, pixel 0..255."""

    width_px: int
    height_px: int
    mean: tuple[float, ...]
    """On 0..255 pixels; 1 value for all channels, or 3 in the order of `color`."""
    std: tuple[float, ...]
    """As `mean`; never 0."""
    fit: Fit = Fit.CROP
    crop_fraction: float = 1.0
    """How much of the short side a crop takes, 0 < fraction <= 1."""
    color: Channels = Channels.RGB


@dataclass(frozen=True, slots=True)
class OutputCard:
    """How to read the network's outputs."""

    kind: OutputKind
    background_offset: int = 0
    """1: output 0 is a `background` class that labels.txt does not name."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What the network says of the synthetic picture (see `inference/self_test.py`)."""

    top5: tuple[int, ...]
    """Output indices, best first."""


@dataclass(frozen=True, slots=True)
class Twin:
    """The same network, compiled for an accelerator."""

    file: str
    """Its file name, inside the model directory."""
    sha256: str
    """Of that file, 64 lower-case hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Card:
    """A model's card."""

    name: str
    description: str
    file: str
    """The model's file name, inside the model directory."""
    sha256: str
    """Of that file, 64 lower-case hexadecimal digits."""
    input: InputCard
    output: OutputCard
    licence: str
    source: str
    """Where the weights come from."""
    parameters: int | None = None
    macs: int | None = None
    """Multiply-accumulates of one inference."""
    self_test: SelfTest | None = None
    twins: Mapping[str, Twin] = field(default_factory=dict)
    """By the delegate or engine that runs it."""


def read_card(path: Path) -> Card:
    """Read a `card.yaml` strictly.

    Raises:
        ModelError: absent, unreadable, an unknown, missing or wrong key; with file, line and remedy.
    """
    fields = read_fields(path)
    fields.only(
        (
            "schema", "name", "description", "file", "sha256", "input", "output",
            "licence", "source", "parameters", "macs", "self_test", "twins",
        )
    )  # fmt: skip
    if (version := fields.integer("schema", SCHEMA, least=1)) != SCHEMA:
        raise fields.error("schema", f"is {version}, but this edgecam reads {SCHEMA}; update edgecam")
    return Card(
        name=_name(fields),
        description=fields.text("description", ""),
        file=_file_name(fields, DEFAULT_FILE),
        sha256=_sha256(fields),
        input=_input(fields.section("input")),
        output=_output(fields.section("output")),
        licence=fields.text("licence"),
        source=fields.text("source"),
        parameters=fields.integer("parameters") if "parameters" in fields else None,
        macs=fields.integer("macs") if "macs" in fields else None,
        self_test=_self_test(fields.section("self_test")) if "self_test" in fields else None,
        twins=_twins(fields.section("twins")) if "twins" in fields else {},
    )


def _name(fields: Fields) -> str:
    name = fields.text("name")
    if len(name.splitlines()) > 1:
        raise fields.error("name", f"expected one line, found {name!r}")
    return name


def _file_name(fields: Fields, default: str | None = None) -> str:
    name = fields.text("file", default)
    if Path(name).name != name or name == "..":
        raise fields.error("file", f"expected a file name inside the model directory, found {name!r}")
    return name


def _sha256(fields: Fields) -> str:
    digest = fields.text("sha256").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise fields.error("sha256", f"expected 64 hexadecimal digits, found {digest!r}")
    return digest


def _input(fields: Fields) -> InputCard:
    fields.only(("width_px", "height_px", "mean", "std", "fit", "crop_fraction", "color"))
    color = fields.choice("color", Channels, Channels.RGB)
    lengths = (1,) if color is Channels.GRAY else (1, 3)
    std = fields.numbers("std", lengths=lengths)
    if 0 in std:
        raise fields.error("std", "holds a 0; pixels are divided by it")
    fraction = fields.number("crop_fraction", 1.0)
    if not 0 < fraction <= 1:
        raise fields.error("crop_fraction", f"expected a number above 0 and up to 1, found {fraction!r}")
    return InputCard(
        width_px=fields.integer("width_px", least=1),
        height_px=fields.integer("height_px", least=1),
        mean=fields.numbers("mean", lengths=lengths),
        std=std,
        fit=fields.choice("fit", Fit, Fit.CROP),
        crop_fraction=fraction,
        color=color,
    )


def _output(fields: Fields) -> OutputCard:
    fields.only(("kind", "background_offset"))
    offset = fields.integer("background_offset", 0)
    if offset > 1:
        raise fields.error("background_offset", f"expected 0 or 1, found {offset}")
    return OutputCard(kind=fields.choice("kind", OutputKind), background_offset=offset)


def _self_test(fields: Fields) -> SelfTest:
    fields.only(("top5",))
    top5 = fields.integers("top5")
    if len(top5) > TOP_COUNT:
        raise fields.error("top5", f"expected at most {TOP_COUNT} output indices, found {len(top5)}")
    return SelfTest(top5=top5)


def _twins(fields: Fields) -> dict[str, Twin]:
    twins = {}
    for delegate in fields:
        twin = fields.section(delegate)
        twin.only(("file", "sha256"))
        twins[delegate] = Twin(_file_name(twin), _sha256(twin))
    return twins

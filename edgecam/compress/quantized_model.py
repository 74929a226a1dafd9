"""From a float model directory to a quantized one, which appears only if it is nearly as good."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgecam import __version__
from edgecam.compress.calibration import calibration_inputs, digest_of_pictures, input_range
from edgecam.compress.learnt_ranges import learnt_ranges
from edgecam.compress.picture_sets import all_readable
from edgecam.compress.quantization import Scheme, quantize
from edgecam.compress.successor import new_place, write_successor
from edgecam.errors import EdgecamError, ModelError, UsageError
from edgecam.evaluation.classifier import Classifier
from edgecam.evaluation.pictures import PictureSet
from edgecam.inference.engine import open_engine
from edgecam.model.card import SelfTest
from edgecam.model.card_text import card_text
from edgecam.model.graph import is_tflite, read_graph, read_model_bytes
from edgecam.model.model import Model
from edgecam.model.pull import Prove
from edgecam.model.staging import publish, staged, write_text
from edgecam.model.store import CARD_FILE, load_model

Told = Callable[[str, int, int], None]
"""Hears what is done, how many pictures it has been done with, and of how many."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Demands:
    """How much may be lost; None: as much as it takes, but it is told."""

    min_agreement: float | None = None
    """The least share of pictures, 0..1, on which both must name the same class first."""
    max_loss_points: float | None = None
    """The most points of top-1 accuracy, of 100, that may be lost on labelled pictures."""


@dataclass(frozen=True, slots=True)
class Quantized:
    """What was made, and how near it is to its float."""

    place: Path
    scheme: Scheme
    bytes: int
    float_bytes: int
    calibrated_on: int
    """Pictures."""
    learnt: bool
    """Its ranges are those that the network learnt in training."""
    compared_on: int
    """Pictures that both have classified; 0: there were none."""
    same: int
    """On how many of them both name the same class first."""
    float_right: int | None
    """How many of them the float model names rightly; None: they have no labels."""
    right: int | None

    @property
    def agreement(self) -> float | None:
        """0..1; None: nothing was compared."""
        return self.same / self.compared_on if self.compared_on else None

    @property
    def top1(self) -> float | None:
        """Its accuracy, 0..1; None: the pictures have no labels."""
        return None if self.right is None else self.right / self.compared_on

    @property
    def float_top1(self) -> float | None:
        """That of the float model."""
        return None if self.float_right is None else self.float_right / self.compared_on

    @property
    def loss_points(self) -> float | None:
        """Points of top-1 accuracy, of 100, that the float model has more."""
        if self.top1 is None or self.float_top1 is None:
            return None
        return 100 * (self.float_top1 - self.top1)


@all_readable()
def quantize_model(
    model: Path,
    out: Path,
    scheme: Scheme,
    pictures: Sequence[Path] = (),
    *,
    labelled: PictureSet | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    demands: Demands | None = None,
    force: bool = False,
    prove: Prove,
    told: Told | None = None,
) -> Quantized:
    """Make a quantized model directory of a float one; it appears when it runs and meets the demands.

    Args:
        model: the float model's directory.
        out: the new one.
        scheme: what its numbers become.
        pictures: of what the camera will see: the scheme is calibrated with them, unless the ranges are
            known, and, without `labelled`, both models are compared on them.
        labelled: other pictures to compare them on, of this model's labels.
        ranges: of every tensor, as for `quantize`; None: for int8, those that the network learnt, if it did.
        demands: what it has to reach.
        force: replace a model directory.
        prove: runs it once before it is believed.
        told: hears how far it is.

    Raises:
        UsageError: `out` is taken, or there are no pictures to calibrate with or to measure a demand on.
        ModelError, EngineError, UnusableError: the model cannot be used, quantized or run.
        SourceError: a picture cannot be read; nothing is left behind, here and below.
        EdgecamError: it loses more than is allowed.
    """
    demands = demands or Demands()
    _check_demands(demands, pictures, labelled)
    place = new_place(model, out, force=force)
    original = load_model(model)
    float_tflite = _float_file(original)
    if ranges is None and scheme is Scheme.INT8:
        ranges = learnt_ranges(original)
    seen = () if ranges or not scheme.calibrates else pictures
    if scheme.calibrates and not ranges and not seen:
        raise UsageError(f"{scheme} has to be calibrated; give --pictures FOLDER of what the camera will see")
    inputs = _told(told, "calibrating", calibration_inputs(original.card.input, seen), len(seen))
    data = quantize(
        float_tflite, scheme, inputs=inputs, input_range=input_range(original.card.input), ranges=ranges
    )
    with staged(out.parent, out.name) as folder:
        card = replace(
            original.card,
            description=f"{original.card.description}; quantized to {scheme}".removeprefix("; "),
            source=f"{original.card.source}; {_provenance(scheme, seen, learnt=bool(ranges))}",
            self_test=None,
        )
        card = write_successor(folder, model, data, card)
        card = replace(card, self_test=SelfTest(top5=prove(folder)))
        write_text(folder / CARD_FILE, card_text(card))
        made = _compared(
            original, load_model(folder), scheme=scheme, pictures=pictures, labelled=labelled, told=told
        )
        made = replace(made, calibrated_on=len(seen), learnt=bool(ranges))
        _refuse_loss(made, demands)
        publish(folder, place)
    return replace(made, place=place)


def top_classes(model: Model, pictures: Iterable[Path]) -> NDArray[np.int64]:
    """The class that a model names first for each picture, by the live path; (pictures,)."""
    with open_engine(model) as engine:
        classify = Classifier(model, engine, top=1)
        return np.array([classify(path).top[0].id for path in pictures], np.int64)


def _check_demands(demands: Demands, pictures: Sequence[Path], labelled: PictureSet | None) -> None:
    if demands.max_loss_points is not None and labelled is None:
        raise UsageError("the loss of accuracy is measured on test pictures; give --test")
    if demands.min_agreement is not None and labelled is None and not pictures:
        raise UsageError("the agreement is measured on pictures; give --pictures or --test")


def _float_file(model: Model) -> bytes:
    if not is_tflite(model.path):
        raise ModelError(f"{model.path}: is no .tflite; only those can be quantized")
    dtype = read_graph(model.path).inputs[0].dtype
    if dtype != "float32":
        raise ModelError(
            f"{model.path}: is no float .tflite, its input is {dtype}; quantize the float model that it was "
            "made of"
        )
    return read_model_bytes(model.path)


def _provenance(scheme: Scheme, seen: Sequence[Path], *, learnt: bool) -> str:
    said = f"quantized to {scheme} by edgecam {__version__}"
    if learnt:
        return f"{said} with the ranges that it learnt"
    if not seen:
        return said
    return f"{said}, calibrated on {len(seen)} pictures (sha256 {digest_of_pictures(seen)})"


def _compared(
    original: Model,
    made: Model,
    *,
    scheme: Scheme,
    pictures: Sequence[Path],
    labelled: PictureSet | None,
    told: Told | None,
) -> Quantized:
    paths = [entry.path for entry in labelled.pictures] if labelled is not None else list(pictures)
    before, after = (
        top_classes(model, _told(told, f"running the {what} model", paths, len(paths)))
        for model, what in ((original, "float"), (made, scheme))
    )
    truth = None if labelled is None else np.array([entry.label for entry in labelled.pictures])
    return Quantized(
        place=made.path.parent,
        scheme=scheme,
        bytes=made.path.stat().st_size,
        float_bytes=original.path.stat().st_size,
        calibrated_on=0,
        learnt=False,
        compared_on=len(paths),
        same=int((before == after).sum()),
        float_right=None if truth is None else int((before == truth).sum()),
        right=None if truth is None else int((after == truth).sum()),
    )


def _refuse_loss(made: Quantized, demands: Demands) -> None:
    remedy = (
        "nothing was written; calibrate with more pictures of what the camera will see, or let it learn to "
        "be quantized (`edgecam compress qat`)"
    )
    agreement, loss = made.agreement or 0.0, made.loss_points or 0.0
    # As they stand, so that nothing passes a demand that is not a number.
    if demands.min_agreement is not None and not agreement >= demands.min_agreement:
        raise EdgecamError(
            f"{made.scheme} names the same class as its float on {made.same} of {made.compared_on} pictures, "
            f"a share of {agreement:.3f}, but {demands.min_agreement:g} is demanded; {remedy}"
        )
    if demands.max_loss_points is not None and not loss <= demands.max_loss_points:
        raise EdgecamError(
            f"{made.scheme} loses {loss:.1f} points of top-1 accuracy on {made.compared_on} pictures, but "
            f"{demands.max_loss_points:g} are allowed; {remedy}"
        )


def _told(told: Told | None, what: str, items: Iterable[_Item], count: int) -> Iterator[_Item]:
    """The items, each told of when the next is wanted."""
    for done, item in enumerate(items, 1):
        yield item
        if told is not None:
            told(what, done, count)

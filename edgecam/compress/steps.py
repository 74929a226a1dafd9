"""Does one step of a recipe: from a model directory, or from pictures alone, to a model directory."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edgecam.compress.architectures import design
from edgecam.compress.augmentation import Augmentation
from edgecam.compress.calibration import find_pictures
from edgecam.compress.chain import Told
from edgecam.compress.channels import Importance
from edgecam.compress.checkpoint import Checkpoint
from edgecam.compress.distil import DistilSettings, distil
from edgecam.compress.latency_target import CommandDevice
from edgecam.compress.learning import Learning
from edgecam.compress.magnitude import WORD, MagnitudeSettings, prune_weights
from edgecam.compress.network_model import has_network, network_of, write_network_model
from edgecam.compress.prune import PruneSettings, prune
from edgecam.compress.qat import QatSettings, train_quantized
from edgecam.compress.quantization import Scheme
from edgecam.compress.quantized_model import quantize_model
from edgecam.compress.recipe import (
    DistilStep,
    PruneStep,
    QatStep,
    QuantizeStep,
    Step,
    TrainStep,
    TransferStep,
)
from edgecam.compress.recipe import Learning as LearningBlock
from edgecam.compress.scratch import TrainSettings, train
from edgecam.compress.teachers import CheckpointTeacher, ModelTeacher, Teacher
from edgecam.compress.telling import counted, heard
from edgecam.compress.tensor_ranges import Activation
from edgecam.compress.tensors import PictureTensors, picture_tensors, unlabelled_tensors
from edgecam.compress.tiny import make_tiny
from edgecam.compress.transfer import TransferSettings, transfer
from edgecam.evaluation.pictures import PictureSet
from edgecam.model.pull import Prove

_Settings = TypeVar("_Settings", bound=Learning)
# What a step's block says for other parts of it than how it learns.
_OF_LEARNING = {"epochs", "learning_rate", "batch", "balanced"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One step, and what it goes on from."""

    step: Step
    place: Path
    """The model directory that it makes."""
    source: Path | None
    """The model directory that it goes on from."""
    teacher: Path | None
    """The model directory that teaches it."""
    seed: int
    force: bool = False
    """Replace a model directory."""


@dataclass(slots=True)
class Maker:
    """Does steps; what it has read of pictures serves all of them."""

    pictures: PictureSet
    """What networks learn from, and quantization looks at."""
    folder: Path
    """What relative paths of weights and pictures in a step refer to."""
    licence: str
    """Of the weights of a network from scratch."""
    origin: str
    """Where those come from."""
    prove: Prove
    _tensors: dict[int, PictureTensors] = field(default_factory=dict)

    def __call__(self, order: Order, told: Told) -> tuple[str, ...]:
        """Do a step; its model directory appears when it is whole.

        Returns:
            What else is to be told of it, a sentence each.

        Raises:
            EdgecamError: it cannot be done.
        """
        do: Callable[[Order, Told], tuple[str, ...]] = getattr(self, f"_{order.step.kind}")
        return do(order, told)

    def _train(self, order: Order, told: Told) -> tuple[str, ...]:
        block = order.step.settings
        assert isinstance(block, TrainStep)  # noqa: S101 - by its kind
        made = train(
            design(block.design, classes=len(self.pictures.labels), side_px=block.side_px, width=block.width),
            self._seen(block.side_px, told),
            _settings(TrainSettings, block),
            seed=order.seed,
            licence=self.licence,
            source=self.origin,
            told=heard(told),
        )
        return self._write(order, told, made)

    def _transfer(self, order: Order, told: Told) -> tuple[str, ...]:
        block = order.step.settings
        assert isinstance(block, TransferStep)  # noqa: S101 - by its kind
        more: dict[str, Any] = {"backbone": block.backbone}
        if block.weights is not None:
            more["weights"] = self.folder / block.weights
        if block.frozen_epochs is not None:
            more["frozen_epochs"] = block.frozen_epochs
        made = transfer(
            self._seen(block.side_px, told),
            _settings(TransferSettings, block, **more),
            seed=order.seed,
            told=heard(told),
        )
        return self._write(order, told, made)

    def _prune(self, order: Order, told: Told) -> tuple[str, ...]:
        block = order.step.settings
        assert isinstance(block, PruneStep)  # noqa: S101 - by its kind
        network = network_of(_needed(order.source))
        pictures = self._seen(network.design.side_px, told)
        if block.sparsity is not None:
            zeros = _settings(MagnitudeSettings, block, sparsity=block.sparsity)
            made = prune_weights(network, pictures, zeros, seed=order.seed, told=heard(told))
            return self._write(order, told, made, notes=(WORD,))
        target = {"macs": block.macs, "ms": block.ms}
        made = prune(
            network,
            pictures,
            _settings(
                PruneSettings, block, **target, rounds=block.rounds, importance=Importance(block.importance)
            ),
            seed=order.seed,
            device=None if block.measure_with is None else CommandDevice(block.measure_with),
            told=heard(told),
        )
        return self._write(order, told, made)

    def _qat(self, order: Order, told: Told) -> tuple[str, ...]:
        block = order.step.settings
        assert isinstance(block, QatStep)  # noqa: S101 - by its kind
        network = network_of(_needed(order.source))
        made, activations = train_quantized(
            network,
            self._seen(network.design.side_px, told),
            _settings(QatSettings, block),
            seed=order.seed,
            told=heard(told),
        )
        return self._write(order, told, made, activations)

    def _distil(self, order: Order, told: Told) -> tuple[str, ...]:
        block = order.step.settings
        assert isinstance(block, DistilStep)  # noqa: S101 - by its kind
        student = network_of(_needed(order.source))
        side_px = student.design.side_px
        unlabelled, paths = None, [picture.path for picture in self.pictures.pictures]
        if block.unlabelled is not None:
            unlabelled = unlabelled_tensors(self.folder / block.unlabelled, side_px)
            paths += find_pictures(self.folder / block.unlabelled, most=sys.maxsize)
        settings = _settings(DistilSettings, block, temperature=block.temperature, weight=block.weight)
        made = distil(
            student,
            _teacher(_needed(order.teacher), paths, student.labels),
            self._seen(side_px, told),
            settings,
            seed=order.seed,
            unlabelled=unlabelled,
            told=heard(told),
        )
        return self._write(order, told, made)

    def _quantize(self, order: Order, told: Told) -> tuple[str, ...]:
        block = order.step.settings
        assert isinstance(block, QuantizeStep)  # noqa: S101 - by its kind
        made = quantize_model(
            _needed(order.source),
            order.place,
            Scheme(block.scheme),
            self._some(block.pictures, order.seed),
            prove=self.prove,
            told=counted(told, parts=3),
            force=order.force,
        )
        learnt = ("its ranges were learnt in training",) if made.learnt else ()
        return (
            *learnt,
            f"names the same class as its float on {made.same} of {made.compared_on} calibration pictures",
        )

    def _tiny(self, order: Order, told: Told) -> tuple[str, ...]:
        made = make_tiny(
            _needed(order.source),
            order.place,
            self._some(_TINY_PICTURES, order.seed),
            told=counted(told, parts=1),
            force=order.force,
        )
        micro = made.micro
        said = f"TFLite Micro says what the reference kernels say of {micro.same} of {micro.rows} pictures"
        return (f"{said}, in an arena of {micro.arena_bytes} bytes",)

    def _write(
        self,
        order: Order,
        told: Told,
        checkpoint: Checkpoint,
        activations: tuple[Activation, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> tuple[str, ...]:
        told(1, "exporting")
        write_network_model(
            order.place,
            checkpoint,
            activations=activations,
            description=f"{checkpoint.design.family}, {len(checkpoint.labels)} classes, float",
            prove=self.prove,
            force=order.force,
        )
        return notes

    def _seen(self, side_px: int, told: Told) -> PictureTensors:
        if side_px not in self._tensors:
            told(0, "reading pictures")
            self._tensors[side_px] = picture_tensors(self.pictures, side_px)
        return self._tensors[side_px]

    def _some(self, count: int, seed: int) -> list[Path]:
        """Some of the pictures, by chance."""
        paths = [picture.path for picture in self.pictures.pictures]
        return random.Random(seed).sample(paths, min(count, len(paths)))  # noqa: S311 - no secret


_TINY_PICTURES = 100


def _settings(kind: type[_Settings], block: LearningBlock, **more: Any) -> _Settings:
    """How a network learns; what the block leaves out is the kind's own default."""
    said = block.model_dump(include=_OF_LEARNING, exclude_none=True)
    return kind(**said, augmentation=Augmentation(flip=block.flip), **more)


def _teacher(model: Path, paths: Sequence[Path], labels: Sequence[str]) -> Teacher:
    """A network that sees what the student sees, or a model without one, asked once of each picture."""
    if has_network(model):
        return CheckpointTeacher(network_of(model), labels)
    return ModelTeacher(model, paths, labels)


def _needed(source: Path | None) -> Path:
    assert source is not None  # noqa: S101 - the recipe was checked
    return source

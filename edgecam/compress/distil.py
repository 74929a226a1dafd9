"""A network taught by another one's answers, beside the labels or where there are none.

Hinton et al. 2015, "Distilling the Knowledge in a Neural Network": both answers are softened by a
temperature; its square makes up for the gradients that become smaller with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F  # noqa: N812 - the name that everyone gives it
from torch import Tensor

from edgecam.compress.checkpoint import Checkpoint, step_record
from edgecam.compress.held_out import check_classes
from edgecam.compress.learning import Learning, class_weights, picture_facts, settings_record
from edgecam.compress.teachers import Teacher
from edgecam.compress.tensors import UNLABELLED, Batch, Batches, PictureTensors
from edgecam.compress.training import Loss, Told, accuracy, fit
from edgecam.errors import SourceError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class DistilSettings(Learning):
    """How a network learns from a teacher."""

    temperature: float = 4.0
    """How far both answers are softened; 1: not at all."""
    weight: float = 0.7
    """The teacher's share beside the labels', 0 to 1."""
    label_smoothing: float = 0.0
    """The share of a label that is spread over all classes; the teacher smooths better."""


def distil(
    student: Checkpoint,
    teacher: Teacher,
    pictures: PictureTensors,
    settings: DistilSettings,
    *,
    seed: int,
    unlabelled: PictureTensors | None = None,
    validation: PictureTensors | None = None,
    told: Told | None = None,
) -> Checkpoint:
    """Teach a network by a teacher's answers; the same seed gives the same weights on the same machine.

    Args:
        student: what it goes on from: trained, pruned, or of `scratch.untrained`.
        teacher: whose answers; `teachers` has two kinds.
        pictures: labelled, of the student's size and with its labels.
        settings: how.
        seed: of order and augmentation.
        unlabelled: pictures that join the batches with the teacher's answers only.
        validation: other pictures, to tell the accuracy on.
        told: hears how it goes.

    Raises:
        UsageError: a setting that makes no sense.
        SourceError: the pictures are not the student's, or a class has too few.
        EdgecamError: learning went astray.
    """
    _check(student, settings, pictures, unlabelled)
    network = student.network()
    every = pictures if unlabelled is None else pictures.joined_by(unlabelled)
    fit(
        network,
        Batches(
            every,
            mean=student.mean,
            std=student.std,
            size=settings.batch,
            seed=seed,
            augmentation=settings.augmentation,
        ),
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        loss=distillation_loss(teacher, settings, class_weights(pictures, settings)),
        told=told,
        check=None
        if validation is None
        else lambda: accuracy(network, validation, student.mean, student.std),
    )
    facts: dict[str, Any] = picture_facts(network, pictures, validation, student.mean, student.std)
    if unlabelled is not None:
        facts["unlabelled"] = {"count": len(unlabelled), "sha256": unlabelled.digest()}
    described: Mapping[str, Any] = teacher.described
    record = step_record("distil", teacher=described, **settings_record(settings), seed=seed, **facts)
    return student.then(network, record)


def distillation_loss(teacher: Teacher, settings: DistilSettings, weights: Tensor | None = None) -> Loss:
    """How far a student is from its teacher and from the labels, as a mean over pictures.

    weight * T² * KL(teacher, student) + (1 - weight) * cross entropy with the labels.

    Args:
        teacher: whose answers.
        settings: temperature T, weight, label smoothing.
        weights: (classes,), of each class for the cross entropy; None: all count alike.
    """
    temperature, share = settings.temperature, settings.weight

    def loss(logits: Tensor, batch: Batch) -> Tensor:
        wanted = F.log_softmax(teacher(batch) / temperature, dim=1)
        found = F.log_softmax(logits / temperature, dim=1)
        # The mean over pictures, those without a label among them.
        by_teacher = F.kl_div(found, wanted, reduction="batchmean", log_target=True)
        by_labels = F.cross_entropy(
            logits,
            batch.truth,
            weight=weights,
            ignore_index=UNLABELLED,
            reduction="sum",
            label_smoothing=settings.label_smoothing,
        )
        return share * temperature**2 * by_teacher + (1 - share) * by_labels / len(logits)

    return loss


def _check(
    student: Checkpoint,
    settings: DistilSettings,
    pictures: PictureTensors,
    unlabelled: PictureTensors | None,
) -> None:
    if not settings.temperature > 0:
        raise UsageError(f"expected a temperature above 0, got {settings.temperature}")
    if not 0 <= settings.weight <= 1:
        raise UsageError(f"expected a weight of 0 to 1, got {settings.weight}")
    if pictures.labels != student.labels:
        raise SourceError(
            f"the pictures show {_shown(pictures.labels)}, the student knows {_shown(student.labels)}; "
            "give the pictures of its labels, in their order"
        )
    check_classes(pictures)
    for these in (pictures, unlabelled):
        if these is not None and these.side_px != student.design.side_px:
            raise SourceError(
                f"the pictures were read at {these.side_px} px, the student sees {student.design.side_px} px"
            )


def _shown(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")  # noqa: PLR2004

"""How a network learns what labelled pictures show, whatever it was before, and the record of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from edgecam.compress.augmentation import LIGHT, Augmentation
from edgecam.compress.held_out import class_counts
from edgecam.compress.network import Network
from edgecam.compress.tensors import Batches, PictureTensors
from edgecam.compress.training import Told, accuracy, fit, smoothed_cross_entropy


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How a network learns."""

    epochs: int = 10
    """How often it sees each picture."""
    learning_rate: float = 1e-3
    """The highest; AdamW's."""
    batch: int = 32
    """Pictures in one step."""
    label_smoothing: float = 0.1
    """The share of a label that is spread over all classes."""
    balanced: bool = False
    """All classes count alike, however many pictures each has."""
    augmentation: Augmentation | None = LIGHT
    """How pictures are changed by chance; None: not at all."""


def learn(
    network: Network,
    pictures: PictureTensors,
    settings: Learning,
    *,
    seed: int,
    mean: Sequence[float],
    std: Sequence[float],
    validation: PictureTensors | None = None,
    told: Told | None = None,
) -> None:
    """Teach a network what pictures show; it is changed. Raises EdgecamError: learning went astray."""
    if settings.epochs < 1:
        return
    batches = Batches(
        pictures, mean=mean, std=std, size=settings.batch, seed=seed, augmentation=settings.augmentation
    )
    weights = class_weights(pictures, settings)
    fit(
        network,
        batches,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        loss=smoothed_cross_entropy(settings.label_smoothing, weights),
        told=told,
        check=None if validation is None else lambda: accuracy(network, validation, mean, std),
    )


def settings_record(settings: Learning) -> dict[str, Any]:
    """The settings as `step_record` takes them."""
    return {"settings": {name: str(value) if isinstance(value, Path) else value
                         for name, value in asdict(settings).items()}}  # fmt: skip


def class_weights(pictures: PictureTensors, settings: Learning) -> Tensor | None:
    """What each class counts, float32 (classes,); None: all alike."""
    if not settings.balanced:
        return None
    counts = class_counts(pictures).float()
    return counts.sum() / (len(counts) * counts)


def picture_facts(
    network: Network,
    pictures: PictureTensors,
    validation: PictureTensors | None,
    mean: Sequence[float],
    std: Sequence[float],
) -> dict[str, Any]:
    """What a network learnt from and how well it does, as `step_record` takes it."""
    facts: dict[str, Any] = {"pictures": {"count": len(pictures), "sha256": pictures.digest()}}
    if validation is not None:
        facts["validation"] = {
            "count": len(validation),
            "sha256": validation.digest(),
            "accuracy": round(accuracy(network, validation, mean, std), 4),
        }
    return facts

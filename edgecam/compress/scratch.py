"""A classifier taught from nothing but labelled pictures."""

from __future__ import annotations

from dataclasses import dataclass

from edgecam.compress.checkpoint import Checkpoint, step_record
from edgecam.compress.design import Design
from edgecam.compress.held_out import check_classes
from edgecam.compress.learning import Learning, learn, picture_facts, settings_record
from edgecam.compress.network import build
from edgecam.compress.tensors import PictureTensors
from edgecam.compress.training import Told
from edgecam.errors import UsageError

PLAIN_MEAN = (127.0, 127.0, 127.0)
PLAIN_STD = (128.0, 128.0, 128.0)
"""With these an int8 input is the pixel with its highest bit turned: the cheapest there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings(Learning):
    """How a network learns from nothing."""

    epochs: int = 30
    learning_rate: float = 3e-3
    """Three times what trained networks take: those have more to lose."""


def train(
    design: Design,
    pictures: PictureTensors,
    settings: Learning,
    *,
    seed: int,
    licence: str,
    source: str,
    validation: PictureTensors | None = None,
    told: Told | None = None,
) -> Checkpoint:
    """Teach a network from scratch; arguments and errors as `transfer`, and whose weights they will be.

    Args:
        design: the network; its side and classes are the pictures'.
        pictures: at least two of each class.
        settings: how.
        seed: of the first weights, the order and the augmentation.
        licence: SPDX, of the weights.
        source: where they come from, for the model card.
        validation: other pictures, to tell the accuracy on.
        told: hears how it goes.
    """
    check_classes(pictures)
    if (design.side_px, design.classes) != (pictures.side_px, len(pictures.labels)):
        raise UsageError(
            f"the network is for {design.classes} classes at {design.side_px} px, the pictures have "
            f"{len(pictures.labels)} at {pictures.side_px} px; make them agree"
        )
    fresh = untrained(design, pictures.labels, seed=seed, licence=licence, source=source)
    network = fresh.network()
    learn(
        network,
        pictures,
        settings,
        seed=seed,
        mean=PLAIN_MEAN,
        std=PLAIN_STD,
        validation=validation,
        told=told,
    )
    facts = picture_facts(network, pictures, validation, PLAIN_MEAN, PLAIN_STD)
    return fresh.then(network, step_record("train", **settings_record(settings), seed=seed, **facts))


def untrained(design: Design, labels: tuple[str, ...], *, seed: int, licence: str, source: str) -> Checkpoint:
    """A network that has learnt nothing yet, as a student to be taught; arguments as `train`."""
    state = build(design, seed=seed).state_dict()
    return Checkpoint(design, state, labels, PLAIN_MEAN, PLAIN_STD, licence, source)

"""Quantization-aware training: the network learns with the roundings of int8 in it.

Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference". For what a network loses when it is quantized as it is, most of all a small or a pruned one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import torch

from edgecam.compress.calibration import input_range
from edgecam.compress.checkpoint import Checkpoint, step_record
from edgecam.compress.fake_network import FakeQuantized
from edgecam.compress.learning import Learning, learn, picture_facts, settings_record
from edgecam.compress.tensor_ranges import Activation
from edgecam.compress.tensors import Batches, PictureTensors
from edgecam.compress.training import Told, accuracy
from edgecam.errors import UsageError

_FIRST_BATCHES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class QatSettings(Learning):
    """How a network learns to be int8."""

    epochs: int = 3
    learning_rate: float = 1e-4
    """A tenth of what it learnt with: it is to settle, not to move."""
    momentum: float = 0.95
    """How much of an activation's range stays with each batch, 0 to 1."""
    watched_share: float = 0.7
    """Of all steps of learning; in the rest the ranges stand still and only the weights go on."""


def train_quantized(
    checkpoint: Checkpoint,
    pictures: PictureTensors,
    settings: QatSettings,
    *,
    seed: int,
    validation: PictureTensors | None = None,
    told: Told | None = None,
) -> tuple[Checkpoint, tuple[Activation, ...]]:
    """Teach a network to be int8.

    The same seed gives the same weights and ranges on the same machine with the same number of threads.

    Args:
        checkpoint: the network.
        pictures: what it learnt from.
        settings: how.
        seed: of the order and the augmentation.
        validation: other pictures, to tell the accuracy on, as int8.
        told: hears how it goes.

    Returns:
        The network, in float, and its activations' ranges: `tensor_ranges` puts them on the tensors of its
        export, and `quantization.quantize(ranges=…)` takes them from there.

    Raises:
        UsageError: a setting that makes no sense.
        EdgecamError: learning went astray.
    """
    if not (0 <= settings.momentum < 1 and 0 <= settings.watched_share <= 1 and settings.epochs >= 1):
        raise UsageError(
            f"expected a momentum from 0 to below 1, a watched share from 0 to 1 and at least one epoch, got "
            f"{settings.momentum:g}, {settings.watched_share:g} and {settings.epochs}"
        )
    network = checkpoint.network()
    mean, std = checkpoint.mean, checkpoint.std
    limits = input_range(checkpoint.input_card())
    fake = FakeQuantized(network, input_range=limits, momentum=settings.momentum)
    batches = Batches(pictures, mean=mean, std=std, size=settings.batch, seed=seed)
    _span(fake, batches)
    before = None if validation is None else accuracy(fake, validation, mean, std)
    _freeze_after(fake, round(settings.watched_share * settings.epochs * len(batches)))
    learn(fake, pictures, settings, seed=seed, mean=mean, std=std, validation=validation, told=told)
    fake.set_state(watching=False, rounding=True)
    facts = picture_facts(fake, pictures, validation, mean, std)
    if before is not None:
        facts["accuracy_before"] = round(before, 4)
    step = step_record("qat", **settings_record(settings), seed=seed, input_range=limits, **facts)
    return checkpoint.then(network, step), fake.activations()


def _span(fake: FakeQuantized, batches: Batches) -> None:
    """Look at some pictures before anything is rounded, so that ranges begin where they belong."""
    fake.set_state(watching=True, rounding=False)
    fake.train()
    with torch.no_grad():
        for batch in islice(batches.epoch(0), _FIRST_BATCHES):
            fake(batch.inputs)
    fake.set_state(watching=True, rounding=True)


def _freeze_after(fake: FakeQuantized, steps: int) -> None:
    """Let the ranges stand still after so many steps of learning."""
    done = 0

    def count(network: FakeQuantized, _inputs: object) -> None:
        nonlocal done
        if not network.training:
            return
        if done == steps:
            network.set_state(watching=False, rounding=True)
        done += 1

    fake.register_forward_pre_hook(count)

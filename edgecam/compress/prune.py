"""Structured pruning: whole channels go, in rounds with learning between, to a target of work or of time.

What is left is a smaller `Design`: it needs no special kernels, and runs faster everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

import torch

from edgecam.compress.channels import Importance, narrowed
from edgecam.compress.checkpoint import Checkpoint, step_record
from edgecam.compress.design import COLOURS
from edgecam.compress.latency_search import LatencySearch
from edgecam.compress.latency_target import Device, ThisMachine
from edgecam.compress.learning import Learning, learn, picture_facts, settings_record
from edgecam.compress.network import Network, design_of
from edgecam.compress.tensors import Batches, PictureTensors
from edgecam.compress.training import Progress, Told, smoothed_cross_entropy
from edgecam.errors import UsageError

_LAST_LAYER = "linear"
_GRADIENT_BATCHES = 8
# Between the seeds of one run's rounds and those of the next seed's.
_ROUNDS_APART = 1009


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneSettings(Learning):
    """How a network is made narrower; one of `macs` and `ms` is the target."""

    macs: float | None = None
    """Multiply-accumulates that may be left: up to 1 a share of those before, above that their number."""
    ms: float | None = None
    """Milliseconds that one inference may take."""
    int8: bool = True
    """Time is that of the network as int8; False: in float."""
    rounds: int = 3
    """In how many rounds; the work shrinks by the same factor in each."""
    epochs: int = 12
    """In all rounds together: half of them after the last."""
    importance: Importance = Importance.TAYLOR
    """What a channel is worth: more accuracy stays if the loss says so than if the weights do."""
    round_to: int = 8
    """Layers keep a multiple of so many channels, as kernels like it."""
    least_share: float = 0.25
    """Of a layer's channels, which stays in each round whatever they are worth."""


def prune(
    checkpoint: Checkpoint,
    pictures: PictureTensors,
    settings: PruneSettings,
    *,
    seed: int,
    device: Device | None = None,
    validation: PictureTensors | None = None,
    told: Told | None = None,
) -> Checkpoint:
    """Make a network narrower.

    With a target of work, the same seed gives the same network on the same machine with the same number of
    threads; with one of time, as far as the times that are measured give the same widths.

    Args:
        checkpoint: the network.
        pictures: what it learnt from.
        settings: how.
        seed: of the order and the augmentation.
        device: where time is measured; None: on this machine.
        validation: other pictures, to tell the accuracy on.
        told: hears how it goes.

    Raises:
        UsageError: a setting that makes no sense.
        UnusableError: the device cannot be measured on.
        EdgecamError: the target is out of reach, or learning went astray.
    """
    _check(settings)
    network, narrow = checkpoint.network(), _narrower(settings)
    whole = network
    before = target = design_of(whole).macs
    search = None
    _take_gradients(network, checkpoint, pictures, settings)
    if settings.ms is not None:
        search = LatencySearch(settings.ms, device or ThisMachine(), narrow, int8=settings.int8)
        target = search.work_within(whole)
    elif settings.macs is not None:
        target = round(settings.macs * before if settings.macs <= 1 else settings.macs)
    rounds = []
    for number, epochs in enumerate(epochs_of_rounds(settings.epochs, settings.rounds), start=1):
        if number > 1:
            _take_gradients(network, checkpoint, pictures, settings)
        if search is not None and number == settings.rounds:
            network = search.widest_within(network, target, whole=whole)
        else:
            network = narrow(network, round(before * (target / before) ** (number / settings.rounds)))
        rounds.append({"macs": design_of(network).macs, "epochs": epochs})
        learn(
            network,
            pictures,
            replace(settings, epochs=epochs),
            seed=seed * _ROUNDS_APART + number,
            mean=checkpoint.mean,
            std=checkpoint.std,
            validation=validation,
            told=told and _heard_of_round(told, number, settings.rounds),
        )
    facts = picture_facts(network, pictures, validation, checkpoint.mean, checkpoint.std)
    if search is not None:
        facts["measured"] = [{"macs": macs, "ms": round(ms, 4)} for macs, ms in search.measured]
    record = step_record(
        "prune", **settings_record(settings), seed=seed, macs_before=before, rounds=rounds, **facts
    )
    return checkpoint.then(network, record)


def epochs_of_rounds(epochs: int, rounds: int) -> list[int]:
    """How many epochs each round has: half of them the last, the others as many as each other."""
    if rounds == 1:
        return [epochs]
    each = epochs // 2 // (rounds - 1)
    return [*[each] * (rounds - 1), epochs - each * (rounds - 1)]


def _check(settings: PruneSettings) -> None:
    if (settings.macs is None) == (settings.ms is None):
        raise UsageError("pruning needs one target: macs or ms")
    if (settings.macs or settings.ms or 0) <= 0:
        raise UsageError(f"expected a target above 0, got {settings.macs or settings.ms}")
    if settings.rounds < 1 or settings.round_to < 1 or not 0 < settings.least_share <= 1:
        raise UsageError(
            "expected at least 1 round, multiples of at least 1 channel and a least share above 0, up to 1; "
            f"got {settings.rounds}, {settings.round_to} and {settings.least_share:g}"
        )


def _narrower(settings: PruneSettings) -> Callable[[Network, int], Network]:
    def narrow(network: Network, macs: int) -> Network:
        side_px = network.design.side_px
        narrower: Network = narrowed(
            network,
            macs,
            last=_LAST_LAYER,
            sample=torch.zeros(1, COLOURS, side_px, side_px),
            count=lambda candidate: design_of(candidate).macs,
            importance=settings.importance,
            round_to=settings.round_to,
            least_share=settings.least_share,
        )
        return narrower

    return narrow


def _take_gradients(
    network: Network, checkpoint: Checkpoint, pictures: PictureTensors, settings: PruneSettings
) -> None:
    """Of the loss over some pictures, at the weights as they are, if channels are worth what that says."""
    if settings.importance is not Importance.TAYLOR:
        return
    batches = Batches(pictures, mean=checkpoint.mean, std=checkpoint.std, size=settings.batch)
    loss = smoothed_cross_entropy(settings.label_smoothing)
    network.eval()
    network.zero_grad(set_to_none=True)
    for batch in islice(batches.epoch(0), _GRADIENT_BATCHES):
        loss(network(batch.inputs), batch).backward()


def _heard_of_round(told: Told, number: int, rounds: int) -> Told:
    """Tells a round's progress as that of all."""

    def heard(progress: Progress) -> None:
        done = (number - 1 + progress.done) / rounds
        told(replace(progress, done=done, stage=f"round {number} of {rounds}"))

    return heard

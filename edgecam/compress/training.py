"""The loop that all learning goes through: AdamW, a warm-up, then a cosine down to nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - the name that everyone gives it
from torch import Tensor, nn

from edgecam.compress.heap import keep_freed_memory
from edgecam.compress.tensors import UNLABELLED, Batch, PictureTensors, as_float, normalised
from edgecam.errors import EdgecamError

Loss = Callable[[Tensor, Batch], Tensor]
"""Of logits (n, classes) and the batch that they are of, the value to make small."""
WEIGHT_DECAY = 0.01
_WARM_UP_SHARE = 0.1
_BATCH_PICTURES = 128


@dataclass(frozen=True, slots=True)
class Progress:
    """How far learning has come; told after each batch."""

    done: float
    """0 to 1."""
    epoch: int
    """Counted from 1; 0: nothing is learnt yet."""
    epochs: int
    loss: float
    """The mean over this epoch so far."""
    accuracy: float
    """The share of this epoch's labelled pictures so far that were told rightly, as augmented."""
    checked: float | None = None
    """The share of the pictures kept for checking that are told rightly; only at an epoch's end."""
    stage: str = "learning"
    """What this is a part of."""


Told = Callable[[Progress], None]


class Source(Protocol):
    """Where batches come from: `tensors.Batches`, or another that has them."""

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of one epoch, counted from 0."""
        ...


def fit(
    network: nn.Module,
    batches: Source,
    *,
    epochs: int,
    learning_rate: float,
    loss: Loss | None = None,
    told: Told | None = None,
    check: Callable[[], float] | None = None,
) -> None:
    """Teach a network; what does not require gradients stays as it is, its normalisation's statistics too.

    The same network, batches and number of threads give the same weights on the same machine.

    Args:
        network: from (n, 3, side, side) to logits; changed, and left in evaluation mode.
        batches: what it learns from.
        epochs: how often it sees each picture.
        learning_rate: the highest, after the warm-up.
        loss: None: the cross entropy with labels smoothed by 0.1.
        told: hears how it goes.
        check: gives the accuracy on other pictures, at the end of each epoch.

    Raises:
        EdgecamError: the loss is no number any more.
    """
    keep_freed_memory()
    steps = epochs * len(batches)
    optimizer, schedule = _optimizer(network, learning_rate, steps)
    loss = loss or smoothed_cross_entropy()
    for epoch in range(epochs):
        _set_training(network)
        tally = _Tally()
        for number, batch in enumerate(batches.epoch(epoch), start=1):
            logits = network(batch.inputs)
            value = loss(logits, batch)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            schedule.step()
            tally.add(float(value.detach()), logits.detach(), batch)
            is_last = number == len(batches)
            checked = None
            if is_last:
                network.eval()
                checked = check() if check is not None else None
            if told is not None:
                done = (epoch * len(batches) + number) / steps
                told(Progress(done, epoch + 1, epochs, tally.loss, tally.accuracy, checked))
        if not math.isfinite(tally.loss):
            raise EdgecamError(
                f"learning went astray in epoch {epoch + 1} of {epochs}: the loss is {tally.loss}; "
                f"give a learning rate below {learning_rate:g}"
            )
    network.eval()


def smoothed_cross_entropy(smoothing: float = 0.1, weights: Tensor | None = None) -> Loss:
    """Cross entropy against smoothed labels; unlabelled pictures do not count.

    Args:
        smoothing: the share of a label that is spread over all classes (Szegedy et al. 2016).
        weights: (classes,), of each class; None: all count alike.
    """

    def loss(logits: Tensor, batch: Batch) -> Tensor:
        if not bool((batch.truth != UNLABELLED).any()):
            return logits.sum() * 0
        return F.cross_entropy(
            logits, batch.truth, weight=weights, ignore_index=UNLABELLED, label_smoothing=smoothing
        )

    return loss


def logits_of(
    network: nn.Module, pictures: PictureTensors, mean: Sequence[float], std: Sequence[float]
) -> Tensor:
    """What the network says of each picture, (pictures, classes) float32; it is left in evaluation mode."""
    network.eval()
    with torch.no_grad():
        parts = [
            network(normalised(as_float(pixels), mean, std))
            for pixels in pictures.pixels.split(_BATCH_PICTURES)
        ]
    return torch.cat(parts)


def accuracy(
    network: nn.Module, pictures: PictureTensors, mean: Sequence[float], std: Sequence[float]
) -> float:
    """The share of labelled pictures that the network tells rightly, 0 to 1."""
    right = logits_of(network, pictures, mean, std).argmax(1) == pictures.truth
    return float(right[pictures.truth != UNLABELLED].float().mean())


class _Tally:
    """The means of an epoch so far."""

    def __init__(self) -> None:
        self._loss, self._batches, self._right, self._labelled = 0.0, 0, 0, 0

    def add(self, loss: float, logits: Tensor, batch: Batch) -> None:
        """Count one batch."""
        self._loss += loss
        self._batches += 1
        self._right += int((logits.argmax(1) == batch.truth).sum())
        self._labelled += int((batch.truth != UNLABELLED).sum())

    @property
    def loss(self) -> float:
        """The mean over batches."""
        return self._loss / self._batches

    @property
    def accuracy(self) -> float:
        """The share of the labelled pictures, 0 to 1."""
        return self._right / max(self._labelled, 1)


def _optimizer(
    network: nn.Module, learning_rate: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    # Biases, and the scales and shifts of normalisation, gain nothing from being small.
    groups = [
        {"params": [p for p in learning if p.dim() > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in learning if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate)
    warm_up = max(1, round(_WARM_UP_SHARE * steps))

    def factor(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _set_training(network: nn.Module) -> None:
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
            module.eval()

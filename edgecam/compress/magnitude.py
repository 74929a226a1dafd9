"""Unstructured pruning: single weights become zero, the smallest first, while the network goes on learning.

Zhu and Gupta 2017, "To prune, or not to prune: exploring the efficacy of pruning for model compression": the
share of zeros grows along a cubic curve, quick at first, while there is much to take. The file is as large
and the network as slow as before, since kernels multiply by zero as by anything: only an archive of it is
smaller. Who wants it faster prunes channels: `edgecam.compress.prune`.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgecam.compress.checkpoint import Checkpoint, step_record
from edgecam.compress.learning import Learning, learn, picture_facts, settings_record
from edgecam.compress.network import Network
from edgecam.compress.tensors import PictureTensors
from edgecam.compress.training import Told
from edgecam.errors import UsageError

WORD = (
    "zeros among the weights make an archive of the model smaller, not the model, and nothing faster; "
    "for that, prune channels"
)
"""What whoever chooses it should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MagnitudeSettings(Learning):
    """How single weights are taken away."""

    sparsity: float = 0.7
    """The share of the weights that are zero in the end, from 0 to below 1."""
    growing_share: float = 0.6
    """Of all steps of learning: in these the zeros become more, in the rest the others make up for them."""
    interval: int = 10
    """Steps of learning from one choice of zeros to the next."""


def prune_weights(
    checkpoint: Checkpoint,
    pictures: PictureTensors,
    settings: MagnitudeSettings,
    *,
    seed: int,
    validation: PictureTensors | None = None,
    told: Told | None = None,
) -> Checkpoint:
    """Make the smallest weights zero.

    The same seed gives the same weights on the same machine with the same number of threads.

    Args:
        checkpoint: the network.
        pictures: what it learnt from.
        settings: how.
        seed: of the order and the augmentation.
        validation: other pictures, to tell the accuracy on.
        told: hears how it goes.

    Raises:
        UsageError: a setting that makes no sense.
        EdgecamError: learning went astray.
    """
    if not (0 <= settings.sparsity < 1 and 0 <= settings.growing_share <= 1 and settings.interval >= 1):
        raise UsageError(
            "expected a sparsity from 0 to below 1, a growing share from 0 to 1 and an interval of 1 or "
            f"more, got {settings.sparsity:g}, {settings.growing_share:g} and {settings.interval}"
        )
    network = checkpoint.network()
    before_bytes = archive_bytes(network)
    steps = settings.epochs * max(1, round(len(pictures) / settings.batch))
    zeros = _Zeros(prunable(network), settings, growing_steps=round(settings.growing_share * steps))
    handle = network.register_forward_pre_hook(zeros.before_step)
    learn(
        network,
        pictures,
        settings,
        seed=seed,
        mean=checkpoint.mean,
        std=checkpoint.std,
        validation=validation,
        told=told,
    )
    handle.remove()
    zeros.choose(settings.sparsity)
    zeros.keep()
    facts = {
        "weights": sum(weight.numel() for weight in zeros.weights),
        "zeros": sum(int((weight == 0).sum()) for weight in zeros.weights),
        "weights_gzip_bytes": [before_bytes, archive_bytes(network)],
        "word": WORD,
        **picture_facts(network, pictures, validation, checkpoint.mean, checkpoint.std),
    }
    return checkpoint.then(network, step_record("magnitude", **settings_record(settings), seed=seed, **facts))


def sparsity_at(step: int, *, growing_steps: int, final: float) -> float:
    """The share of zeros after so many steps: final * (1 - (1 - step / growing_steps)^3)."""
    if step >= growing_steps:
        return final
    return final * (1 - (1 - step / growing_steps) ** 3)


def prunable(network: Network) -> list[nn.Parameter]:
    """The weights that are many: of convolutions across channels and of the last layer, not of the first.

    The first layer and the depthwise ones hold a hundredth of all weights, and need each of them.
    """
    layers = [
        module
        for module in network.modules()
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
    ]
    return [layer.weight for layer in layers if layer is not network.stem.conv]


def archive_bytes(network: Network) -> int:
    """What gzip makes of all its numbers, in bytes."""
    numbers = b"".join(value.numpy().tobytes() for value in network.state_dict().values())
    return len(gzip.compress(numbers, mtime=0))


class _Zeros:
    """Which weights are zero, chosen among all layers together, and kept so while the others learn."""

    def __init__(
        self, weights: list[nn.Parameter], settings: MagnitudeSettings, *, growing_steps: int
    ) -> None:
        self.weights = weights
        self._settings, self._growing_steps = settings, growing_steps
        self._kept: list[Tensor] = [torch.ones_like(weight, dtype=torch.bool) for weight in weights]
        self._step = 0

    def before_step(self, network: nn.Module, _inputs: object) -> None:
        """Before the network computes; counts only while it learns."""
        if network.training:
            last = self._growing_steps
            if self._step == last or (self._step < last and self._step % self._settings.interval == 0):
                self.choose(sparsity_at(self._step, growing_steps=last, final=self._settings.sparsity))
            self._step += 1
        self.keep()

    def choose(self, sparsity: float) -> None:
        """Take the smallest of what is left; those that are zero already stay so."""
        self.keep()
        sizes = torch.cat([weight.detach().abs().flatten() for weight in self.weights])
        count = round(sparsity * len(sizes))
        kept = torch.ones(len(sizes), dtype=torch.bool)
        kept[sizes.argsort(stable=True)[:count]] = False
        parts = kept.split([weight.numel() for weight in self.weights])
        self._kept = [part.view(weight.shape) for part, weight in zip(parts, self.weights, strict=True)]

    def keep(self) -> None:
        """Make zero again what the last step of learning moved."""
        with torch.no_grad():
            for weight, kept in zip(self.weights, self._kept, strict=True):
                weight.mul_(kept)

"""From labelled pictures to a trained classifier, on a backbone that others trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from edgecam.compress.architectures import design as design_by_name
from edgecam.compress.backbones import load_backbone
from edgecam.compress.checkpoint import Checkpoint, step_record
from edgecam.compress.held_out import check_classes
from edgecam.compress.learning import Learning, class_weights, learn, picture_facts, settings_record
from edgecam.compress.network import Network
from edgecam.compress.published import PUBLISHED
from edgecam.compress.tensors import Batch, PictureTensors, as_float, chance_of, normalised
from edgecam.compress.training import Progress, Told, fit, smoothed_cross_entropy
from edgecam.errors import UsageError

_HEAD_RATE = 3e-3
_FEATURE_BATCH = 64
# Of a run's time, if there is fine-tuning; the features take most of it.
_FROZEN_SHARE = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSettings(Learning):
    """How a backbone is taught other classes."""

    backbone: str = "efficientnet_lite0"
    """A key of `published.PUBLISHED`."""
    weights: Path | None = None
    """Their file; None: that of the installed package."""
    frozen_epochs: int = 15
    """Epochs in which only the last layer learns, on features that are worked out once: they are quick."""
    last_blocks: int | None = None
    """How many of the last blocks are fine-tuned, with the head; None: the whole network."""


def transfer(
    pictures: PictureTensors,
    settings: TransferSettings,
    *,
    seed: int,
    validation: PictureTensors | None = None,
    told: Told | None = None,
) -> Checkpoint:
    """Teach a published network the classes of these pictures: its last layer first, then all of it.

    The same seed gives the same weights on the same machine with the same number of threads.

    Args:
        pictures: at least two of each class; their size is the network's.
        settings: how.
        seed: of the new layer, the order and the augmentation.
        validation: other pictures, to tell the accuracy on; `held_out.split` keeps some of one folder.
        told: hears how it goes.

    Raises:
        SourceError: a class has too few pictures.
        UsageError: no such backbone, or a setting that makes no sense.
        UnusableError: the weights are not installed, or are no weights of this backbone.
        EdgecamError: learning went astray.
    """
    check_classes(pictures)
    if settings.backbone not in PUBLISHED:
        raise UsageError(f"there is no backbone {settings.backbone!r}; take {' or '.join(PUBLISHED)}")
    made = design_by_name(settings.backbone, classes=len(pictures.labels), side_px=pictures.side_px)
    backbone = load_backbone(made, weights=settings.weights, seed=seed)
    mean, std = backbone.published.mean, backbone.published.std
    network = backbone.network
    _freeze(network, settings.last_blocks)
    share = _FROZEN_SHARE if settings.epochs else 1.0
    before = told and _part(told, "last layer", 0.0, share)
    _teach_last_layer(network, pictures, settings, seed=seed, mean=mean, std=std, told=before)
    learn(
        network,
        pictures,
        settings,
        seed=seed,
        mean=mean,
        std=std,
        validation=validation,
        told=told and _part(told, "fine-tuning", share, 1.0),
    )
    network.requires_grad_(True)  # noqa: FBT003 - torch's own signature
    checkpoint = Checkpoint(
        made, {}, pictures.labels, mean, std, backbone.licence, f"{backbone.source}; taught other classes"
    )
    facts = {"weights_sha256": backbone.sha256, **picture_facts(network, pictures, validation, mean, std)}
    return checkpoint.then(network, step_record("transfer", **settings_record(settings), seed=seed, **facts))


class _FeatureBatches:
    """Features of pictures, in batches: what the last layer learns from while all else is frozen."""

    def __init__(self, features: Sequence[Tensor], truth: Tensor, *, seed: int) -> None:
        """Args: `features`: one or more views of the same pictures, each (pictures, features)."""
        self._views, self._truth, self._seed = torch.stack([*features]), truth, seed

    def __len__(self) -> int:
        return max(1, round(len(self._truth) / _FEATURE_BATCH))

    def epoch(self, number: int) -> Iterator[Batch]:
        chance = chance_of(self._seed, number)
        order = torch.randperm(len(self._truth), generator=chance)
        views = torch.randint(len(self._views), (len(self._truth),), generator=chance)
        for places in order.tensor_split(len(self)):
            features = self._views[views[places], places]
            yield Batch(features, features, self._truth[places], places)


def _teach_last_layer(
    network: Network,
    pictures: PictureTensors,
    settings: TransferSettings,
    *,
    seed: int,
    mean: Sequence[float],
    std: Sequence[float],
    told: Told | None,
) -> None:
    if settings.frozen_epochs < 1:
        return
    network.eval()
    flips = settings.augmentation is not None and settings.augmentation.flip
    views: list[list[Tensor]] = [[] for _ in range(2 if flips else 1)]
    for done, pixels in enumerate(parts := pictures.pixels.split(_FEATURE_BATCH)):
        inputs = normalised(as_float(pixels), mean, std)
        with torch.no_grad():
            for view, seen in zip(views, (inputs, inputs.flip(3)), strict=False):
                view.append(network.features(seen))
        if told is not None:
            told(Progress((done + 1) / len(parts), 0, settings.frozen_epochs, 0.0, 0.0))
    weights = class_weights(pictures, settings)
    last: nn.Module = network.linear
    fit(
        last,
        _FeatureBatches([torch.cat(view) for view in views], pictures.truth, seed=seed),
        epochs=settings.frozen_epochs,
        learning_rate=_HEAD_RATE,
        loss=smoothed_cross_entropy(settings.label_smoothing, weights),
        told=told and _part(told, "last layer", 1.0, 1.0),
    )


def _freeze(network: Network, last_blocks: int | None) -> None:
    if last_blocks is None:
        return
    if not 0 <= last_blocks <= len(network.blocks):
        raise UsageError(f"expected 0 to {len(network.blocks)} last blocks to fine-tune, got {last_blocks}")
    for part in (network.stem, *network.blocks[: len(network.blocks) - last_blocks]):
        part.requires_grad_(False)  # noqa: FBT003 - torch's own signature


def _part(told: Told, stage: str, begin: float, end: float) -> Told:
    """Tells a part's progress as that of the whole."""

    def heard(progress: Progress) -> None:
        told(replace(progress, done=begin + (end - begin) * progress.done, stage=stage))

    return heard

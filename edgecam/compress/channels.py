"""Which channels of a network go, so that its work shrinks to a target.

torch-pruning's graph says which channels hang together: those of a convolution, its batch normalisation and
the next layer's inputs, those that a depthwise convolution hands on, and all that residual additions tie into
one. Such a group is scored channel by channel; the least of the whole network go first.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import torch
import torch_pruning
from torch import Tensor, nn

from edgecam.errors import EdgecamError

# Thresholds tried: halving so often leaves less than a channel in two thousand.
_HALVINGS = 11


class Importance(StrEnum):
    """What a channel is worth."""

    MAGNITUDE = "magnitude"
    """The L2 norm of all the weights that go with it."""
    BATCH_NORM = "batch_norm"
    """The scale in its batch normalisation."""
    TAYLOR = "taylor"
    """How much the loss would change without it, to first order: weight times gradient."""

    def scorer(self) -> Callable[[Any], Tensor | None]:
        """Of a group of torch-pruning's: (channels,) with a mean of 1; None if it has no weights."""
        tools = torch_pruning.importance
        if self is Importance.BATCH_NORM:
            return tools.BNScaleImportance()  # type: ignore[no-any-return]
        if self is Importance.TAYLOR:
            return tools.GroupTaylorImportance()  # type: ignore[no-any-return]
        return tools.GroupMagnitudeImportance(p=2)  # type: ignore[no-any-return]


def narrowed(
    network: nn.Module,
    macs: int,
    *,
    last: str,
    sample: Tensor,
    count: Callable[[nn.Module], int],
    importance: Importance = Importance.MAGNITUDE,
    round_to: int = 8,
    least_share: float = 0.25,
) -> nn.Module:
    """A copy of the network without its least channels.

    Args:
        network: stays as it is; with gradients if the importance is `taylor`.
        macs: multiply-accumulates that may be left.
        last: the name of the layer whose outputs all stay, since they are the classes.
        sample: an input, float32 [1, 3, side, side].
        count: the multiply-accumulates of a network.
        importance: what a channel is worth.
        round_to: groups keep a multiple of so many channels, as kernels like it.
        least_share: of a group's channels, which stays whatever they are worth.

    Returns:
        The widest of the copies with at most `macs`.

    Raises:
        EdgecamError: so much cannot go at once.
    """

    def candidate(share: float) -> nn.Module:
        return _cut(
            network,
            share,
            last=last,
            sample=sample,
            scorer=importance.scorer(),
            round_to=round_to,
            least_share=least_share,
        )

    best, low, high = candidate(1.0), 0.0, 1.0
    if count(best) > macs:
        raise EdgecamError(
            f"{macs / 1e6:.2f} M MACs cannot be reached in one round: {least_share:.0%} of each layer's "
            f"channels, in steps of {round_to}, are {count(best) / 1e6:.2f} M; take more rounds, a milder "
            "target or a smaller architecture"
        )
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        tried = candidate(middle)
        if count(tried) <= macs:
            best, high = tried, middle
        else:
            low = middle
    return best


def kept_channels(wanted: int, channels: int, *, round_to: int, least_share: float) -> int:
    """How many of a group's channels stay: what is wanted, to the nearest step, but never too few."""
    least = max(round(least_share * channels), 1)
    steps = max((max(wanted, least) + round_to // 2) // round_to, 1)
    return min(steps * round_to, channels)


def _cut(
    network: nn.Module,
    share: float,
    *,
    last: str,
    sample: Tensor,
    scorer: Callable[[Any], Tensor | None],
    round_to: int,
    least_share: float,
) -> nn.Module:
    """A copy without about this share of all channels."""
    smaller = copy.deepcopy(network).eval()
    for own, other in zip(smaller.parameters(), network.parameters(), strict=True):
        own.grad = other.grad
    graph = torch_pruning.DependencyGraph().build_dependency(smaller, sample)
    kept_whole = [smaller.get_submodule(last)]
    groups = list(graph.get_all_groups(ignored_layers=kept_whole))
    scored = [(group, scores) for group in groups if (scores := scorer(group)) is not None]
    ranks = torch.cat([scores for _, scores in scored]).argsort(stable=True).argsort()
    own_ranks = ranks.split([len(scores) for _, scores in scored])
    for (group, _), own in zip(scored, own_ranks, strict=True):
        wanted = int((own >= share * len(ranks)).sum())
        kept = kept_channels(wanted, len(own), round_to=round_to, least_share=least_share)
        gone = own.argsort()[: len(own) - kept].tolist()
        if gone:
            root = group[0].dep
            graph.get_pruning_group(root.target.module, root.handler, gone).prune()
    smaller.zero_grad(set_to_none=True)
    return smaller

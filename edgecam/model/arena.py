"""How much memory the tensors of a network need at once, planned from their lifetimes.

A tensor is alive from the step that makes it to the last step that reads it; those that are never alive
together may lie in the same place. The plan is that of TFLite Micro: the largest first, each at the lowest
place that is free while it lives (Pisarchyk and Lee 2020, "Efficient Memory Management for Deep Neural Net
Inference", call it greedy by size). Weights are not in it: they are read where the file lies.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

from edgecam.model.network import Subgraph

ALIGNMENT_BYTES = 16
"""TFLite Micro's: every tensor begins at a multiple of it. TFLite on Linux takes 64."""
# Each is compared with those before it. The largest networks for the edge have about a thousand.
_MOST_TENSORS = 5000


@dataclass(frozen=True, slots=True)
class Lifetime:
    """One tensor's claim."""

    size_bytes: int
    first: int
    """The step that makes it; -1: it is there before the first step."""
    last: int
    """The last step that needs it, that one included."""


@dataclass(frozen=True, slots=True)
class Arena:
    """What the plan comes to."""

    bytes: int
    """From the arena's beginning to the end of the last tensor in it: tensors alone, none of a runtime's own
    structures and none of the scratch memory that its kernels may want."""
    alignment_bytes: int
    peak_bytes: int
    """The most that is alive in one step: no plan can be smaller."""
    peak_layer: int
    """That step, counted from 0."""


def arena_of(graph: Subgraph) -> Arena | None:
    """The arena of one inference on one picture; None if a tensor's size is unknown, or they are too many."""
    lifetimes = lifetimes_of(graph)
    if lifetimes is None or len(lifetimes) > _MOST_TENSORS:
        return None
    padded = [
        Lifetime(_aligned(claim.size_bytes, ALIGNMENT_BYTES), claim.first, claim.last) for claim in lifetimes
    ]
    offsets = plan(padded)
    ends = (offset + claim.size_bytes for offset, claim in zip(offsets, padded, strict=True))
    peak_layer, peak_bytes = _peak(padded, len(graph.steps))
    return Arena(max(ends, default=0), ALIGNMENT_BYTES, peak_bytes, peak_layer)


def lifetimes_of(graph: Subgraph) -> tuple[Lifetime, ...] | None:
    """The claims of all tensors that are computed, in their own order; None if one's size is unknown.

    A free batch is taken as one picture. Outputs live to the end; so does what no step makes, as a state that
    the network keeps between pictures.
    """
    end = max(len(graph.steps) - 1, 0)
    first = dict.fromkeys(graph.inputs, -1)
    last = dict.fromkeys(graph.inputs, -1)
    for place, step in enumerate(graph.steps):
        for index in step.outputs:
            first.setdefault(index, place)
            last[index] = place
        for index in step.inputs:
            if index not in first:
                first[index], last[index] = -1, end
            last[index] = max(last[index], place)
    last.update(dict.fromkeys(graph.outputs, end))
    claims = []
    for index in sorted(last):
        tensor = graph.tensor(index)
        if tensor is None or tensor.constant_bytes:
            continue
        if tensor.bytes is None or -1 in tensor.signature[1:]:
            return None
        if tensor.bytes:
            claims.append(Lifetime(tensor.bytes, first.get(index, -1), last[index]))
    return tuple(claims)


def plan(claims: Sequence[Lifetime]) -> tuple[int, ...]:
    """Where each claim begins, in bytes.

    The largest go first, of equals the one that stands later. Offsets are aligned if all sizes are.
    """
    order = sorted(range(len(claims)), key=lambda place: (-claims[place].size_bytes, -place))
    offsets = [0] * len(claims)
    # Offset, the turn in which it was placed, claim: in the order of the memory.
    placed: list[tuple[int, int, Lifetime]] = []
    for turn, place in enumerate(order):
        claim, offset = claims[place], 0
        for begin, _, other in placed:
            if other.first > claim.last or claim.first > other.last:
                continue
            if begin - offset >= claim.size_bytes:
                break
            offset = max(offset, begin + other.size_bytes)
        offsets[place] = offset
        insort(placed, (offset, turn, claim))
    return tuple(offsets)


def _peak(claims: Sequence[Lifetime], steps: int) -> tuple[int, int]:
    """The step in which most bytes are alive, the first of equals, and how many those are."""
    changes = [0] * (steps + 2)
    for claim in claims:
        changes[max(claim.first, 0)] += claim.size_bytes
        changes[max(claim.last, 0) + 1] -= claim.size_bytes
    best, best_bytes, alive = 0, 0, 0
    for step, change in enumerate(changes):
        alive += change
        if alive > best_bytes:
            best, best_bytes = step, alive
    return best, best_bytes


def _aligned(size_bytes: int, alignment_bytes: int) -> int:
    return -(-size_bytes // alignment_bytes) * alignment_bytes

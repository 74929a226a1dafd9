"""Which layers a delegate would take, by what its makers publish: a forecast, for nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgecam.model.counts import step_macs
from edgecam.model.network import Operator, Subgraph, Tensor
from edgecam.model.supported import SUPPORTED, Supported


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a delegate would take of a network's main graph."""

    delegate: str
    source: str
    """The list that this goes by."""
    reasons: tuple[str | None, ...]
    """For each layer why it stays on the CPU; None: it is taken."""
    parts: int
    """Into how many pieces of the delegate's the network falls; each costs a change from the CPU and back."""
    taken_macs: int
    """Multiply-accumulates of the layers that are taken."""

    @property
    def taken(self) -> int:
        """How many layers."""
        return sum(reason is None for reason in self.reasons)


def coverage_of(graph: Subgraph, delegate: str) -> Coverage:
    """What `delegate` would take.

    Args:
        graph: of a `.tflite` file.
        delegate: a name in `SUPPORTED`.
    """
    rules = SUPPORTED[delegate]
    unpacked = _unpacked(graph)
    reasons = [_reason(step, unpacked, rules) for step in graph.steps]
    if rules.ends_at_first:
        _end_at_first(reasons)
    if rules.one_part:
        _keep_longest(reasons)
    taken = [step for step, reason in zip(graph.steps, reasons, strict=True) if reason is None]
    macs = sum(step_macs(step, graph) or 0 for step in taken)
    return Coverage(delegate, rules.source, tuple(reasons), len(_runs(reasons)), macs)


def _unpacked(graph: Subgraph) -> Subgraph:
    """The graph with weights that a layer only unpacks, as from float16, as the constants that they are."""
    tensors = list(graph.tensors)
    for step in graph.steps:
        if _unpacks(step, tensors):
            for index in step.outputs:
                tensors[index] = replace(tensors[index], constant_bytes=tensors[index].bytes or 1)
    return replace(graph, tensors=tuple(tensors))


def _unpacks(step: Operator, tensors: Sequence[Tensor]) -> bool:
    known = (*step.inputs, *step.outputs)
    is_sound = len(known) > 1 and all(0 <= index < len(tensors) for index in known)
    return is_sound and step.name == "DEQUANTIZE" and tensors[step.inputs[0]].constant_bytes > 0


def _reason(step: Operator, graph: Subgraph, rules: Supported) -> str | None:
    """Why a layer is not taken; None: it is."""
    if step.custom:
        return None if step.name == rules.custom_op else "an operator of its own kind"
    dtypes = rules.operators.get(step.name)
    if _unpacks(step, graph.tensors) and "float32" in rules.operators.get("CONV_2D", ()):
        return None
    if dtypes is None:
        return "is not in its list"
    inputs = [graph.tensor(index) for index in step.inputs]
    outputs = [tensor for index in step.outputs if (tensor := graph.tensor(index))]
    for tensor in (*inputs, *outputs):
        if (
            tensor is not None
            and not tensor.constant_bytes
            and (fault := _tensor_fault(tensor, rules, dtypes))
        ):
            return fault
    faults = (condition(inputs, outputs) for condition in rules.conditions.get(step.name, ()))
    return next((fault for fault in faults if fault), None)


def _tensor_fault(tensor: Tensor, rules: Supported, dtypes: frozenset[str]) -> str:
    """What a delegate has against a tensor that goes in or comes out."""
    if tensor.dtype not in dtypes:
        return f"{tensor.dtype} tensors"
    if -1 in tensor.signature[1:]:
        return "a free size"
    if len(tensor.shape) > rules.most_axes:
        return f"tensors of {len(tensor.shape)} axes, more than {rules.most_axes}"
    if sum(size > 1 for size in tensor.shape) > rules.most_long_axes:
        return f"tensors with more than {rules.most_long_axes} axes longer than 1"
    if rules.needs_batch_of_one and len(tensor.shape) > 1 and tensor.shape[0] > 1:
        return f"a batch of {tensor.shape[0]}"
    return ""


def _end_at_first(reasons: list[str | None]) -> None:
    """The compiler cuts the network once, before the first layer that it does not take."""
    first = next((place for place, reason in enumerate(reasons) if reason is not None), len(reasons))
    for place in range(first + 1, len(reasons)):
        reasons[place] = reasons[place] or f"stands behind layer {first}"


def _keep_longest(reasons: list[str | None]) -> None:
    runs = _runs(reasons)
    longest = max(runs, key=len, default=range(0))
    for run in runs:
        if run != longest:
            for place in run:
                reasons[place] = "is not in the largest part"


def _runs(reasons: list[str | None]) -> list[range]:
    """The layers that are taken, in pieces of neighbours.

    In the order of the file: branches may make more or fewer pieces of it.
    """
    runs: list[range] = []
    for place, reason in enumerate(reasons):
        if reason is None and runs and runs[-1].stop == place:
            runs[-1] = range(runs[-1].start, place + 1)
        elif reason is None:
            runs.append(range(place, place + 1))
    return runs

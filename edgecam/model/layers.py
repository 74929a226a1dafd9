"""A network layer by layer: what each step makes, stores and costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgecam.model.counts import is_parameter, step_macs
from edgecam.model.network import Operator, Subgraph, Tensor


@dataclass(frozen=True, slots=True)
class Layer:
    """One step of a graph, with its figures."""

    index: int
    """Its place among the steps of its graph, from 0."""
    graph: int
    """0: the one that runs; others are branches and loops of it."""
    operator: str
    custom: bool
    shape: tuple[int, ...]
    """Of its first output; empty for a single value, and where it is not known."""
    dtype: str
    """Of its first output; `unknown` if the file does not say it."""
    weights_dtype: str | None
    """Of its largest parameter; None without parameters."""
    parameters: int
    macs: int | None
    """None: it computes, but the file does not say on how much."""
    weight_bytes: int
    """All constants that it is the first to use, shapes and paddings among them."""
    output_bytes: int | None
    """All its outputs; None if a size is not known."""


def layers_of(subgraphs: Sequence[Subgraph]) -> tuple[Layer, ...]:
    """The layers of all graphs, in the order of the file.

    A constant that several layers share belongs to the first, so that the sums of the columns are those of
    the file: parameters and bytes of all constants that a layer uses.
    """
    return tuple(
        layer for number, graph in enumerate(subgraphs) for layer in _layers_of_graph(graph, number=number)
    )


def _layers_of_graph(graph: Subgraph, *, number: int) -> Iterator[Layer]:
    seen: set[int] = set()
    for index, step in enumerate(graph.steps):
        new = [place for place in dict.fromkeys(step.inputs) if place not in seen]
        seen.update(new)
        constants = [tensor for place in new if (tensor := graph.tensor(place)) and tensor.constant_bytes]
        yield _layer(step, graph, constants, index=index, number=number)


def _layer(step: Operator, graph: Subgraph, constants: list[Tensor], *, index: int, number: int) -> Layer:
    weights = [tensor for tensor in constants if is_parameter(tensor)]
    outputs = [tensor for place in step.outputs if (tensor := graph.tensor(place))]
    sizes = [tensor.bytes for tensor in outputs]
    largest = max(weights, key=lambda tensor: tensor.elements, default=None)
    return Layer(
        index=index,
        graph=number,
        operator=step.name,
        custom=step.custom,
        shape=outputs[0].shape if outputs else (),
        dtype=outputs[0].dtype if outputs else "unknown",
        weights_dtype=None if largest is None else largest.dtype,
        parameters=sum(tensor.elements for tensor in weights),
        macs=step_macs(step, graph),
        weight_bytes=sum(tensor.constant_bytes for tensor in constants),
        output_bytes=None if None in sizes else sum(size or 0 for size in sizes),
    )

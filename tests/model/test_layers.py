"""A network layer by layer."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from edgecam.model.graph import Graph, parse_graph, read_graph
from edgecam.model.layers import layers_of
from edgecam.model.metadata import Metadata
from edgecam.model.network import Operator, Subgraph, Tensor


@pytest.mark.parametrize("external", [False, True])
def test_each_step_has_its_figures(tiny: ModuleType, *, external: bool) -> None:
    """They are those of the step's own tensors, wherever the weights lie."""
    graph = parse_graph(tiny.make(tiny.Tiny(dtype="int8", external=external)), path=Path("net.tflite"))
    dense, softmax = layers_of(graph.subgraphs)
    assert (dense.index, dense.graph, dense.operator, dense.custom) == (0, 0, "FULLY_CONNECTED", False)
    assert (dense.shape, dense.dtype, dense.weights_dtype) == ((1, 4), "int8", "int8")
    assert (dense.parameters, dense.macs) == (4 * 192 + 4, 4 * 192)
    assert (dense.weight_bytes, dense.output_bytes) == (4 * 192 + 4 * 4, 4)
    assert (softmax.operator, softmax.parameters, softmax.macs) == ("SOFTMAX", 0, 0)
    assert (softmax.weights_dtype, softmax.weight_bytes, softmax.output_bytes) == (None, 0, 4)


def test_shared_weights_are_counted_once() -> None:
    """The column adds up to the file's total, and not to more."""
    picture = Tensor("x", (1, 8), (), "float32", (), (), 0, 0)
    weights = Tensor("w", (8, 8), (), "float32", (), (), 0, constant_bytes=256)
    steps = (
        Operator("FULLY_CONNECTED", custom=False, inputs=(0, 1, -1), outputs=(2,)),
        Operator("FULLY_CONNECTED", custom=False, inputs=(2, 1, -1), outputs=(3,)),
    )
    graph = Graph((Subgraph((picture, weights, picture, picture), steps, (0,), (3,)),), 0, Metadata())
    first, second = layers_of(graph.subgraphs)
    assert (first.parameters, second.parameters) == (64, 0)
    assert (first.weight_bytes, second.weight_bytes) == (256, 0)
    assert (first.macs, second.macs) == (64, 64)
    assert graph.parameters == 64


def test_a_step_of_a_damaged_file_has_what_can_be_said() -> None:
    """Without outputs or with indices of nothing, a layer is still a row."""
    steps = (Operator("CONV_2D", custom=False, inputs=(7, -1), outputs=()),)
    (layer,) = layers_of([Subgraph((), steps, (), ())])
    assert (layer.shape, layer.dtype, layer.macs, layer.output_bytes) == ((), "unknown", 0, 0)


@pytest.mark.shared_data
def test_columns_add_up_to_the_totals_of_real_networks(shared_data: Path) -> None:
    """A reader may add up the rows of any part of a network."""
    for path in sorted(shared_data.glob("*/*.tflite")):
        graph = read_graph(path)
        layers = layers_of(graph.subgraphs)
        assert sum(layer.parameters for layer in layers) == graph.parameters
        assert sum(layer.macs or 0 for layer in layers) == graph.macs

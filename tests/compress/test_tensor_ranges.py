"""A range that was learnt in training reaches the very tensor that it was learnt for, or none."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from edgecam.compress.learnt_ranges import NETWORK_FOLDER, RANGES_FILE
from edgecam.compress.learnt_ranges import activations_of as read_activations
from edgecam.compress.tensor_ranges import Activation, ranges_by_tensor
from edgecam.errors import ModelError
from edgecam.model.graph import read_graph

MODEL = Path(__file__).parents[2] / "models" / "efficientnet_lite0_int8" / "model.tflite"
NEW = ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "FULLY_CONNECTED")
INPUT = (-1.0, 1.0)


def activations_of(path: Path) -> list[Activation]:
    """What the network of a file would have learnt; each range is another one."""
    graph = read_graph(path).subgraphs[0]
    steps = [step for step in graph.steps if step.name in NEW]
    return [
        Activation(step.name, graph.tensors[step.outputs[0]].shape[-1], low=-float(place), high=float(place))
        for place, step in enumerate(steps, 1)
    ]


def test_every_computed_tensor_gets_the_range_of_its_step() -> None:
    """Steps that compute are counted in order; those that carry take what they carry."""
    graph = read_graph(MODEL).subgraphs[0]
    found = ranges_by_tensor(MODEL.read_bytes(), INPUT, activations_of(MODEL))
    made = [index for step in graph.steps for index in step.outputs]
    assert set(found) == {graph.tensors[index].name for index in (*graph.inputs, *made)}
    assert found[graph.tensors[graph.inputs[0]].name] == INPUT
    learnt = 0
    for step in graph.steps:
        own = found[graph.tensors[step.outputs[0]].name]
        if step.name in NEW:
            learnt += 1
            assert own == (-learnt, learnt)
        else:
            assert own == found[graph.tensors[step.inputs[0]].name]


def test_another_order_of_steps_is_refused() -> None:
    """Two steps that changed places do not swap their ranges in silence."""
    swapped = activations_of(MODEL)
    swapped[0], swapped[1] = swapped[1], swapped[0]
    with pytest.raises(ModelError, match="the export has CONV_2D with 32 channels where the network has"):
        ranges_by_tensor(MODEL.read_bytes(), INPUT, swapped)


def test_another_width_is_refused() -> None:
    """The ranges of a network that was pruned since fit no longer."""
    narrower = activations_of(MODEL)
    narrower[4] = replace(narrower[4], channels=8)
    with pytest.raises(ModelError, match=re.escape("channels=8")):
        ranges_by_tensor(MODEL.read_bytes(), INPUT, narrower)


@pytest.mark.parametrize("keep", [slice(None, -1), slice(None, 3)])
def test_a_step_without_a_range_is_refused(keep: slice) -> None:
    """No tensor is left to be guessed."""
    with pytest.raises(ModelError, match="nothing more"):
        ranges_by_tensor(MODEL.read_bytes(), INPUT, activations_of(MODEL)[keep])


def test_a_range_without_a_step_is_refused() -> None:
    """The network has more steps than the file: it is not the file's network."""
    more = [*activations_of(MODEL), Activation("ADD", 16, 0.0, 1.0)]
    with pytest.raises(ModelError, match="lacks 1 steps"):
        ranges_by_tensor(MODEL.read_bytes(), INPUT, more)


@pytest.mark.parametrize(
    "low", ["NaN", "-Infinity", '"a"', "null", "2", "0.5", "1" + 400 * "0", 99_999 * "["]
)
def test_what_is_no_range_is_refused_where_it_is_read(tmp_path: Path, low: str) -> None:
    """The file is beside the model, and may have come with it: its fault is told by its name."""
    (tmp_path / NETWORK_FOLDER).mkdir()
    file = tmp_path / NETWORK_FOLDER / RANGES_FILE
    file.write_text(f'[{{"operator": "CONV_2D", "channels": 8, "low": {low}, "high": 1.5}}]')
    with pytest.raises(ModelError, match=r"ranges\.json: cannot be read .*do the step qat again"):
        read_activations(tmp_path)
    file.write_text('[{"operator": "CONV_2D", "channels": 8, "low": -1, "high": 1.5}]')
    assert read_activations(tmp_path) == (Activation("CONV_2D", 8, -1.0, 1.5),)

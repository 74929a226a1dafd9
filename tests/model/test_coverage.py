"""Which layers a delegate would take: the published lists, and what LiteRT's own delegate really takes."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edgecam.config.shipped import shipped_folder
from edgecam.inference.delegates import DELEGATES
from edgecam.model.counts import step_macs
from edgecam.model.coverage import coverage_of
from edgecam.model.graph import read_graph
from edgecam.model.network import Operator, Subgraph, Tensor
from edgecam.model.supported import SUPPORTED


def tensor(
    *shape: int, dtype: str = "int8", constant: bool = False, scales: tuple[float, ...] = (0.1,)
) -> Tensor:
    """One of a network."""
    return Tensor("t", shape, (), dtype, scales, (0,) * len(scales), 0, constant_bytes=4 if constant else 0)


PICTURE = tensor(1, 8, 8, 4)
FILTER = tensor(4, 3, 3, 4, constant=True)
BIAS = tensor(4, dtype="int32", constant=True)


def chain(*names: str, dtype: str = "int8") -> Subgraph:
    """A network of layers that each take what the last one made."""
    picture = tensor(1, 8, 8, 4, dtype=dtype)
    steps = tuple(Operator(name, False, (place,), (place + 1,)) for place, name in enumerate(names))  # noqa: FBT003
    return Subgraph((picture,) * (len(names) + 1), steps, (0,), (len(names),))


def layer(name: str, inputs: list[Tensor], output: Tensor) -> Subgraph:
    """A network of one layer."""
    step = Operator(name, custom=False, inputs=tuple(range(len(inputs))), outputs=(len(inputs),))
    return Subgraph((*inputs, output), (step,), (0,), (len(inputs),))


def reasons(graph: Subgraph, delegate: str) -> list[str | None]:
    """Why each layer stays on the CPU."""
    return list(coverage_of(graph, delegate).reasons)


def test_lists_are_those_of_presets() -> None:
    """A list that no preset has could not be asked for; XNNPACK needs none, it is in the runtime."""
    assert set(SUPPORTED) <= {"xnnpack", *(delegate.name for delegate in DELEGATES)}


@pytest.mark.parametrize("delegate", [preset for preset in DELEGATES if preset.name in SUPPORTED])
def test_a_preset_and_its_list_agree(delegate: Any) -> None:
    """What the preset says that it runs, and the operator of its compiler, are in its list."""
    rules = SUPPORTED[delegate.name]
    assert set(delegate.dtypes) <= set(rules.operators["CONV_2D"])
    assert rules.custom_op == delegate.custom_op


@pytest.mark.parametrize("name", SUPPORTED)
def test_every_listed_operator_exists(name: str) -> None:
    """A typing error in a list would never match."""
    import tflite

    known = {key for key in vars(tflite.BuiltinOperator) if key.isupper()}
    assert set(SUPPORTED[name].operators) <= known
    assert set(SUPPORTED[name].conditions) <= set(SUPPORTED[name].operators)


def test_the_edge_tpu_stops_at_the_first_layer_that_it_does_not_take() -> None:
    """Its compiler cuts the network once; what it could take behind the cut is not taken."""
    coverage = coverage_of(chain("RELU", "RELU", "GATHER", "RELU"), "coral")
    assert coverage.reasons == (None, None, "is not in its list", "stands behind layer 2")
    assert (coverage.taken, coverage.parts) == (2, 1)


def test_others_take_what_they_can_in_several_parts() -> None:
    """Each part costs a change to the accelerator and back."""
    coverage = coverage_of(chain("RELU", "GATHER", "RELU", "RELU"), "hexagon")
    assert coverage.reasons == (None, "is not in its list", None, None)
    assert (coverage.taken, coverage.parts) == (3, 2)


def test_the_gpu_takes_the_largest_part_alone() -> None:
    """So its delegate does unless it is told otherwise."""
    coverage = coverage_of(chain("RELU", "GATHER", "RELU", "RELU", dtype="float32"), "gpu")
    assert coverage.reasons == ("is not in the largest part", "is not in its list", None, None)
    assert coverage.parts == 1


@pytest.mark.parametrize(
    ("delegate", "graph", "reason"),
    [
        ("coral", chain("RELU", dtype="float32"), "float32 tensors"),
        ("gpu", chain("RELU"), "int8 tensors"),
        ("coral", layer("RELU", [tensor(2, 3, 4, 5)], tensor(2, 3, 4, 5)), "more than 3 axes longer than 1"),
        ("ethosu", layer("RELU", [tensor(2, 8, 8, 4)], tensor(2, 8, 8, 4)), "a batch of 2"),
        ("hexagon", layer("RELU", [tensor(1, 1, 8, 8, 4)], tensor(1, 1, 8, 8, 4)), "5 axes, more than 4"),
        ("coral", layer("SOFTMAX", [tensor(1, 20_000)], tensor(1, 20_000)), "20000 values, more than 16000"),
        ("coral", layer("SOFTMAX", [tensor(4, 5)], tensor(4, 5)), "more than one row"),
        ("xnnpack", layer("CONV_2D", [PICTURE, FILTER], PICTURE), "without a bias"),
        ("xnnpack", layer("CONV_2D", [PICTURE, PICTURE, BIAS], PICTURE), "weights that are computed"),
        ("xnnpack", layer("QUANTIZE", [tensor(4, dtype="uint8")], tensor(4)), "between int8 and uint8"),
        (
            "xnnpack",
            layer("DEPTHWISE_CONV_2D", [tensor(1, 8, 8, 4, dtype="float32"), FILTER, BIAS], PICTURE),
            "float32 with int8 weights",
        ),
        (
            "teflon",
            layer("CONV_2D", [PICTURE, tensor(4, 3, 3, 4, constant=True, scales=(0.1, 0.2)), BIAS], PICTURE),
            "weights with a scale for each channel",
        ),
        (
            "ethosu",
            layer("FULLY_CONNECTED", [tensor(1, 4), tensor(4, 4, constant=True), BIAS], tensor(1, 1, 4)),
            "an output without two axes",
        ),
        ("ethosu", layer("MEAN", [tensor(1, 300, 300, 4)], tensor(1, 4)), "90000 pixels, more than 65536"),
        (
            "ethosu",
            layer("CONV_2D", [PICTURE, tensor(4, 3, 3, 4, dtype="int16", constant=True), BIAS], PICTURE),
            "int16 weights",
        ),
        (
            "hexagon",
            layer("DEPTHWISE_CONV_2D", [PICTURE, tensor(1, 5, 5, 4, constant=True), BIAS], PICTURE),
            "a filter 5 pixels wide, not 3",
        ),
        (
            "hexagon",
            layer(
                "DEPTHWISE_CONV_2D", [PICTURE, tensor(1, 3, 3, 8, constant=True), BIAS], tensor(1, 8, 8, 8)
            ),
            "several channels made of each",
        ),
    ],
)
def test_a_condition_that_is_not_met_is_the_reason(delegate: str, graph: Subgraph, reason: str) -> None:
    """Each makes one layer stay that the list names."""
    (found,) = reasons(graph, delegate)
    assert found is not None
    assert reason in found


@pytest.mark.parametrize("delegate", SUPPORTED)
def test_a_plain_convolution_suits_whoever_takes_its_dtype(delegate: str) -> None:
    """No condition is so strict that nothing meets it."""
    dtype = "int8" if "int8" in SUPPORTED[delegate].operators["CONV_2D"] else "float32"
    picture = tensor(1, 8, 8, 4, dtype=dtype)
    weights = tensor(4, 3, 3, 4, dtype=dtype, constant=True)
    assert reasons(layer("CONV_2D", [picture, weights, BIAS], picture), delegate) == [None]


@pytest.mark.parametrize("delegate", SUPPORTED)
def test_layers_of_a_damaged_file_have_a_verdict(delegate: str) -> None:
    """Indices of nothing, no inputs, no outputs: a row is a row."""
    names = sorted(SUPPORTED[delegate].operators)
    steps = tuple(
        Operator(name, custom=False, inputs=inputs, outputs=outputs)
        for name in names
        for inputs in ((), (-1,), (0, 99), (0, 0, 0))
        for outputs in ((), (99,), (0,))
    )
    graph = Subgraph((tensor(),), steps, (0,), (0,))
    assert len(coverage_of(graph, delegate).reasons) == len(steps)


def test_a_file_of_its_compiler_is_taken_by_that_delegate_alone(tiny: ModuleType, tmp_path: Path) -> None:
    """The compiled operator stands for all that it took."""
    path = tmp_path / "model_edgetpu.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(custom_op="edgetpu-custom-op")))
    graph = read_graph(path).subgraphs[0]
    assert reasons(graph, "coral") == [None]
    assert reasons(graph, "xnnpack") == ["an operator of its own kind"]


def test_unpacked_weights_are_constants() -> None:
    """A float16 file has a layer that unpacks each constant; a delegate takes both or neither."""
    tensors = (
        tensor(1, 8, 8, 4, dtype="float32"),
        tensor(4, 3, 3, 4, dtype="float16", constant=True),
        tensor(4, 3, 3, 4, dtype="float32"),
        tensor(4, dtype="float32", constant=True),
        tensor(1, 8, 8, 4, dtype="float32"),
    )
    steps = (
        Operator("DEQUANTIZE", custom=False, inputs=(1,), outputs=(2,)),
        Operator("CONV_2D", custom=False, inputs=(0, 2, 3), outputs=(4,)),
    )
    graph = Subgraph(tensors, steps, (0,), (4,))
    assert reasons(graph, "xnnpack") == reasons(graph, "gpu") == [None, None]
    assert None not in reasons(graph, "coral")


def taken_by_litert(path: Path) -> tuple[set[int], int]:
    """The layers that LiteRT's own delegate replaced, found by going back from its outputs to its inputs."""
    module = pytest.importorskip("ai_edge_litert.interpreter", reason="only LiteRT's XNNPACK is of its list")
    interpreter: Any = module.Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    # No public call tells what became of the layers.
    found = interpreter._get_ops_details()
    layers = [step for step in found if step["op_name"] != "DELEGATE"]
    parts = [step for step in found if step["op_name"] == "DELEGATE"]
    maker = {int(index): place for place, step in enumerate(layers) for index in step["outputs"]}
    taken: set[int] = set()
    for part in parts:
        ends = {int(index) for index in part["inputs"]}
        wanted = [int(index) for index in part["outputs"]]
        while wanted:
            index = wanted.pop()
            if index in maker and index not in ends and maker[index] not in taken:
                taken.add(maker[index])
                wanted.extend(int(before) for before in layers[maker[index]]["inputs"])
    return taken, len(parts)


def check_forecast(path: Path) -> None:
    """What is forecast is taken; a later runtime may take more, but nothing that computes."""
    graph = read_graph(path).subgraphs[0]
    coverage = coverage_of(graph, "xnnpack")
    forecast = {place for place, reason in enumerate(coverage.reasons) if reason is None}
    taken, parts = taken_by_litert(path)
    assert forecast <= taken
    assert parts <= coverage.parts
    assert not [graph.steps[place].name for place in taken - forecast if step_macs(graph.steps[place], graph)]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
def test_litert_takes_what_is_forecast_of_xnnpack(tiny: ModuleType, tmp_path: Path, dtype: str) -> None:
    """The list is compared with the delegate that is at hand everywhere."""
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(dtype=dtype)))
    check_forecast(path)


def test_litert_takes_what_is_forecast_of_the_shipped_models() -> None:
    """Convolutions, additions and the pooling in bytes that XNNPACK has not."""
    files = sorted((shipped_folder() / "models").glob("*/model.tflite"))
    assert files
    for path in files:
        check_forecast(path)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "file",
    [
        "models/mobilenet_v1_0.25_128_quant.tflite",
        "models/tf2_mobilenet_v2_1.0_224_ptq.tflite",
        "tinyml/pretrainedResnet_quant.tflite",
    ],
)
def test_litert_takes_what_is_forecast_of_published_models(shared_data: Path, file: str) -> None:
    """Their converters are others than ours."""
    check_forecast(shared_data / file)


@pytest.mark.shared_data
def test_the_edge_tpu_took_the_whole_of_the_model_that_was_compiled_for_it(shared_data: Path) -> None:
    """The forecast for the ordinary file is what its compiler made: one operator in the place of all."""
    folder = shared_data / "models"
    compiled = read_graph(folder / "mobilenet_v1_0.25_128_quant_edgetpu.tflite")
    assert compiled.operators == {"edgetpu-custom-op": 1}
    coverage = coverage_of(read_graph(folder / "mobilenet_v1_0.25_128_quant.tflite").subgraphs[0], "coral")
    assert set(coverage.reasons) == {None}

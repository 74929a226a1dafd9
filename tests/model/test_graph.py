"""The graph inside a `.tflite` file, its counts, and files that are damaged."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecam.errors import ModelError
from edgecam.model.arena import arena_of
from edgecam.model.graph import Graph, parse_graph, read_graph
from edgecam.model.layers import layers_of
from edgecam.model.metadata import Metadata
from edgecam.model.network import Operator, Subgraph, Tensor

HERE = Path("net.tflite")
# What a damaged offset, length or index looks like: huge, negative, nothing, small.
WORDS = (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\1\0\0\0", b"\x09\0\0\0", b"\0\0\x10\0")


def test_tensors_and_operators_are_read(tiny: ModuleType) -> None:
    """What inspect shows and every check relies on is what the file says."""
    graph = parse_graph(tiny.make(tiny.Tiny(dtype="int8")), path=HERE)
    (picture,), (scores,) = graph.inputs, graph.outputs
    assert (picture.name, picture.shape, picture.dtype) == ("picture0", (1, 8, 8, 3), "int8")
    assert (picture.scale, picture.zero_point) == (1 / 128, 0)
    assert (scores.shape, scores.scale, scores.zero_point) == ((1, 4), 1 / 256, -128)
    assert graph.operators == {"FULLY_CONNECTED": 1, "SOFTMAX": 1}
    assert graph.custom_ops == ()
    assert graph.classes == 4
    assert graph.ends_in_softmax


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
@pytest.mark.parametrize("external", [False, True])
def test_parameters_are_weights_and_biases_wherever_they_lie(
    tiny: ModuleType, dtype: str, *, external: bool
) -> None:
    """Large models keep their weights after the flatbuffer; they count all the same."""
    graph = parse_graph(tiny.make(tiny.Tiny(dtype=dtype, external=external)), path=HERE)
    assert graph.parameters == 4 * 8 * 8 * 3 + 4
    assert graph.macs == 4 * 8 * 8 * 3


def test_a_custom_operator_is_listed_by_its_own_name(tiny: ModuleType) -> None:
    """`CUSTOM` alone would not tell which delegate is missing."""
    graph = parse_graph(tiny.make(tiny.Tiny(custom_op="ethos-u")), path=HERE)
    assert graph.custom_ops == ("ethos-u",)
    assert graph.operators == {"ethos-u": 1}
    assert not graph.ends_in_softmax


def test_metadata_gives_labels_and_normalisation(tiny: ModuleType) -> None:
    """Labels come from the archive behind the model, mean and std from its description."""
    data = tiny.make(tiny.Tiny(mean=(1.0, 2.0, 3.0), std=(4.0,), labels=("a", "b", "c", "d")))
    said = parse_graph(data, path=HERE).metadata
    assert (said.name, said.mean, said.std) == ("tiny", (1.0, 2.0, 3.0), (4.0,))
    assert said.labels == b"a\nb\nc\nd\n"


def test_metadata_without_its_archive_gives_no_labels(tiny: ModuleType) -> None:
    """A tool may have cut the archive off; the model itself still runs."""
    data = tiny.make(tiny.Tiny(mean=(1.0,), std=(4.0,), labels=("a", "b", "c", "d")))
    said = parse_graph(data[: data.index(b"PK\x03\x04")], path=HERE).metadata
    assert (said.mean, said.labels) == ((1.0,), None)


def _constant(shape: tuple[int, ...], dtype: str = "int8", scales: tuple[float, ...] = (0.1,)) -> Tensor:
    return Tensor("w", shape, (), dtype, scales, (0,), 0, constant_bytes=1)


def _computed(shape: tuple[int, ...]) -> Tensor:
    return Tensor("x", shape, (), "int8", (0.1,), (0,), 0, constant_bytes=0)


@pytest.mark.parametrize(
    ("name", "inputs", "output", "macs"),
    [
        # 3x3 convolution, 3 to 32 channels, 112x112 out: MobileNet's first layer.
        ("CONV_2D", [(1, 224, 224, 3), (32, 3, 3, 3)], (1, 112, 112, 32), 10_838_016),
        ("DEPTHWISE_CONV_2D", [(1, 112, 112, 32), (1, 3, 3, 32)], (1, 112, 112, 32), 3_612_672),
        ("FULLY_CONNECTED", [(1, 1280), (1000, 1280)], (1, 1000), 1_280_000),
        ("TRANSPOSE_CONV", [(4,), (16, 2, 2, 8), (1, 10, 10, 8)], (1, 20, 20, 16), 51_200),
        ("BATCH_MATMUL", [(2, 5, 7), (2, 7, 3)], (2, 5, 3), 210),
        ("BATCH_MATMUL", [(2, 7, 5), (2, 7, 3)], (2, 5, 3), 210),
        ("ADD", [(1, 5), (1, 5)], (1, 5), 0),
    ],
)
def test_multiply_accumulates_follow_their_formulas(
    name: str, inputs: list[tuple[int, ...]], output: tuple[int, ...], macs: int
) -> None:
    """Each operator's count is the one worked out by hand from its shapes."""
    tensors = (*(_computed(shape) for shape in inputs), _computed(output))
    step = Operator(name, custom=False, inputs=tuple(range(len(inputs))), outputs=(len(inputs),))
    graph = Graph((Subgraph(tensors, (step,), (0,), (len(inputs),)),), 0, Metadata())
    assert graph.macs == macs


def test_shapes_and_paddings_are_no_parameters() -> None:
    """An integer constant counts only when it is quantized, a float constant always."""
    tensors = (
        _constant((3, 5)),
        _constant((7,), "int32"),
        _constant((2,), "int32", ()),
        _constant((11,), "float32", ()),
        _computed((1, 100)),
    )
    graph = Graph((Subgraph(tensors, (), (0,), (0,)),), 0, Metadata())
    assert graph.parameters == 15 + 7 + 11


@pytest.mark.parametrize("inputs", [(), (0,), (0, -1), (0, 99)])
def test_a_step_without_its_inputs_counts_nothing(inputs: tuple[int, ...]) -> None:
    """A damaged file may have such steps; they must not end in a traceback."""
    tensors = (_computed((1, 8)), _computed((1, 4)))
    for name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL"):
        step = Operator(name, custom=False, inputs=inputs, outputs=(1,))
        assert Graph((Subgraph(tensors, (step,), (0,), (1,)),), 0, Metadata()).macs == 0


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x00" * 64, b"PK\x03\x04" + b"x" * 60])
def test_what_is_no_model_is_refused_by_its_identifier(content: bytes) -> None:
    """An empty file, zeros or an archive is told apart from a damaged model."""
    with pytest.raises(ModelError, match=r"net.tflite: is not a TFLite model"):
        parse_graph(content, path=HERE)


@pytest.mark.parametrize("external", [False, True])
def test_a_file_cut_short_anywhere_is_refused(tiny: ModuleType, *, external: bool) -> None:
    """A download that stopped must never look like a model."""
    data = tiny.make(tiny.Tiny(external=external))
    for length in range(8, len(data), 7):
        with pytest.raises(ModelError, match=r"is damaged: .*; fetch it again"):
            parse_graph(data[:length], path=HERE)


def test_a_vector_with_an_absurd_length_ends_at_once(tiny: ModuleType) -> None:
    """A flipped bit in a count must not make us read for hours."""
    data = bytearray(tiny.make(tiny.Tiny()))
    at = data.index(b"\x04\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00")
    data[at : at + 4] = b"\xff\xff\xff\x7f"
    with pytest.raises(ModelError, match="is damaged"):
        parse_graph(bytes(data), path=HERE)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path is what a user needs to know."""
    with pytest.raises(ModelError, match=r"none.tflite: no such file"):
        read_graph(tmp_path / "none.tflite")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A wrong kind of path is told before it is read, for it might never end."""
    with pytest.raises(ModelError, match="is no file"):
        read_graph(tmp_path)


@settings(max_examples=500, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(
        st.tuples(
            st.integers(0, 2**16),
            st.one_of(
                st.binary(min_size=1, max_size=1), st.sampled_from(WORDS), st.binary(min_size=4, max_size=4)
            ),
        ),
        min_size=1,
        max_size=8,
    ),
    labels=st.booleans(),
)
def test_damaged_bytes_give_a_graph_or_a_model_error(
    tiny: ModuleType, *, changes: list[tuple[int, bytes]], labels: bool
) -> None:
    """Whatever bytes are wrong: no other exception, no hang, and what is read can be counted and shown."""
    spec = tiny.Tiny(shape=(1, 4, 4, 1), mean=(1.0,), std=(2.0,), labels=tuple("abcd") if labels else ())
    data = bytearray(tiny.make(spec))
    for at, value in changes:
        place = 8 + at % (len(data) - 16)
        data[place : place + len(value)] = value
    with suppress(ModelError):
        graph = parse_graph(bytes(data), path=HERE)
        assert graph.parameters >= 0
        assert graph.macs >= 0
        assert sum(graph.operators.values()) == sum(len(part.steps) for part in graph.subgraphs)
        assert graph.ends_in_softmax in (True, False)
        assert graph.inputs
        layers = layers_of(graph.subgraphs)
        assert sum(layer.macs or 0 for layer in layers) >= graph.macs
        arena = arena_of(graph.subgraphs[0])
        assert arena is None or arena.bytes >= arena.peak_bytes >= 0


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("file", "parameters", "macs"),
    [
        ("models/tf2_mobilenet_v2_1.0_224_ptq.tflite", 3.489e6, 300.78e6),
        ("models/mobilenet_v1_0.25_128_quant.tflite", 0.468e6, 13.57e6),
        ("tinyml/pretrainedResnet_quant.tflite", 0.078e6, 12.5e6),
        ("tinyml/person_detect.tflite", 0.211e6, 7.16e6),
        ("models/mobilenet_v1_0.25_128_quant_edgetpu.tflite", 0, 0),
    ],
)
def test_counts_agree_with_the_published_ones(
    shared_data: Path, file: str, parameters: float, macs: float
) -> None:
    """MobileNet v1 and v2 and MLPerf Tiny's networks have known sizes."""
    graph = read_graph(shared_data / file)
    assert graph.parameters == pytest.approx(parameters, rel=5e-3)
    assert graph.macs == pytest.approx(macs, rel=5e-3)

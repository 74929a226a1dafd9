"""Shapes that an ONNX file does not say, worked out from the picture's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.model.counts import count_macs, count_parameters
from edgecam.model.network import Operator, Subgraph, Tensor
from edgecam.model.onnx_call import Call
from edgecam.model.onnx_rules import broadcast, pool
from edgecam.model.onnx_shapes import RULES, Node, fill_shapes
from edgecam.model.onnx_tensors import Values

UNKNOWN = Tensor("?", (), (), "unknown", (), (), 0, 0)


def tensor(*shape: int, dtype: str = "float32", free: tuple[int, ...] = ()) -> Tensor:
    """One of a known shape."""
    return Tensor("x", shape, free, dtype, (), (), 0, 0)


def node(name: str, inputs: int, **attributes: Any) -> Node:
    """One that reads the first `inputs` tensors and makes the next one."""
    step = Operator(name, custom=False, inputs=tuple(range(inputs)), outputs=(inputs,))
    words = {key: value for key, value in attributes.items() if isinstance(value, str)}
    integers = {key: value for key, value in attributes.items() if isinstance(value, tuple)}
    return Node(step, integers, words)


def shape_of(
    name: str,
    *shapes: tuple[int, ...] | None,
    values: dict[int, tuple[float, ...]] | None = None,
    **attributes: Any,
) -> tuple[int, ...] | None:
    """What comes out of an operator; None if that cannot be told."""
    tensors = [UNKNOWN if shape is None else tensor(*shape) for shape in shapes]
    known = {place: np.array(value) for place, value in (values or {}).items()}
    *_, made = fill_shapes([*tensors, UNKNOWN], [node(name, len(tensors), **attributes)], known)
    return made.shape if made.dtype != "unknown" else None


PICTURE = (1, 3, 224, 224)


@pytest.mark.parametrize(
    ("name", "shapes", "attributes", "expected"),
    [
        # MobileNet's first layer, as PyTorch and as TensorFlow pad it.
        ("Conv", [PICTURE, (32, 3, 3, 3)], {"strides": (2, 2), "pads": (1, 1, 1, 1)}, (1, 32, 112, 112)),
        ("Conv", [PICTURE, (32, 3, 3, 3)], {"strides": (2, 2), "auto_pad": "SAME_UPPER"}, (1, 32, 112, 112)),
        ("Conv", [PICTURE, (32, 3, 3, 3)], {"auto_pad": "VALID"}, (1, 32, 222, 222)),
        ("Conv", [PICTURE, (8, 3, 3, 3)], {"dilations": (2, 2)}, (1, 8, 220, 220)),
        ("ConvTranspose", [(1, 8, 10, 10), (8, 4, 2, 2)], {"strides": (2, 2)}, (1, 4, 20, 20)),
        ("MaxPool", [(1, 64, 112, 112)], {"kernel_shape": (3, 3), "strides": (2, 2)}, (1, 64, 55, 55)),
        (
            "MaxPool",
            [(1, 64, 112, 112)],
            {"kernel_shape": (3, 3), "strides": (2, 2), "ceil_mode": (1,)},
            (1, 64, 56, 56),
        ),
        ("GlobalAveragePool", [(1, 1280, 7, 7)], {}, (1, 1280, 1, 1)),
        ("ReduceMean", [(1, 1280, 7, 7)], {"axes": (2, 3), "keepdims": (0,)}, (1, 1280)),
        ("ReduceMean", [(1, 1280, 7, 7)], {"axes": (-1, -2)}, (1, 1280, 1, 1)),
        ("Flatten", [(1, 1280, 7, 7)], {}, (1, 62720)),
        ("Gemm", [(1, 1280), (1000, 1280)], {"transB": (1,)}, (1, 1000)),
        ("Gemm", [(1280, 1), (1280, 1000)], {"transA": (1,)}, (1, 1000)),
        ("MatMul", [(8, 5, 7), (7, 3)], {}, (8, 5, 3)),
        ("Add", [(1, 8, 7, 7), (8, 1, 1)], {}, (1, 8, 7, 7)),
        ("Transpose", [(1, 2, 3, 4)], {"perm": (0, 2, 3, 1)}, (1, 3, 4, 2)),
        ("Squeeze", [(1, 8, 1, 1)], {"axes": (2, -1)}, (1, 8)),
        ("Unsqueeze", [(4,)], {"axes": (0, 2)}, (1, 4, 1)),
        ("Concat", [(1, 8, 7, 7), (1, 4, 7, 7)], {"axis": (1,)}, (1, 12, 7, 7)),
        ("Pad", [PICTURE], {"pads": (0, 0, 0, 0, 0, 0, 1, 1)}, (1, 3, 225, 225)),
        ("Clip", [(1, 8)], {}, (1, 8)),
    ],
)
def test_shapes_are_those_worked_out_by_hand(
    name: str, shapes: list[tuple[int, ...]], attributes: dict[str, Any], expected: tuple[int, ...]
) -> None:
    """Each operator follows its page of the specification."""
    assert shape_of(name, *shapes, **attributes) == expected


@pytest.mark.parametrize(
    ("name", "first", "values", "expected"),
    [
        ("Reshape", (1, 8, 2, 2), {1: (0, -1)}, (1, 32)),
        ("ReduceMean", (1, 8, 2, 2), {1: (2, 3)}, (1, 8, 1, 1)),
        ("Unsqueeze", (4,), {1: (0,)}, (1, 4)),
        ("Pad", (4, 4), {1: (1, 0, 1, 0)}, (6, 4)),
        ("Reshape", (1, 8, 2, 2), {}, None),
        ("ReduceMean", (1, 8, 2, 2), {}, None),
    ],
)
def test_newer_files_have_sizes_and_axes_as_inputs(
    name: str, first: tuple[int, ...], values: dict[int, tuple[float, ...]], expected: tuple[int, ...] | None
) -> None:
    """Constants are read; if they are computed in a way that is not followed, nothing is guessed."""
    assert shape_of(name, first, (2,), values=values) == expected


def test_resizing_takes_sizes_or_factors() -> None:
    """Whichever of the two the file gives."""
    assert shape_of("Resize", (1, 3, 8, 8), None, (4,), values={2: (1.0, 1.0, 2.0, 1.5)}) == (1, 3, 16, 12)
    assert shape_of("Resize", (1, 3, 8, 8), None, None, (4,), values={3: (1, 3, 5, 6)}) == (1, 3, 5, 6)


def test_a_shape_that_nodes_put_together_is_followed() -> None:
    """Exporters flatten by asking for the batch and joining it with -1."""
    tensors = [tensor(1, 8, 2, 2), tensor(dtype="int64"), tensor(1, dtype="int64"), *[UNKNOWN] * 5]

    def step(name: str, inputs: tuple[int, ...], output: int, **attributes: tuple[int, ...]) -> Node:
        return Node(Operator(name, custom=False, inputs=inputs, outputs=(output,)), attributes)

    nodes = [
        step("Shape", (0,), 3),
        step("Gather", (3, 1), 4, axis=(0,)),
        step("Unsqueeze", (4,), 5, axes=(0,)),
        step("Concat", (5, 2), 6, axis=(0,)),
        step("Reshape", (0, 6), 7),
    ]
    *_, made = fill_shapes(tensors, nodes, {1: np.array(0), 2: np.array([-1])})
    assert (made.shape, made.dtype) == ((1, 32), "float32")


def test_a_padding_that_nodes_put_together_is_followed() -> None:
    """PyTorch pads by a list of pairs from the last axis on, filled up, turned round and transposed."""
    constants = {1: [4], 2: [2, 3, 0, 1], 3: [-1, 2], 4: [-1], 5: [-(2**63) + 1], 6: [0]}
    steps: list[tuple[str, tuple[int, ...], dict[str, tuple[int, ...]]]] = [
        ("ConstantOfShape", (1,), {}),
        ("Concat", (2, 7), {"axis": (0,)}),
        ("Reshape", (8, 3), {}),
        ("Slice", (9, 4, 5, 6, 4), {}),
        ("Transpose", (10,), {"perm": (1, 0)}),
        ("Reshape", (11, 4), {}),
        ("Cast", (12,), {"to": (7,)}),
        ("Pad", (0, 13), {}),
    ]
    nodes = [
        Node(Operator(name, custom=False, inputs=inputs, outputs=(place,)), attributes)
        for place, (name, inputs, attributes) in enumerate(steps, 7)
    ]
    stored = (tensor(len(values), dtype="int64") for values in constants.values())
    values = {place: np.array(found) for place, found in constants.items()}
    found = fill_shapes([tensor(1, 3, 8, 8), *stored, *[UNKNOWN] * 8], nodes, values)
    assert found[-1].shape == (1, 3, 8 + 0 + 1, 8 + 2 + 3)


@given(
    size=st.integers(1, 20),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    pads=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_a_window_has_as_many_places_as_can_be_counted(
    size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]
) -> None:
    """The formula agrees with sliding the window along and counting."""
    reach = dilation * (kernel - 1) + 1
    whole = size + sum(pads)
    places = [begin for begin in range(0, whole, stride) if begin + reach <= whole]
    call = Call(
        "MaxPool",
        [(1, 1, size)],
        [None],
        {"kernel_shape": (kernel,), "strides": (stride,), "dilations": (dilation,), "pads": pads},
    )
    if places:
        assert pool(call) == (1, 1, len(places))


@given(st.lists(st.integers(1, 5), max_size=5), st.data())
def test_broadcasting_ignores_ones_and_missing_axes(shape: list[int], data: st.DataObject) -> None:
    """What is stretched has its axes at the right, and one where the other has more."""
    ones = [data.draw(st.sampled_from([1, size])) for size in shape]
    fewer = ones[data.draw(st.integers(0, len(ones))) :]
    assert broadcast(tuple(shape), tuple(fewer)) == broadcast(tuple(fewer), tuple(shape)) == tuple(shape)


@pytest.mark.parametrize("free", [(-1, 3, 8, 8), (1, 3, -1, 8)])
def test_only_a_free_batch_is_taken_as_one(free: tuple[int, ...]) -> None:
    """What follows from a free height stays unknown."""
    tensors = (tensor(1, 3, 8, 8, free=free), tensor(4, 3, 3, 3), UNKNOWN)
    made = fill_shapes(tensors, [node("Conv", 2)], {})[2]
    assert made.shape == ((1, 4, 6, 6) if free[0] == -1 else ())


def test_what_the_file_says_stands() -> None:
    """It is the exporter that knows."""
    tensors = (tensor(1, 8), tensor(1, 9))
    assert fill_shapes(tensors, [node("Relu", 1)], {}) == tensors


@pytest.mark.parametrize(
    ("name", "dtype"), [("Relu", "uint8"), ("ConvInteger", "int32"), ("Shape", "int64"), ("Equal", "bool")]
)
def test_dtypes_follow_too(name: str, dtype: str) -> None:
    """Without them nobody knows how much memory a tensor takes."""
    *_, made = fill_shapes(
        (tensor(1, 3, 8, 8, dtype="uint8"), tensor(4, 3, 3, 3), UNKNOWN), [node(name, 2)], {}
    )
    assert made.dtype == dtype


numbers = st.one_of(st.integers(-3, 5), st.sampled_from([2**31, 2**62, -(2**63)]))


@given(
    name=st.sampled_from(sorted(RULES | {"Split": None, "DynamicQuantizeLinear": None, "NoSuch": None})),
    shapes=st.lists(st.lists(st.integers(0, 2**40), max_size=5), min_size=1, max_size=5),
    values=st.dictionaries(
        st.integers(0, 4),
        st.one_of(st.lists(numbers, min_size=1, max_size=5), st.lists(st.floats(), min_size=1, max_size=5)),
    ),
    attributes=st.dictionaries(
        st.sampled_from(["axis", "axes", "perm", "pads", "strides", "kernel_shape", "split", "to", "end"]),
        st.lists(numbers, min_size=1, max_size=5).map(tuple),
    ),
)
def test_nonsense_leaves_a_shape_unknown(
    name: str,
    shapes: list[list[int]],
    values: dict[int, list[float]],
    attributes: dict[str, tuple[int, ...]],
) -> None:
    """Whatever a damaged file says, the reader goes on, and no tensor has a length that none can have."""
    tensors = [*(tensor(*shape) for shape in shapes), UNKNOWN]
    known: dict[int, Values] = {place: np.array(value) for place, value in values.items()}
    nodes = [node(name, len(shapes), **attributes), node("Identity", len(shapes) + 1)]
    made = fill_shapes([*tensors, UNKNOWN], nodes, known)[-2]
    assert all(0 <= size < 2**31 for size in made.shape)


@pytest.mark.parametrize(
    ("name", "inputs", "output", "macs"),
    [
        ("Conv", [PICTURE, (32, 3, 3, 3)], (1, 32, 112, 112), 10_838_016),
        # Depthwise: as many groups as channels, so a filter of one channel each.
        ("Conv", [(1, 32, 112, 112), (32, 1, 3, 3)], (1, 32, 112, 112), 3_612_672),
        ("ConvInteger", [PICTURE, (32, 3, 3, 3)], (1, 32, 112, 112), 10_838_016),
        ("QLinearConv", [PICTURE, (), (), (32, 3, 3, 3)], (1, 32, 112, 112), 10_838_016),
        ("ConvTranspose", [(1, 8, 10, 10), (8, 16, 2, 2)], (1, 16, 20, 20), 51_200),
        ("Gemm", [(1, 1280), (1000, 1280)], (1, 1000), 1_280_000),
        ("MatMul", [(1, 1280), (1280, 1000)], (1, 1000), 1_280_000),
        ("QLinearMatMul", [(1, 1280), (), (), (1280, 1000)], (1, 1000), 1_280_000),
        ("QGemm", [(1, 1280), (), (), (1000, 1280)], (1, 1000), 1_280_000),
    ],
)
def test_multiply_accumulates_of_onnx_follow_their_formulas(
    name: str, inputs: list[tuple[int, ...]], output: tuple[int, ...], macs: int
) -> None:
    """They are those of the same layer in a `.tflite`."""
    tensors = (*(tensor(*shape) for shape in inputs), tensor(*output))
    graph = Subgraph(tensors, (node(name, len(inputs)).step,), (0,), (len(inputs),))
    assert count_macs([graph]) == macs


def test_a_use_decides_what_is_a_weight() -> None:
    """A running mean is none though it is a float; a quantized bias is one though it is an integer."""
    mean = Tensor("mean", (8,), (), "float32", (), (), 0, constant_bytes=32, is_weight=False)
    bias = Tensor("bias", (5,), (), "int32", (), (), 0, constant_bytes=20, is_weight=True)
    assert count_parameters([Subgraph((mean, bias), (), (), ())]) == 5

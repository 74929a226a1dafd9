"""The memory that tensors need: lifetimes, the plan, and what TFLite Micro itself allocates."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.config.shipped import shipped_folder
from edgecam.model.arena import ALIGNMENT_BYTES, Arena, Lifetime, arena_of, lifetimes_of, plan
from edgecam.model.graph import read_graph
from edgecam.model.network import Operator, Subgraph, Tensor

# TFLite Micro may end its process, so it is asked in one of its own.
TFLM = """
import sys
from tflite_micro.python.tflite_micro import runtime
with open(sys.argv[1], "rb") as file:
    runtime.Interpreter.from_bytes(file.read(), arena_size=4_000_000).print_allocations()
"""


def tensor(size: int, *, dtype: str = "int8", constant: bool = False, free: tuple[int, ...] = ()) -> Tensor:
    """One of `size` values."""
    return Tensor("t", (1, size), free, dtype, (), (), 0, constant_bytes=size if constant else 0)


def step(inputs: tuple[int, ...], *outputs: int) -> Operator:
    """One of no particular kind."""
    return Operator("ADD", custom=False, inputs=inputs, outputs=outputs)


def chain(*sizes: int) -> Subgraph:
    """A network in which each step makes the next tensor from the last one."""
    steps = tuple(step((place,), place + 1) for place in range(len(sizes) - 1))
    return Subgraph(tuple(tensor(size) for size in sizes), steps, (0,), (len(sizes) - 1,))


lifetimes = st.builds(
    lambda size, first, length: Lifetime(size * ALIGNMENT_BYTES, first, first + length),
    st.integers(1, 100),
    st.integers(-1, 20),
    st.integers(0, 8),
)


@given(st.lists(lifetimes, max_size=40))
def test_what_is_alive_together_lies_apart(claims: list[Lifetime]) -> None:
    """Whatever the lifetimes: no byte belongs to two tensors at once, and every offset is aligned."""
    offsets = plan(claims)
    assert len(offsets) == len(claims)
    for place, (offset, claim) in enumerate(zip(offsets, claims, strict=True)):
        assert offset >= 0
        assert offset % ALIGNMENT_BYTES == 0
        for other_offset, other in zip(offsets[:place], claims[:place], strict=True):
            together = claim.first <= other.last and other.first <= claim.last
            apart = offset + claim.size_bytes <= other_offset or other_offset + other.size_bytes <= offset
            assert apart or not together


@given(st.lists(st.integers(1, 3000), min_size=2, max_size=30))
def test_an_arena_is_between_what_must_be_and_what_all_tensors_take(sizes: list[int]) -> None:
    """No plan is smaller than the busiest step, and none takes more than each tensor beside the others."""
    arena = arena_of(chain(*sizes))
    assert arena is not None
    padded = [-(-size // 16) * 16 for size in sizes]
    pairs = [first + second for first, second in pairwise(padded)]
    assert arena.peak_bytes == max(pairs)
    assert arena.peak_layer == pairs.index(max(pairs))
    assert arena.peak_bytes <= arena.bytes <= sum(padded)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        # Two tensors at a time, the third back at the place of the first.
        ((64, 32, 64, 32), Arena(96, 16, 96, 0)),
        # Nine bytes begin a second piece of sixteen.
        ((9, 9), Arena(32, 16, 32, 0)),
        # 48 and 64 share the bottom and one 32 lies above 64: between 48 and 64 the other 32 finds no room.
        ((48, 32, 32, 64, 16), Arena(128, 16, 96, 2)),
    ],
)
def test_plans_are_those_worked_out_by_hand(sizes: tuple[int, ...], expected: Arena) -> None:
    """The largest first, of equals the later, each at the lowest place that is free while it lives."""
    assert arena_of(chain(*sizes)) == expected


def test_a_tensor_lives_from_its_maker_to_its_last_reader() -> None:
    """A shortcut keeps its tensor alive over the steps that it jumps; constants are not in the arena."""
    tensors = (tensor(1), tensor(2), tensor(3), tensor(4), tensor(100, constant=True))
    graph = Subgraph(tensors, (step((0, 4), 1), step((1, 4), 2), step((2, 1, -1), 3)), (0,), (3,))
    assert lifetimes_of(graph) == (
        Lifetime(1, -1, 0),
        Lifetime(2, 0, 2),
        Lifetime(3, 1, 2),
        Lifetime(4, 2, 2),
    )


def test_what_nobody_makes_and_what_comes_out_live_to_the_end() -> None:
    """A state must be there for the next picture, and an output for who reads it after the last step."""
    tensors = (tensor(1), tensor(2), tensor(3), tensor(4))
    graph = Subgraph(tensors, (step((0, 3), 1), step((0,), 2)), (0,), (1, 2))
    assert lifetimes_of(graph) == (
        Lifetime(1, -1, 1),
        Lifetime(2, 0, 1),
        Lifetime(3, 1, 1),
        Lifetime(4, -1, 1),
    )


@pytest.mark.parametrize("unknown", [tensor(1, dtype="string"), tensor(1, free=(1, -1))])
def test_an_unknown_size_gives_no_arena(unknown: Tensor) -> None:
    """A figure that leaves out a tensor would be taken for the whole."""
    assert arena_of(Subgraph((tensor(1), unknown), (step((0,), 1),), (0,), (1,))) is None


def test_a_free_batch_is_one_picture() -> None:
    """Cameras give one picture at a time."""
    assert arena_of(Subgraph((tensor(16), tensor(16, free=(-1, 16))), (step((0,), 1),), (0,), (1,)))


def test_more_tensors_than_any_network_has_are_not_planned() -> None:
    """The work grows with the square of their number, and a hostile file may have many."""
    assert arena_of(chain(*[1] * 5001)) is None


@pytest.mark.parametrize(
    ("dtype", "size"), [("int4", 2), ("int8", 3), ("float16", 6), ("float32", 12), ("string", None)]
)
def test_bytes_follow_from_shape_and_dtype(dtype: str, size: int | None) -> None:
    """Four-bit values share bytes, the last of them half used; of text nobody knows."""
    assert tensor(3, dtype=dtype).bytes == size


def planned_by_tflm(path: Path) -> int:
    """The part of TFLite Micro's arena that is for tensors, in bytes."""
    pytest.importorskip("tflite_micro", reason="the extra tflm is not installed")
    done = subprocess.run(
        [sys.executable, "-c", TFLM, path], capture_output=True, text=True, check=True, timeout=60
    )
    found = re.search(r"head (\d+) bytes", done.stderr + done.stdout)
    assert found
    return int(found[1])


def test_tflite_micro_plans_the_same(tiny: ModuleType, tmp_path: Path) -> None:
    """The figure is the one of the runtime that it speaks of."""
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(dtype="int8")))
    arena = arena_of(read_graph(path).subgraphs[0])
    assert arena is not None
    assert arena.bytes == planned_by_tflm(path)


def test_tflite_micro_plans_the_same_for_a_shipped_model() -> None:
    """Sixty layers with shortcuts."""
    path = shipped_folder() / "models" / "efficientnet_lite0_160_int8" / "model.tflite"
    arena = arena_of(read_graph(path).subgraphs[0])
    assert arena is not None
    assert arena.bytes == planned_by_tflm(path)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("file", "head"),
    [("tinyml/person_detect.tflite", 55_296), ("tinyml/pretrainedResnet_quant.tflite", 49_152)],
)
def test_tflite_micro_plans_the_same_for_real_networks(shared_data: Path, file: str, head: int) -> None:
    """Its whole arena, 85,264 and 55,984 bytes, has its own structures beside this."""
    arena = arena_of(read_graph(shared_data / file).subgraphs[0])
    assert arena is not None
    assert arena.bytes == planned_by_tflm(shared_data / file) == head

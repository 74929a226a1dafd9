"""A network learns to be int8, and its int8 file computes what it computed while it learnt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

WHY = "the extra compress is not installed: scripts/check-compress runs this"
torch = pytest.importorskip("torch", reason=WHY)
pytest.importorskip("litert_torch", reason=WHY)

from ai_edge_litert.interpreter import Interpreter  # noqa: E402
from taught_network import made_pictures, taught  # noqa: E402

from edgecam.compress.calibration import input_range  # noqa: E402
from edgecam.compress.checkpoint import Checkpoint  # noqa: E402
from edgecam.compress.export import to_float_tflite  # noqa: E402
from edgecam.compress.fake_network import FakeQuantized  # noqa: E402
from edgecam.compress.flatfile import tidy  # noqa: E402
from edgecam.compress.network import folded  # noqa: E402
from edgecam.compress.qat import QatSettings, train_quantized  # noqa: E402
from edgecam.compress.quantization import Scheme, quantize  # noqa: E402
from edgecam.compress.tensor_ranges import Activation, ranges_by_tensor  # noqa: E402
from edgecam.compress.training import accuracy  # noqa: E402
from edgecam.errors import UsageError  # noqa: E402

PICTURES = made_pictures(256, seed=1)
OTHERS = made_pictures(200, seed=2)
HOW: dict[str, Any] = {"epochs": 2, "batch": 32, "augmentation": None}
ARCHITECTURES = [{}, {"activation": "swish", "squeeze": 4}]


@cache
def learnt(*, activation: str = "relu6", squeeze: int = 0) -> tuple[Checkpoint, tuple[Activation, ...]]:
    """The network that was taught, after learning to be int8."""
    before = taught(activation=activation, squeeze=squeeze)
    return train_quantized(before, PICTURES, QatSettings(**HOW), seed=1, validation=OTHERS)


@cache
def int8_file(*, activation: str = "relu6", squeeze: int = 0) -> bytes:
    """As a recipe makes it: exported, tidied, quantized by the ranges that were learnt."""
    checkpoint, activations = learnt(activation=activation, squeeze=squeeze)
    data = tidy(to_float_tflite(checkpoint))
    ranges = ranges_by_tensor(data, input_range(checkpoint.input_card()), activations)
    return quantize(data, Scheme.INT8, ranges=ranges)


def fake_network_of(checkpoint: Checkpoint, activations: Sequence[Activation]) -> Any:
    """The network as it was when learning ended."""
    fake = FakeQuantized(checkpoint.network(), input_range=input_range(checkpoint.input_card()), momentum=0)
    for observer, activation in zip(fake.observers(), activations, strict=True):
        observer.low.fill_(activation.low)
        observer.high.fill_(activation.high)
    fake.set_state(watching=False, rounding=True)
    return fake.eval()


def logits_of_file(data: bytes, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """Of each picture as the camera gives it, and the step between two numbers of int8."""
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = made["quantization"]
    rows = []
    for picture in pixels:
        interpreter.set_tensor(given["index"], (picture[None] ^ 0x80).view(np.int8))
        interpreter.invoke()
        rows.append((interpreter.get_tensor(made["index"])[0].astype(np.float32) - zero_point) * scale)
    return np.array(rows), scale


@pytest.mark.parametrize("how", ARCHITECTURES)
def test_the_int8_file_says_what_the_network_said_in_training(how: dict[str, Any]) -> None:
    """Within a few steps of int8: kernels round half-way values each in their own way."""
    checkpoint, activations = learnt(**how)
    found, step = logits_of_file(int8_file(**how), OTHERS.pixels.numpy())
    inputs = (OTHERS.pixels.permute(0, 3, 1, 2).float() - 127) / 128
    with torch.no_grad():
        expected = fake_network_of(checkpoint, activations)(inputs).numpy()
    off = np.abs(found - expected) / step
    assert off.mean() < 0.6
    assert np.percentile(off, 99) < 3.5
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.99


@pytest.mark.parametrize("how", ARCHITECTURES)
def test_each_tensor_of_the_file_has_the_grid_that_was_learnt(how: dict[str, Any]) -> None:
    """Scale and zero point, step by step: no tensor has another one's range."""
    _, activations = learnt(**how)
    interpreter = Interpreter(model_content=int8_file(**how))
    details = {int(entry["index"]): entry for entry in interpreter.get_tensor_details()}
    left = list(activations)
    for step in interpreter._get_ops_details():
        if left and step["op_name"] == left[0].operator:
            activation = left.pop(0)
            scale, zero_point = details[int(step["outputs"][0])]["quantization"]
            assert scale == pytest.approx((activation.high - activation.low) / 255, rel=1e-5)
            assert zero_point == round(-128 - activation.low / scale)
    assert left == []


def test_the_network_is_as_good_as_before_and_tells_so() -> None:
    """The record has the accuracy as int8, before and after."""
    checkpoint, activations = learnt()
    record = checkpoint.steps[-1]
    assert record["step"] == "qat"
    assert record["validation"]["accuracy"] > 0.95
    assert record["accuracy_before"] > 0.9
    found, _ = logits_of_file(int8_file(), OTHERS.pixels.numpy())
    told = float((found.argmax(1) == OTHERS.truth.numpy()).mean())
    assert told == pytest.approx(record["validation"]["accuracy"], abs=0.01)
    assert accuracy(checkpoint.network(), OTHERS, checkpoint.mean, checkpoint.std) > 0.95
    assert len(activations) == 3 * 3 + 2 + 2 + 1


def test_before_it_rounds_it_is_the_float_network() -> None:
    """Folding normalisation on the fly is folding it."""
    network = taught().network()
    fake = FakeQuantized(network, input_range=(-1.0, 1.0), momentum=0.9).eval()
    inputs = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(fake(inputs), folded(network)(inputs), rtol=1e-4, atol=1e-5)


def test_learning_moves_the_network_s_own_weights_but_no_statistics() -> None:
    """What is exported is what learnt, folded by the statistics that it learnt with."""
    before, after = taught().state, learnt()[0].state
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert {"stem.conv.weight", "stem.norm.weight", "linear.bias"} <= moved
    assert not any("running" in name for name in moved)


def test_ranges_stand_still_in_the_end() -> None:
    """With nothing watched while it learns, they are those of the pictures before."""
    early, late = (
        train_quantized(
            taught(), PICTURES, QatSettings(**HOW, watched_share=0.0, learning_rate=rate), seed=1
        )[1]
        for rate in (1e-5, 1e-3)
    )
    assert early == late
    assert early != learnt()[1]


def test_the_same_seed_gives_the_same_weights_and_ranges() -> None:
    """Nothing is left to chance."""
    again, ranges = train_quantized(taught(), PICTURES, QatSettings(**HOW), seed=1)
    assert ranges == learnt()[1]
    assert all(torch.equal(value, again.state[name]) for name, value in learnt()[0].state.items())


@pytest.mark.parametrize("wrong", [{"momentum": 1.0}, {"watched_share": 2.0}, {"epochs": 0}])
def test_a_setting_without_sense_is_refused(wrong: dict[str, Any]) -> None:
    """Before anything is learnt."""
    with pytest.raises(UsageError, match="expected a momentum"):
        train_quantized(taught(), PICTURES, QatSettings(**{**HOW, **wrong}), seed=1)

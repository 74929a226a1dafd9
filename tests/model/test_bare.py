"""Bare `.tflite` files: where labels, normalisation and the kind of output come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgecam.errors import ModelError
from edgecam.model.bare import bare_model
from edgecam.model.card import Channels, Fit, OutputKind
from edgecam.model.graph import read_graph
from edgecam.vision.preprocess import input_table

Make = Callable[..., Path]


@pytest.fixture
def make(tiny: ModuleType, tmp_path: Path) -> Make:
    """Writes a bare model; keywords are those of `Tiny`."""

    def write(**spec: Any) -> Path:
        path = tmp_path / "net.tflite"
        path.write_bytes(tiny.make(tiny.Tiny(**spec)))
        return path

    return write


def _table(path: Path) -> np.ndarray[Any, Any]:
    card = bare_model(path).card.input
    (tensor,) = read_graph(path).inputs
    return input_table(
        card.mean, card.std, scale=tensor.scale, zero_point=tensor.zero_point, dtype=tensor.dtype
    )


def test_a_uint8_tensor_takes_pixels_as_they_are(make: Make) -> None:
    """The whole range of the tensor is the whole range of the pixel: the table changes nothing."""
    assert (_table(make())[:, 0] == np.arange(256)).all()


def test_an_int8_tensor_takes_pixels_less_128(make: Make) -> None:
    """The table is the flip of the highest bit."""
    table = _table(make(dtype="int8"))[:, 0]
    assert (table.view(np.uint8) == np.arange(256) ^ 0x80).all()


def test_a_float_model_without_normalisation_is_refused_with_the_options(make: Make) -> None:
    """Guessing would cost ten points of accuracy and tell nobody."""
    with pytest.raises(ModelError, match=r"give --mean and --std on 0..255 pixels"):
        bare_model(make(dtype="float32"))


def test_options_beat_metadata_and_metadata_beats_the_tensor(make: Make) -> None:
    """The nearest to the user wins."""
    path = make(mean=(10.0, 20.0, 30.0), std=(100.0,))
    said = bare_model(path).card.input
    assert (said.mean, said.std) == ((10.0, 20.0, 30.0), (100.0,))
    given = bare_model(path, mean=[1], std=[2, 3, 4]).card.input
    assert (given.mean, given.std) == ((1.0,), (2.0, 3.0, 4.0))


def test_metadata_that_agrees_with_the_tensor_costs_nothing(make: Make) -> None:
    """127.5 / 127.5 at scale 1/128 differs from the plain pixel by one step: the plain pixel is taken."""
    assert (_table(make(mean=(127.5,), std=(127.5,)))[:, 0] == np.arange(256)).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mean": [127.5]}, "--mean and --std go together; give both"),
        ({"std": [127.5]}, "--mean and --std go together; give both"),
        ({"mean": [1, 2], "std": [1, 2]}, "expected 1 or 3 numbers each, found 2 and 2"),
        ({"mean": [0], "std": [0]}, "expected finite numbers and no std of 0"),
        ({"mean": [float("nan")], "std": [1]}, "expected finite numbers and no std of 0"),
    ],
)
def test_a_wrong_normalisation_is_refused(make: Make, options: dict[str, list[float]], said: str) -> None:
    """Half an answer or a division by zero is not passed on."""
    with pytest.raises(ModelError) as caught:
        bare_model(make(), **options)  # type: ignore[arg-type] # the table of options above is all floats
    assert said in str(caught.value)


def test_damaged_normalisation_in_metadata_is_refused(make: Make) -> None:
    """A model that says mean without std is not guessed about."""
    with pytest.raises(ModelError, match="its metadata's mean and std: expected 1 or 3 numbers"):
        bare_model(make(mean=(1.0,), std=()))


def test_labels_come_from_the_file_then_metadata_then_numbers(make: Make, tmp_path: Path) -> None:
    """The nearest to the user wins here too."""
    own = tmp_path / "own.txt"
    own.write_text("w\nx\ny\nz\n", encoding="utf-8")
    path = make(labels=("a", "b", "c", "d"))
    assert bare_model(path, labels=own).labels == ("w", "x", "y", "z")
    assert bare_model(path).labels == ("a", "b", "c", "d")
    assert bare_model(make()).labels == ("class 0", "class 1", "class 2", "class 3")


def test_labels_that_do_not_match_are_refused_wherever_they_come_from(make: Make, tmp_path: Path) -> None:
    """The place of the labels is named: a file of the user's, or the model itself."""
    own = tmp_path / "own.txt"
    own.write_text("x\ny\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"own.txt: has 2 labels, but the model has 4 outputs"):
        bare_model(make(), labels=own)
    with pytest.raises(ModelError, match=r"net.tflite \(metadata\): has 2 labels"):
        bare_model(make(labels=("a", "b")))


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ({}, OutputKind.PROBABILITIES),
        ({"softmax": False}, OutputKind.LOGITS),
        ({"dtype": "float32", "mean": (0.0,), "std": (255.0,)}, OutputKind.PROBABILITIES),
        ({"dtype": "float32", "mean": (0.0,), "std": (255.0,), "softmax": False}, OutputKind.LOGITS),
    ],
)
def test_the_graph_tells_probabilities_from_logits(
    make: Make, spec: dict[str, Any], kind: OutputKind
) -> None:
    """A softmax twice would flatten every score."""
    assert bare_model(make(**spec)).card.output.kind is kind


def test_the_made_card_describes_the_file(make: Make) -> None:
    """Name, size, colours and counts are the file's own."""
    path = make(shape=(1, 6, 8, 1))
    model = bare_model(path)
    card = model.card
    assert (model.name, model.path) == ("net", path)
    assert (card.input.width_px, card.input.height_px, card.input.color) == (8, 6, Channels.GRAY)
    assert (card.input.fit, card.input.crop_fraction) == (Fit.CROP, 1.0)
    assert (card.parameters, card.macs) == (4 * 48 + 4, 4 * 48)
    assert card.licence == "unknown"


def test_a_bare_model_that_cannot_run_is_refused(make: Make) -> None:
    """The same reasons as for a model directory."""
    with pytest.raises(ModelError, match="needs the coral delegate"):
        bare_model(make(custom_op="edgetpu-custom-op"))


@pytest.mark.shared_data
def test_published_models_describe_themselves(shared_data: Path) -> None:
    """Real metadata: 1001 labels, the first of them the background."""
    for name in ("tf2_mobilenet_v2_1.0_224_ptq", "mobilenet_v1_0.25_128_quant"):
        path = shared_data / "models" / f"{name}.tflite"
        model = bare_model(path)
        assert len(model.labels) == 1001
        assert model.labels[:2] == ("background", "tench, Tinca tinca")
        assert model.card.output.kind is OutputKind.PROBABILITIES
        assert (_table(path)[:, 0] == np.arange(256)).all()
        assert bare_model(path, labels=shared_data / "models" / "imagenet_labels.txt").labels == model.labels


@pytest.mark.shared_data
def test_a_published_edgetpu_model_is_refused_for_its_delegate(shared_data: Path) -> None:
    """The twin for the accelerator is told apart from the model for the CPU."""
    with pytest.raises(ModelError, match=r"edgetpu.tflite: is compiled for the Edge TPU.*; use the CPU twin"):
        bare_model(shared_data / "models" / "mobilenet_v1_0.25_128_quant_edgetpu.tflite")

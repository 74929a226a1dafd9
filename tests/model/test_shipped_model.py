"""The model that is shipped: its files agree with each other, and its groups mean what their names say."""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

import pytest

from edgecam.commands.classify import Classifier
from edgecam.inference.engine import open_engine
from edgecam.model.card import OutputKind
from edgecam.model.graph import parse_graph
from edgecam.model.model import Model
from edgecam.model.store import load_model, shipped_folder

FOLDER = shipped_folder() / "models" / "efficientnet_lite0_int8"
FLOAT_TOP1 = Path(__file__).parent / "data" / "float_top1.csv"
MUST_AGREE = 95


@pytest.fixture(scope="module")
def model() -> Model:
    """The shipped model, loaded as the program loads it."""
    return load_model(FOLDER)


def test_the_card_names_the_hash_of_the_file(model: Model) -> None:
    """A model directory is believed only when the file is the one that the card describes."""
    assert hashlib.sha256((FOLDER / "model.tflite").read_bytes()).hexdigest() == model.card.sha256


def test_the_card_counts_what_the_graph_holds(model: Model) -> None:
    """`inspect` and the card tell the same parameters and multiply-accumulates."""
    graph = parse_graph((FOLDER / "model.tflite").read_bytes(), path=FOLDER / "model.tflite")
    assert (graph.parameters, graph.macs) == (model.card.parameters, model.card.macs)


def test_the_file_needs_no_transposes_and_no_padding_operators() -> None:
    """NHWC from end to end: what the converter would add costs time on every frame."""
    graph = parse_graph((FOLDER / "model.tflite").read_bytes(), path=FOLDER / "model.tflite")
    assert not {"TRANSPOSE", "PAD", "QUANTIZE", "DEQUANTIZE"} & set(graph.operators)


def test_camera_bytes_enter_by_exclusive_or(model: Model) -> None:
    """Int8 at scale 1/128 and zero point -1 with mean 127, std 128: the tensor is `pixel ^ 0x80`."""
    graph = parse_graph(model.path.read_bytes(), path=model.path)
    (tensor,) = graph.inputs
    assert (tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point) == (
        (1, 224, 224, 3),
        "int8",
        1 / 128,
        -1,
    )
    assert (set(model.card.input.mean), set(model.card.input.std)) == ({127.0}, {128.0})


def test_outputs_are_logits_with_a_label_each(model: Model) -> None:
    """Label n names output n: 1000 of them, and the host applies the softmax."""
    graph = parse_graph(model.path.read_bytes(), path=model.path)
    assert graph.outputs[0].shape == (1, 1000)
    assert len(model.labels) == 1000
    assert model.card.output.kind is OutputKind.LOGITS


def test_no_two_labels_are_alike(model: Model) -> None:
    """A label stands in configurations and topics: none twice, not even by case."""
    assert len({name.casefold() for name in model.labels}) == len(model.labels)


def test_no_label_is_a_groups_name(model: Model) -> None:
    """`watch: cup` must mean one thing."""
    assert not {name.casefold() for name in model.labels} & set(model.groups)


def test_group_names_can_stand_in_a_topic(model: Model) -> None:
    """Lower-case letters, digits and underscores only."""
    assert [name for name in model.groups if not re.fullmatch(r"[a-z][a-z0-9_]*", name)] == []


def test_groups_list_known_classes_in_order(model: Model) -> None:
    """No group is empty, and each lists its classes once, ascending."""
    for indices in model.groups.values():
        assert indices
        assert list(indices) == sorted(set(indices))
        assert 0 <= indices[0] <= indices[-1] < len(model.labels)


@pytest.mark.parametrize(
    ("group", "label"),
    [
        ("cat", "tabby"),
        ("cat", "Egyptian cat"),
        ("big_cat", "lynx"),
        ("dog", "golden retriever"),
        ("bird", "macaw"),
        ("bear", "polar bear"),
        ("cup", "espresso"),
        ("cup", "coffee mug"),
        ("spacecraft", "space shuttle"),
        ("spacecraft", "missile"),
        ("spacecraft", "projectile"),
        ("vehicle", "school bus"),
        ("car", "sports car"),
        ("motorcycle", "moped"),
        ("food", "pizza"),
        ("fruit", "banana"),
        ("screen", "television"),
        ("parcel", "carton"),
    ],
)
def test_a_group_holds_what_a_user_expects(model: Model, group: str, label: str) -> None:
    """Membership is by what a person would say of the picture."""
    assert model.labels.index(label) in model.groups[group]


@pytest.mark.parametrize(
    ("group", "label"),
    [
        ("cat", "lynx"),
        ("dog", "timber wolf"),
        ("weapon", "missile"),
        ("food", "espresso"),
        ("vehicle", "shopping cart"),
        ("vehicle", "airliner"),
        ("clothing", "seat belt"),
        ("computer", "slide rule"),
    ],
)
def test_a_group_leaves_out_what_a_user_would_find_wrong(model: Model, group: str, label: str) -> None:
    """WordNet's kinship alone is not enough: a slide rule is its kind of computer."""
    assert model.labels.index(label) not in model.groups[group]


def test_the_model_runs_and_says_of_the_synthetic_picture_what_its_card_says(model: Model) -> None:
    """The engine opens it, and its self-test (top-5 of the card) passes."""
    assert model.card.self_test is not None
    assert len(model.card.self_test.top5) == 5
    with open_engine(model, threads=1) as engine:
        assert engine.input.dtype == "int8"


@pytest.mark.shared_data
def test_int8_agrees_with_the_float_model_on_photographs(model: Model, shared_data: Path) -> None:
    """Quantization and our own preprocessing together change at most 5 of 100 answers.

    float_top1.csv: the float network (build_models.py --float) on bicubic centre crops of 0.875.
    The photographs are for this comparison only, not for a statement of accuracy.
    """
    photos = shared_data / "images" / "imagenet_sample"
    with (photos / "index.csv").open(encoding="utf-8") as index, FLOAT_TOP1.open(encoding="utf-8") as answers:
        files = {int(row["class_index"]): row["file"] for row in csv.DictReader(index)}
        expected = {int(row["class"]): int(row["float_top1"]) for row in csv.DictReader(answers)}
    assert files.keys() == expected.keys()
    with open_engine(model, threads=1) as engine:
        see = Classifier(model, engine, top=1)
        agreed = sum(see(photos / file).top[0].id == expected[number] for number, file in files.items())
    assert agreed >= MUST_AGREE

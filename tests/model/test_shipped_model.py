"""The models that are shipped: their files agree with each other, and groups mean what their names say."""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

import pytest

from edgecam.evaluation.classifier import Classifier
from edgecam.inference.engine import open_engine
from edgecam.model.card import OutputKind
from edgecam.model.graph import Graph, parse_graph
from edgecam.model.model import Model
from edgecam.model.store import load_model, shipped_folder
from edgecam.records import Score

MODELS = shipped_folder() / "models"
DEFAULT, LIGHT = "efficientnet_lite0_int8", "efficientnet_lite0_160_int8"
SIDE_PX = {DEFAULT: 224, LIGHT: 160}
FLOAT_TOP1 = Path(__file__).parent / "data" / "float_top1.csv"
# 96 and 86 were measured.
MUST_AGREE = {DEFAULT: 95, LIGHT: 84}


@pytest.fixture(scope="module", params=[DEFAULT, LIGHT])
def shipped(request: pytest.FixtureRequest) -> Model:
    """Each shipped model, loaded as the program loads it."""
    return load_model(MODELS / request.param)


@pytest.fixture(scope="module")
def model() -> Model:
    """The default model, whose labels and groups are those of every shipped one."""
    return load_model(MODELS / DEFAULT)


@pytest.fixture(scope="module")
def light() -> Model:
    """The lighter model that a camera may step down to."""
    return load_model(MODELS / LIGHT)


def _graph(model: Model) -> Graph:
    return parse_graph(model.path.read_bytes(), path=model.path)


def test_every_shipped_model_is_tested_here() -> None:
    """A model that is added to the tree gets the same checks."""
    assert {folder.name for folder in MODELS.iterdir()} == {DEFAULT, LIGHT}


def test_the_card_names_the_hash_of_the_file(shipped: Model) -> None:
    """A model directory is believed only when the file is the one that the card describes."""
    assert hashlib.sha256(shipped.path.read_bytes()).hexdigest() == shipped.card.sha256


def test_the_card_counts_what_the_graph_holds(shipped: Model) -> None:
    """`inspect` and the card tell the same parameters and multiply-accumulates."""
    graph = _graph(shipped)
    assert (graph.parameters, graph.macs) == (shipped.card.parameters, shipped.card.macs)


def test_the_file_needs_no_transposes_and_no_padding_operators(shipped: Model) -> None:
    """NHWC from end to end: what the converter would add costs time on every frame."""
    assert not {"TRANSPOSE", "PAD", "QUANTIZE", "DEQUANTIZE"} & set(_graph(shipped).operators)


def test_camera_bytes_enter_by_exclusive_or(shipped: Model) -> None:
    """Int8 at scale 1/128 and zero point -1 with mean 127, std 128: the tensor is `pixel ^ 0x80`."""
    (tensor,) = _graph(shipped).inputs
    side_px = SIDE_PX[shipped.name]
    assert (tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point) == (
        (1, side_px, side_px, 3),
        "int8",
        1 / 128,
        -1,
    )
    assert (set(shipped.card.input.mean), set(shipped.card.input.std)) == ({127.0}, {128.0})


def test_outputs_are_logits_with_a_label_each(shipped: Model) -> None:
    """Label n names output n: 1000 of them, and the host applies the softmax."""
    assert _graph(shipped).outputs[0].shape == (1, 1000)
    assert len(shipped.labels) == 1000
    assert shipped.card.output.kind is OutputKind.LOGITS


def test_the_lighter_model_can_take_the_defaults_place(light: Model, model: Model) -> None:
    """The same labels, the same groups, the same part of the picture."""
    assert light.labels == model.labels
    assert light.groups == model.groups
    ours, default = light.card.input, model.card.input
    assert (ours.fit, ours.crop_fraction) == (default.fit, default.crop_fraction)


def test_the_lighter_model_costs_at_most_six_tenths(light: Model, model: Model) -> None:
    """A step down must be worth the answers that it costs: counted in multiply-accumulates, not timed."""
    assert _graph(light).macs <= 0.6 * _graph(model).macs


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


def test_the_model_runs_and_says_of_the_synthetic_picture_what_its_card_says(shipped: Model) -> None:
    """The engine opens it, and its self-test (top-5 of the card) passes."""
    assert shipped.card.self_test is not None
    assert len(shipped.card.self_test.top5) == 5
    with open_engine(shipped, threads=1) as engine:
        assert engine.input.dtype == "int8"


def _first_answers(model: Model, photos: Path) -> dict[int, Score]:
    """For each photograph's class, what the model says first."""
    with (photos / "index.csv").open(encoding="utf-8") as index:
        files = {int(row["class_index"]): row["file"] for row in csv.DictReader(index)}
    with open_engine(model, threads=1) as engine:
        see = Classifier(model, engine, top=1)
        return {number: see(photos / file).top[0] for number, file in files.items()}


@pytest.mark.shared_data
def test_int8_agrees_with_the_float_model_on_photographs(shipped: Model, shared_data: Path) -> None:
    """Quantization, our own preprocessing and a smaller picture change no more answers than was measured.

    float_top1.csv: the float network (build_models.py --float) on bicubic centre crops of 0.875, 224x224.
    The photographs are for this comparison only, not for a statement of accuracy.
    """
    with FLOAT_TOP1.open(encoding="utf-8") as answers:
        expected = {int(row["class"]): int(row["float_top1"]) for row in csv.DictReader(answers)}
    found = _first_answers(shipped, shared_data / "images" / "imagenet_sample")
    assert found.keys() == expected.keys()
    agreed = sum(score.id == expected[number] for number, score in found.items())
    assert agreed >= MUST_AGREE[shipped.name]


@pytest.mark.shared_data
def test_the_lighter_model_is_no_surer_of_itself(light: Model, model: Model, shared_data: Path) -> None:
    """A threshold keeps its meaning when a camera steps down: who sees less must not claim more."""
    photos = shared_data / "images" / "imagenet_sample"
    ours, default = (_first_answers(each, photos).values() for each in (light, model))
    assert sum(first.score for first in ours) <= sum(first.score for first in default)

"""Adding one's own file: the card says what the file says, asks for the rest, and fits what is read again."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType

import pytest

from edgecam.commands import models_add
from edgecam.commands.models_add import add_model, told_by
from edgecam.commands.proving import prove
from edgecam.errors import EngineError, ModelError, UsageError
from edgecam.model.add import Told, add, unsaid
from edgecam.model.card import (
    Card,
    Channels,
    Fit,
    InputCard,
    OutputCard,
    OutputKind,
    SelfTest,
    Twin,
    read_card,
)
from edgecam.model.card_text import card_text
from edgecam.model.store import list_models, load_model

NAMES = ("cat", "dog", "cup", "rocket")
WORDS = Told(licence="Apache-2.0", source="made by the test")


def _file(tiny: ModuleType, folder: Path, **change: object) -> Path:
    path = folder / "pets.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(**change)))
    return path


def _labels(folder: Path, *names: str) -> Path:
    path = folder / "names.txt"
    path.write_text("\n".join(names or NAMES) + "\n", encoding="utf-8")
    return path


def _add(file: Path, told: Told, *, force: bool = False) -> Path:
    return add(file, file.parent / "models", told, name="pets", force=force, prove=prove)


def test_what_the_file_says_goes_into_the_card(tiny: ModuleType, tmp_path: Path) -> None:
    """Size, dtype, quantization, packed labels and normalisation, and the hash of the file."""
    file = _file(tiny, tmp_path, dtype="float32", mean=(127.5,), std=(127.5,), labels=NAMES)
    model = load_model(_add(file, WORDS))
    card = model.card
    assert model.labels == NAMES
    assert (card.input.width_px, card.input.height_px, card.input.mean, card.input.std) == (
        8,
        8,
        (127.5,),
        (127.5,),
    )
    assert card.output.kind is OutputKind.PROBABILITIES
    assert card.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (card.parameters, card.macs) == (772, 768)
    assert card.self_test is not None
    assert (card.licence, card.source) == ("Apache-2.0", "made by the test")


def test_a_quantized_input_says_its_normalisation_by_itself(tiny: ModuleType, tmp_path: Path) -> None:
    """A pixel is then the tensor's own number, which is what converters mean."""
    file = _file(tiny, tmp_path, dtype="int8")
    card = load_model(_add(file, replace(WORDS, labels=_labels(tmp_path)))).card
    assert (card.input.mean, card.input.std) == ((128.0,), (128.0,))


def test_what_the_user_says_counts_for_more(tiny: ModuleType, tmp_path: Path) -> None:
    """Packed labels may be in another language."""
    file = _file(tiny, tmp_path, labels=NAMES)
    groups = tmp_path / "g.yaml"
    groups.write_text("pet: {about: Lives with people, classes: [0, 1]}\n", encoding="utf-8")
    told = replace(
        WORDS,
        labels=_labels(tmp_path, "Katze", "Hund", "Tasse", "Rakete"),
        description="Haustiere",
        groups=groups,
        fit=Fit.SQUASH,
        crop_fraction=0.9,
        color=Channels.BGR,
        kind=OutputKind.LOGITS,
    )
    model = load_model(_add(file, told))
    assert model.labels[0] == "Katze"
    assert dict(model.groups) == {"pet": (0, 1)}
    assert (model.card.description, model.card.output.kind) == ("Haustiere", OutputKind.LOGITS)
    assert model.card.input.fit is Fit.SQUASH
    assert (model.card.input.crop_fraction, model.card.input.color) == (0.9, Channels.BGR)


def test_a_background_that_the_labels_do_not_name(tiny: ModuleType, tmp_path: Path) -> None:
    """One label too few is said with the option that helps."""
    file = _file(tiny, tmp_path, classes=5)
    told = replace(WORDS, labels=_labels(tmp_path))
    with pytest.raises(ModelError, match=r"4 labels, but .* 5 outputs.*--background-offset 1"):
        _add(file, told)
    model = load_model(_add(file, replace(told, background_offset=1)))
    assert model.labels == ("background", *NAMES)


def test_a_twin_is_kept_beside_it(tiny: ModuleType, tmp_path: Path) -> None:
    """With its own hash."""
    file = _file(tiny, tmp_path, labels=NAMES)
    twin = tmp_path / "pets_edgetpu.tflite"
    twin.write_bytes(tiny.make(tiny.Tiny(custom_op="edgetpu-custom-op")))
    place = _add(file, replace(WORDS, twins={"coral": twin}))
    digest = hashlib.sha256(twin.read_bytes()).hexdigest()
    assert read_card(place / "card.yaml").twins == {"coral": Twin("pets_edgetpu.tflite", digest)}
    assert (place / "pets_edgetpu.tflite").read_bytes() == twin.read_bytes()


@pytest.mark.parametrize(
    ("change", "told", "questions"),
    [
        ({}, Told(), ("labels", "licence", "source")),
        ({"labels": NAMES}, Told(), ("licence", "source")),
        ({"dtype": "float32"}, WORDS, ("labels", "mean", "std")),
        ({"dtype": "float32", "mean": (0.0,), "std": (255.0,)}, WORDS, ("labels",)),
        ({"dtype": "float32", "labels": NAMES}, replace(WORDS, mean=[0.0]), ("std",)),
        ({"labels": NAMES}, WORDS, ()),
    ],
)
def test_only_what_is_not_known_is_asked_for(
    tiny: ModuleType, tmp_path: Path, change: dict[str, object], told: Told, questions: tuple[str, ...]
) -> None:
    """Nobody answers what the file answers."""
    assert unsaid(_file(tiny, tmp_path, **change), told) == questions


def test_where_nobody_can_be_asked_all_missing_options_are_named_at_once(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that fails three times in a row is a nuisance."""
    monkeypatch.setattr(models_add, "_can_ask", lambda: False)
    with pytest.raises(UsageError) as caught:
        add_model(_file(tiny, tmp_path, dtype="float32"), Told(), folder=tmp_path)
    for option in ("--labels: ", "--mean: ", "--std: ", "--licence: ", "--source: "):
        assert f"\n  {option}" in str(caught.value)
    assert not (tmp_path / "models").exists()


def test_on_a_terminal_each_is_asked_until_it_is_answered(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty line is no answer."""
    monkeypatch.setattr(models_add, "_can_ask", lambda: True)
    answers = iter([str(_labels(tmp_path)), "127.5", "127.5", "", "Apache-2.0", "my own"])
    monkeypatch.setattr("builtins.input", lambda *_: next(answers))
    add_model(_file(tiny, tmp_path, dtype="float32"), Told(), folder=tmp_path)
    assert capsys.readouterr().out == f"{tmp_path / 'models' / 'pets'}\n"
    model = load_model(tmp_path / "models" / "pets")
    assert (model.labels, model.card.input.mean, model.card.source) == (NAMES, (127.5,), "my own")


def test_a_model_is_not_overwritten_unless_it_is_asked_for(tiny: ModuleType, tmp_path: Path) -> None:
    """And if it is, a file that does not fit leaves the old one."""
    file = _file(tiny, tmp_path, labels=NAMES)
    place = _add(file, WORDS)
    with pytest.raises(UsageError, match="exists and is left as it is"):
        _add(file, WORDS)
    with pytest.raises(ModelError, match="has 2 labels"):
        _add(file, replace(WORDS, labels=_labels(tmp_path, "one", "two")), force=True)
    assert load_model(place).labels == NAMES
    _add(file, replace(WORDS, labels=_labels(tmp_path, "a", "b", "c", "d")), force=True)
    assert load_model(place).labels == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dead": True}, "all 4 scores are"),
        ({"custom_op": "edgetpu-custom-op"}, "needs the coral delegate"),
        ({"inputs": 2}, "has 2 inputs"),
    ],
)
def test_what_does_not_run_does_not_appear(
    tiny: ModuleType, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    """Nothing is left of it, listed or not."""
    file = _file(tiny, tmp_path, **change)
    with pytest.raises((ModelError, EngineError), match=said):
        _add(file, replace(WORDS, labels=_labels(tmp_path)))
    assert list_models([tmp_path / "models"]) == []
    assert list((tmp_path / "models").glob("**/*") if (tmp_path / "models").exists() else []) == []


@pytest.mark.parametrize("name", ["../pets", "", ".hidden", "a/b", "-x", "a b"])
def test_a_name_is_a_plain_one(tiny: ModuleType, tmp_path: Path, name: str) -> None:
    """It becomes a folder's."""
    with pytest.raises(UsageError, match="is no name for a model"):
        add(_file(tiny, tmp_path), tmp_path, WORDS, name=name, force=True, prove=prove)


@pytest.mark.parametrize("options", [{"fit": "stretch"}, {"color": "cmyk"}, {"output": "scores"}])
def test_a_wrong_choice_is_told_with_the_right_ones(options: dict[str, str]) -> None:
    """The options are the card's own words."""
    with pytest.raises(UsageError, match="expected one of"):
        told_by({}, **{"fit": None, "color": None, "output": None, "twins": {}, **options})  # type: ignore[arg-type]


def test_a_written_card_is_read_as_it_was(tmp_path: Path) -> None:
    """Every key, also those that YAML would take for something else."""
    card = Card(
        name="yes",
        description='a: "b" # c — é',
        file="model.tflite",
        sha256="0" * 64,
        input=InputCard(
            224, 160, (123.7, 116.0, 103.5), (58.4, 57.1, 57.4), Fit.LETTERBOX, 0.875, Channels.BGR
        ),
        output=OutputCard(OutputKind.LOGITS, 1),
        licence="null",
        source="1.0",
        parameters=3,
        macs=4,
        self_test=SelfTest((3, 1)),
        twins={"coral": Twin("m_edgetpu.tflite", "1" * 64)},
    )
    # A key that is new in the card has to be written, too: here it is not its default.
    for part in (card, card.input, card.output):
        assert all(getattr(part, field.name) not in (field.default, {}) for field in fields(part))
    path = tmp_path / "card.yaml"
    path.write_text(card_text(card), encoding="utf-8")
    assert read_card(path) == card
    bare = replace(card, description="", parameters=None, macs=None, self_test=None, twins={})
    path.write_text(card_text(bare), encoding="utf-8")
    assert read_card(path) == bare


@pytest.mark.shared_data
def test_a_published_file_is_added_by_what_it_says(shared_data: Path, tmp_path: Path) -> None:
    """Its labels are packed in it."""
    file = shared_data / "models" / "mobilenet_v1_0.25_128_quant.tflite"
    place = add(file, tmp_path, WORDS, name="v1", force=False, prove=prove)
    assert load_model(place).labels[0] == "background"


@pytest.mark.parametrize("name", ["card.yaml", "labels.txt", "groups.yaml", "model.tflite"])
def test_a_twin_takes_the_place_of_no_other_file(tiny: ModuleType, tmp_path: Path, name: str) -> None:
    """Whatever it is called; what to do about it is told."""
    file = _file(tiny, tmp_path)
    (tmp_path / "twin").mkdir()
    twin = tmp_path / "twin" / name
    twin.write_bytes(file.read_bytes())
    groups = tmp_path / "groups.yaml"
    groups.write_text("pets: {classes: [0, 1]}\n", encoding="utf-8")
    told = replace(WORDS, labels=_labels(tmp_path), groups=groups, twins={"coral": twin})
    with pytest.raises(UsageError, match=f"another file of this model is called {name}, too; rename it"):
        _add(file, told)

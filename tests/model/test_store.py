"""Model directories: what fits is loaded, what does not is refused by name and with the remedy."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from edgecam.errors import ModelError
from edgecam.model import store
from edgecam.model.store import find_model, list_models, load_model


@pytest.fixture
def folder(tiny: ModuleType, tmp_path: Path) -> Path:
    """A whole model directory."""
    made: Path = tiny.write_folder(tmp_path / "models" / "pets", tiny.Tiny())
    return made


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _put_model(folder: Path, data: bytes) -> None:
    """Another model file, with the card's hash corrected so that only the model itself is at fault."""
    old = hashlib.sha256((folder / "model.tflite").read_bytes()).hexdigest()
    (folder / "model.tflite").write_bytes(data)
    _replace(folder / "card.yaml", old, hashlib.sha256(data).hexdigest())


def _refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_whole_directory_is_loaded(folder: Path) -> None:
    """Labels and groups are in the order of the outputs."""
    model = load_model(folder)
    assert model.name == "pets"
    assert model.path == folder / "model.tflite"
    assert model.labels == ("cat", "dog", "cup", "rocket")
    assert model.groups == {"pet": (0, 1), "thing": (2, 3)}
    assert model.sha256 == hashlib.sha256(model.path.read_bytes()).hexdigest()


def test_groups_are_optional(folder: Path) -> None:
    """A model of a few classes needs none."""
    (folder / "groups.yaml").unlink()
    assert load_model(folder).groups == {}


def test_a_background_offset_shifts_labels_and_groups(tiny: ModuleType, tmp_path: Path) -> None:
    """Five outputs, four labels: output 0 is the background, everything else moves up by one."""
    made = tiny.write_folder(tmp_path / "m", tiny.Tiny(classes=5))
    _replace(made / "card.yaml", "kind: probabilities", "kind: probabilities, background_offset: 1")
    model = load_model(made)
    assert model.labels == ("background", "cat", "dog", "cup", "rocket")
    assert model.groups == {"pet": (1, 2), "thing": (3, 4)}


@pytest.mark.parametrize("name", ["card.yaml", "labels.txt", "model.tflite"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    """Which of the files is missing decides what to do."""
    (folder / name).unlink()
    said = _refusal(folder)
    assert name in said
    assert "is missing" in said or "no such file" in said


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    """A wrong path is told as such."""
    assert _refusal(tmp_path / "nope") == f"{tmp_path / 'nope'}: no such model directory"


def test_a_file_is_no_model_directory(folder: Path) -> None:
    """Someone who names the .tflite is told what is wanted, and which commands take it."""
    said = _refusal(folder / "model.tflite")
    assert "is a file, but a model directory is needed" in said
    assert "edgecam inspect" in said


def test_another_models_file_is_told_by_its_hash(tiny: ModuleType, folder: Path) -> None:
    """Both hashes are shown, short enough to compare by eye."""
    other = tiny.make(tiny.Tiny(shape=(1, 8, 8, 3), softmax=False))
    expected = hashlib.sha256((folder / "model.tflite").read_bytes()).hexdigest()
    (folder / "model.tflite").write_bytes(other)
    got = hashlib.sha256(other).hexdigest()
    assert f"expected sha256 {expected[:12]}…, got {got[:12]}…" in _refusal(folder)


def test_a_truncated_model_is_told_as_damaged_not_as_another(folder: Path) -> None:
    """A download that stopped has a wrong hash too, but the reason is more use."""
    data = (folder / "model.tflite").read_bytes()
    (folder / "model.tflite").write_bytes(data[:-100])
    assert "is damaged" in _refusal(folder)


def test_a_file_of_another_kind_is_told_as_such(folder: Path) -> None:
    """An HTML error page saved as a model happens."""
    (folder / "model.tflite").write_bytes(b"<!DOCTYPE html><title>404</title>")
    assert "is not a TFLite model" in _refusal(folder)


def test_labels_that_do_not_match_the_outputs_are_refused(folder: Path) -> None:
    """A shifted list would name every picture wrongly."""
    _replace(folder / "labels.txt", "cat\n", "")
    said = _refusal(folder)
    assert "has 3 labels, but the model has 4 outputs" in said
    assert "background_offset: 1" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"custom_op": "edgetpu-custom-op"}, "compiled for the Edge TPU and needs the coral delegate"),
        ({"custom_op": "edgetpu-custom-op"}, "use the CPU twin"),
        ({"custom_op": "ethos-u"}, "compiled for the Arm Ethos-U NPU"),
        ({"custom_op": "FlexErf"}, "needs TensorFlow's Flex delegate (operator FlexErf)"),
        ({"custom_op": "MyOwnOp"}, "custom operators that no engine here knows (MyOwnOp)"),
        ({"inputs": 2}, "has 2 inputs (picture0, picture1)"),
        ({"shape": (1, 3, 8, 8)}, "has its channels first (NCHW)"),
        ({"shape": (1, 1, 8, 8)}, "has its channels first (NCHW)"),
        ({"shape": (4, 8, 8, 3)}, "takes 4 pictures at once; convert the model with batch size 1"),
        ({"shape": (1, -1, 8, 3)}, "has no fixed size"),
        ({"shape": (1, 1, 1, 3), "signature": (1, -1, -1, 3)}, "has no fixed size"),
        ({"shape": (1, 192)}, "is no picture; expected [1, height, width, 3 or 1]"),
        ({"shape": (1, 8, 8, 4)}, "has 4 channels; expected 3 (colour) or 1 (gray)"),
        ({"dtype": "int16"}, "picture0 [1, 8, 8, 3] int16 has a dtype that is not supported"),
        ({"output_shape": (1, 5, 4)}, "scores [1, 5, 4] uint8 is no list of scores"),
        ({"output_shape": (1, 1)}, "is no list of scores"),
    ],
)
def test_a_model_that_cannot_run_is_refused_by_name(
    tiny: ModuleType, folder: Path, change: dict[str, object], said: str
) -> None:
    """Each unsupported kind of model has its own reason and remedy."""
    spec = tiny.Tiny(**{"dtype": "uint8", **change})
    _put_model(folder, tiny.make(spec))
    assert said in _refusal(folder)


def test_a_free_batch_is_one_picture(tiny: ModuleType, folder: Path) -> None:
    """Keras leaves the batch open; LiteRT then runs one picture at a time."""
    _put_model(folder, tiny.make(tiny.Tiny(signature=(-1, 8, 8, 3))))
    assert len(load_model(folder).labels) == 4


def test_scores_in_four_axes_are_accepted(tiny: ModuleType, folder: Path) -> None:
    """Some networks leave the pooled axes: [1, 1, 1, classes] is the same list."""
    _put_model(folder, tiny.make(tiny.Tiny(output_shape=(1, 1, 1, 4))))
    assert len(load_model(folder).labels) == 4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("width_px: 8", "width_px: 9", "input is 9x8 px in the card, but 8x8 px in the model"),
        (
            "color: rgb",
            "color: gray",
            "input.color is gray in the card, but the model's input has 3 channels",
        ),
    ],
)
def test_a_card_that_describes_another_network_is_refused(
    folder: Path, old: str, new: str, said: str
) -> None:
    """The card and the file must speak of the same picture."""
    _replace(folder / "card.yaml", old, new)
    assert said in _refusal(folder)


def test_a_gray_model_wants_a_gray_card(tiny: ModuleType, tmp_path: Path) -> None:
    """One channel is gray, and only then."""
    made = tiny.write_folder(tmp_path / "m", tiny.Tiny(shape=(1, 8, 8, 1)))
    assert load_model(made).card.input.color == "gray"
    _replace(made / "card.yaml", "color: gray", "color: rgb")
    assert "has 1 channel; set it to gray" in _refusal(made)


@pytest.fixture
def shipped(tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of the shipped one, with one model."""
    place = tmp_path / "shipped"
    tiny.write_folder(place / "models" / "lite0", tiny.Tiny())
    monkeypatch.setattr(store, "shipped_folder", lambda: place)
    return place


def test_a_model_is_found_beside_the_configuration_first(folder: Path, shipped: Path) -> None:
    """A user's own copy of a shipped model wins."""
    here = folder.parent.parent
    assert find_model("models/pets", folder=here) == folder
    assert find_model("models/lite0", folder=here) == shipped / "models" / "lite0"
    assert find_model("lite0", folder=here) == shipped / "models" / "lite0"
    assert find_model(str(folder), folder=Path("/")) == folder
    shutil.copytree(shipped / "models" / "lite0", folder.parent / "lite0")
    assert find_model("models/lite0", folder=here) == folder.parent / "lite0"


@pytest.mark.usefixtures("shipped")
def test_an_unknown_model_gets_the_nearest_name(folder: Path) -> None:
    """A slip of the finger is corrected."""
    with pytest.raises(ModelError, match=r"models/lite1: no such model; did you mean 'lite0'\?"):
        find_model("models/lite1", folder=folder.parent.parent)
    with pytest.raises(ModelError, match="no such model; known models: lite0, pets"):
        find_model("zzz", folder=folder.parent.parent)
    with pytest.raises(ModelError, match=r"gone.tflite: no such file$"):
        find_model("gone.tflite", folder=folder)


def test_a_faulty_model_is_listed_with_its_fault(tiny: ModuleType, folder: Path) -> None:
    """One broken directory must not hide the others; the same folder twice lists once."""
    tiny.write_folder(folder.parent / "broken", tiny.Tiny(inputs=2))
    models = folder.parent
    broken, pets = list_models((models, models / ".." / "models"))
    assert broken.model is None
    assert broken.fault is not None
    assert "has 2 inputs" in broken.fault
    assert pets.fault is None
    assert pets.model is not None
    assert pets.model.name == "pets"


def test_a_folder_without_models_lists_nothing(tmp_path: Path) -> None:
    """A configuration need not have models of its own."""
    assert list_models((tmp_path / "nope",)) == []

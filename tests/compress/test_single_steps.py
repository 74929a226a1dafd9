"""One step by itself: what it refuses before anything is learnt, and what it says afterwards."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest

from edgecam.commands.compress_step import Wanted, _claimed, do_step
from edgecam.compress import extra
from edgecam.compress.picture_sets import above_sets, tally
from edgecam.compress.published import EFFICIENTNET_LITE0, PUBLISHED, Published
from edgecam.errors import EdgecamError, ModelError, SourceError, UnusableError, UsageError
from edgecam.evaluation.pictures import LabelledPicture, PictureSet
from edgecam.model.staging import staged

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "compress_step.schema.json"
TINY = {"design": "micro_mobilenet", "side_px": 32, "width": 0.25, "epochs": 1}


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """Two sets, `train` and `test`, of red and of blue pictures, and `own`, without labels."""
    chance = np.random.default_rng(1)
    for folder in ("train/red", "train/blue", "test/red", "test/blue", "own"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(6):
            pixels = chance.integers(0, 90, (32, 32, 3), dtype=np.uint8)
            pixels[..., 2 if folder.endswith("red") else 0] += 120
            cv2.imwrite(str(tmp_path / folder / f"{number}.png"), pixels)
    return tmp_path


@pytest.fixture
def with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with the extra: what is refused here is refused before torch is asked for anything."""
    monkeypatch.setattr(extra, "find_spec", lambda _name: object())


@pytest.mark.usefixtures("with_torch")
def test_two_do_not_learn_for_one_place(sets: Path) -> None:
    """The second would be told after hours; when the first has ended, however, nothing is left in the way."""
    with (
        _claimed(sets / "model"),
        pytest.raises(ModelError, match=r"^[^ ]*/model: another edgecam is at work in it"),
    ):
        train(sets)
    assert not list(sets.glob(".incoming"))
    with _claimed(sets / "model"), staged(sets, "model"):
        pass


@pytest.mark.usefixtures("with_torch")
def test_missing_weights_are_told_before_pictures_are_read(
    sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading thousands of them takes minutes."""
    (sets / "test" / "red" / "0.png").write_bytes(b"no picture")
    mine = Published(
        **{**dataclasses.asdict(EFFICIENTNET_LITE0), "package": "edgecam-has-no-such-weights==1"}
    )
    monkeypatch.setitem(PUBLISHED, "efficientnet_lite0", mine)
    with pytest.raises(UnusableError, match="weights of efficientnet_lite0 are not installed"):
        do_step("transfer", {}, Wanted(pictures=sets / "train", out=sets / "model", test=sets / "test"))


@pytest.mark.usefixtures("with_torch")
def test_a_teacher_is_found_by_name_among_the_shipped_models(sets: Path) -> None:
    """As everywhere else that a model is named; one that is not there is told with those that are."""
    wanted = Wanted(pictures=sets / "train", out=sets / "model")
    with pytest.raises(ModelError, match="no such model; did you mean 'efficientnet_lite0_int8'"):
        do_step("distil", {}, wanted, model=sets, teacher=Path("efficientnet_lite0_int9"))
    with pytest.raises(ModelError, match=re.escape(f"{sets}: ")):
        do_step("distil", {}, wanted, model=sets, teacher=Path("efficientnet_lite0_int8"))


def train(sets: Path, *, out: str = "model", test: str | None = "test") -> None:
    """Train the smallest network there is."""
    do_step(
        "train",
        TINY,
        Wanted(pictures=sets / "train", out=sets / out, test=None if test is None else sets / test),
    )


@pytest.mark.usefixtures("with_torch")
@pytest.mark.parametrize("out", ["train/model", "test/red/model", "train/../train/deep/model"])
def test_a_model_does_not_lie_among_the_pictures(sets: Path, out: str) -> None:
    """The next step would take it for a class without pictures."""
    with pytest.raises(UsageError, match=r"--out: .* lies among the pictures in"):
        train(sets, out=out)


@pytest.mark.usefixtures("with_torch")
@pytest.mark.parametrize(("option", "meant"), [("pictures", "train"), ("test", "test")])
def test_the_folder_above_the_sets_is_no_set(sets: Path, option: str, meant: str) -> None:
    """It would teach a network to tell test pictures from those for training."""
    wanted = Wanted(pictures=sets / "train", test=sets / "test", out=sets.parent / "model")
    wrong: Any = {option: sets}
    with pytest.raises(UsageError, match=rf"--{option}: .* above test and train, .*; give .*/{meant}$"):
        do_step("train", TINY, dataclasses.replace(wanted, **wrong))


def test_a_class_may_be_called_train(sets: Path) -> None:
    """Railways are seen, too: what has pictures itself is a class, and no set."""
    (sets / "train" / "red").rename(sets / "own" / "red")
    (sets / "own" / "red").rename(sets / "own" / "train")
    assert above_sets(sets / "own", "train") is None


@pytest.mark.usefixtures("with_torch")
def test_one_class_is_refused_with_its_folder(sets: Path) -> None:
    """There is nothing to tell apart, and the user has to find where a class is missing."""
    (sets / "train" / "red").rename(sets / "red")
    with pytest.raises(SourceError, match=r"/train: expected at least 2 classes, got blue;"):
        train(sets, test=None)


def test_what_is_learnt_is_told_in_one_line() -> None:
    """A wrong folder is seen by its classes; a thousand of them are no flood."""

    def told(*counts: int) -> str:
        labels = tuple(f"c{index}" for index in range(len(counts)))
        found = [LabelledPicture(Path(), index) for index, count in enumerate(counts) for _ in range(count)]
        return tally(PictureSet(Path(), labels, tuple(found)))

    assert told(6, 0, 4) == "3 classes: c0 6, c1 0, c2 4"
    assert told(9, *[5] * 10, 2) == "12 classes, 61 pictures: from c11 2 to c0 9"


@pytest.mark.usefixtures("with_torch")
def test_test_pictures_are_read_before_anything_is_learnt(sets: Path) -> None:
    """One that is damaged would otherwise count for nothing, silently, after hours."""
    (sets / "test" / "red" / "0.png").write_bytes(b"no picture")

    with pytest.raises(SourceError, match=r"red/0\.png: is not a picture"):
        train(sets)
    assert not (sets / "model").exists()


@pytest.mark.usefixtures("with_torch")
def test_what_is_no_picture_by_its_ending_is_told(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody believes to have trained with pictures that were left out; thousands are no flood."""
    (sets / "file").touch()
    for number in range(20):
        (sets / "train" / "red" / f"{number}.heic").touch()

    with pytest.raises(ModelError):
        train(sets, out="file/model")
    told = capsys.readouterr().err.splitlines()
    assert sum("is no picture by its ending" in line for line in told) == 5
    assert "and 15 more like these" in told


@pytest.mark.usefixtures("with_torch")
def test_a_place_that_cannot_be_written_is_told_before_anything_is_learnt(sets: Path) -> None:
    """Hours of learning are not thrown away for a wrong path."""
    (sets / "file").touch()

    with pytest.raises(ModelError, match="cannot be written"):
        train(sets, out="file/model")


@pytest.mark.usefixtures("with_torch")
def test_unlabelled_pictures_are_no_test_either(sets: Path) -> None:
    """A student that saw the test pictures with its teacher's answers has seen them."""
    (sets / "teacher").mkdir()
    (sets / "own" / "again.png").symlink_to(sets / "test" / "red" / "0.png")
    wanted = Wanted(pictures=sets / "train", out=sets / "model", test=sets / "test")

    with pytest.raises(SourceError, match="is among the unlabelled pictures and those for testing"):
        do_step("distil", {"unlabelled": str(sets / "own")}, wanted, teacher=sets / "teacher")


@pytest.mark.usefixtures("with_torch")
@pytest.mark.parametrize("given", ["model", "teacher"])
def test_a_model_does_not_take_the_place_of_what_it_is_made_of(sets: Path, given: str) -> None:
    """It would be compared with itself, and have lost nothing whatever it lost."""
    (sets / "base").mkdir()
    (sets / "other").mkdir()
    (sets / "base" / "card.yaml").touch()
    wanted = Wanted(pictures=sets / "train", out=sets / "base", force=True)
    models = {"model": sets / "other", "teacher": sets / "other", given: sets / "base"}
    with pytest.raises(UsageError, match="is the very model that this is made of"):
        do_step("distil", {}, wanted, **models)


@pytest.mark.usefixtures("with_torch")
def test_a_limit_of_loss_needs_pictures_to_measure_it_on(sets: Path) -> None:
    """Else it would be kept by nobody."""
    wanted = Wanted(pictures=sets / "train", out=sets / "model", max_loss_points=1)
    (sets / "base").mkdir()
    with pytest.raises(UsageError, match=r"--max-loss-points: .*give --test"):
        do_step("qat", {}, wanted, model=sets / "base")


def test_a_step_says_what_it_cost_and_gained(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Size and accuracy, before and after; what costs too much is an error, and is there to look at."""
    pytest.importorskip("litert_torch", reason="the extra compress is not installed")
    train(sets, out="base", test=None)
    said = capsys.readouterr().out
    assert "  parameters " in said
    assert "accuracy was not measured: give --test" in said

    settings = {"macs": 0.6, "rounds": 1, "epochs": 1}
    wanted = Wanted(
        pictures=sets / "train", out=sets / "small", test=sets / "test", as_json=True, max_loss_points=-101
    )
    with pytest.raises(EdgecamError, match=r"lost .* points of accuracy, and may lose -101"):
        do_step("prune", settings, wanted, model=sets / "base")
    printed = json.loads(capsys.readouterr().out)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(printed)
    assert set(printed) == set(schema["properties"])
    assert printed["size"]["macs"] <= 0.6 * printed["size_before"]["macs"]
    assert (sets / "small" / "card.yaml").exists()

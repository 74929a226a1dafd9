"""What a recipe's results depend on, and what is refused before the first step is done."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra compress is not installed: scripts/check-compress runs this")

from edgecam.commands.proving import prove
from edgecam.compress.chain import Job
from edgecam.compress.recipe_file import load_recipe
from edgecam.compress.workshop import RealWorkshop
from edgecam.errors import ModelError, SourceError

RECIPE = """\
name: birds
pictures: {train: train, test: test}
out: out
steps:
  base: {transfer: {weights: mine.pth}}
  student: {from: base, distil: {teacher: base, unlabelled: own}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recipe with all that it names."""
    for number, name in enumerate(("train/cat", "train/dog", "test/cat", "test/dog", "own")):
        (tmp_path / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / name / "1.png"), np.full((8, 8, 3), 40 * number, np.uint8))
    (tmp_path / "mine.pth").write_bytes(b"some weights")
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def workshop(folder: Path) -> RealWorkshop:
    """Of the recipe."""
    return RealWorkshop(load_recipe(folder / "recipe.yaml"), prove)


def test_other_weights_in_the_same_file_are_other_weights(folder: Path) -> None:
    """Else a result of the old ones would be taken again; a file that is missing is told at once."""
    before = workshop(folder).facts()
    assert workshop(folder).facts() == before
    (folder / "mine.pth").write_bytes(b"other weights")
    after = workshop(folder).facts()
    assert {key for key in before if before[key] != after[key]} == {"weights"}
    (folder / "mine.pth").unlink()
    with pytest.raises(ModelError, match=r"mine\.pth: cannot be read"):
        workshop(folder)


def test_unlabelled_pictures_are_no_test(folder: Path) -> None:
    """A student that saw the test pictures with its teacher's answers has seen them."""
    (folder / "own" / "again.png").symlink_to(folder / "test" / "dog" / "1.png")
    with pytest.raises(
        SourceError, match="is among the unlabelled pictures of student and those for testing"
    ):
        workshop(folder)


def test_test_pictures_are_read_before_the_first_step(folder: Path) -> None:
    """One that is damaged would count for nothing, silently, in every accuracy of the report."""
    (folder / "test" / "dog" / "1.png").write_bytes(b"no picture")
    (folder / "test" / "dog" / "2.heic").touch()
    room = workshop(folder)
    learnt, *others = room.words()
    assert learnt == "2 classes: cat 1, dog 1"
    assert [Path(line.partition(":")[0]).name for line in others] == ["2.heic"]
    step = load_recipe(folder / "recipe.yaml").recipe.steps["base"]
    with pytest.raises(SourceError, match=r"dog/1\.png: is not a picture"):
        room.make(Job("base", step, 1, None, None), folder / "job", lambda *_: None)

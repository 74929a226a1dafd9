"""Recipes: what may stand in one, and how a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecam.compress.recipe_file import LoadedRecipe, load_recipe, recipe_schema
from edgecam.errors import ConfigError, UsageError

WHOLE = """\
name: birds
pictures:
  train: train
  test: test
out: out
seeds: [1, 2]
max_loss_points: 1.5
steps:
  base:
    train: {design: mobilenet_v2, side_px: 32, width: 0.5, epochs: 3}
  pruned:
    from: base
    max_loss_points: 4
    prune: {macs: 0.3}
  student:
    from: pruned
    distil: {teacher: base}
  student_int8:
    from: student
    quantize:
  student_c:
    from: student_int8
    tiny:
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures beside which a recipe can lie."""
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
    return tmp_path


def load(folder: Path, text: str, *sets: str) -> LoadedRecipe:
    """The recipe of a text."""
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path, sets=sets)


def problems(folder: Path, text: str, *sets: str) -> list[str]:
    """What is said of a wrong recipe, a line per problem, without the folder."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, *sets)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_a_whole_recipe_is_read_in_the_order_of_its_steps(folder: Path) -> None:
    """Steps keep their order, a bare deed has its defaults, and paths refer to the recipe's folder."""
    loaded = load(folder, WHOLE)

    assert [(name, step.kind) for name, step in loaded.recipe.steps.items()] == [
        ("base", "train"),
        ("pruned", "prune"),
        ("student", "distil"),
        ("student_int8", "quantize"),
        ("student_c", "tiny"),
    ]
    assert loaded.recipe.steps["student_int8"].quantize is not None
    assert loaded.recipe.steps["student_int8"].quantize.scheme == "int8"
    assert loaded.recipe.steps["student"].teacher == "base"
    assert (loaded.train, loaded.test, loaded.out) == (folder / "train", folder / "test", folder / "out")


def test_flags_stand_above_the_file(folder: Path) -> None:
    """`--set` changes a value, so that a recipe serves other pictures."""
    loaded = load(
        folder, WHOLE, "seeds=[7]", "steps.pruned.prune.macs=0.5", f"pictures.train={folder}/test/../train"
    )

    assert loaded.recipe.seeds == [7]
    assert loaded.recipe.steps["pruned"].prune is not None
    assert loaded.recipe.steps["pruned"].prune.macs == 0.5
    with pytest.raises(UsageError, match="key=value"):
        load(folder, WHOLE, "seeds")


TYPE = "expected a whole number from 1 to 1000, or null"
DEEDS = "train, transfer, prune, distil, qat, quantize, tiny"
NO_WAY = '"student" does distil, from which nothing can go on here; expected one of student_int8'
LEARNT = "train and test are the same; accuracy on pictures that were learnt says nothing"
NOWHERE = "there is no nowhere; name a folder of class folders, or a CSV"
NAMED = "expected a name of a-z, 0-9, _ and -, the first no sign"
ONE_TARGET = "expected one of macs, ms and sparsity"
ABOVE = "stands above; expected one of base"


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("epochs: 3", "epochs: many", "10:60: steps.base.train.epochs", f'{TYPE}, got "many"'),
        ("epochs: 3", "epoch: 3", "10:60: steps.base.train.epoch", 'unknown key; did you mean "epochs"?'),
        ("from: base", "from: bose", "12:5: steps.pruned.from", f'no step "bose" {ABOVE}'),
        ("    from: base\n", "", "11:3: steps.pruned.from", "this key is missing; expected one of base"),
        ("r: base}", "r: x}", "17:14: steps.student.distil.teacher", f'no step "x" {ABOVE}, pruned'),
        ("from: student_int8", "from: student", "22:5: steps.student_c.from", NO_WAY),
        ("macs: 0.3", "macs: 400", "14:13: steps.pruned.prune.macs", "which is no network; for a half"),
        ("macs: 0.3", "macs: 0.3, ms: 2", "14:5: steps.pruned.prune", ONE_TARGET),
        ("quantize:", "qat:\n    tiny:", "18:3: steps.student_int8", f"one of {DEEDS}, got qat and tiny"),
        ("base:\n", "base:\n    from: x\n", "10:5: steps.base.from", "train goes on from no other step"),
        ("test: test", "test: train", "2:1: pictures", LEARNT),
        ("[1, 2]", "[1, 1]", "6:1: seeds", "expected each seed once"),
        ("test: test", "test: nowhere", "4:3: pictures.test", NOWHERE),
        ("  student_int8:", "  Student:", "18:3: steps.Student", NAMED),
    ],
)
def test_a_fault_is_told_with_its_place_and_remedy(
    folder: Path, old: str, new: str, place: str, said: str
) -> None:
    """Each wrong value is found at its line and column, in the manner of the configuration."""
    told = problems(folder, WHOLE.replace(old, new, 1))

    assert [text for text in told if text.startswith(f"recipe.yaml:{place}: ") and said in text]


def test_every_fault_is_told_at_once(folder: Path) -> None:
    """A recipe is not mended one fault a run."""
    broken = (
        WHOLE.replace("epochs: 3", "epochs: 0")
        .replace("macs: 0.3", "macs: -1")
        .replace("name: birds", "name: B")
    )

    assert len(problems(folder, broken)) == 3


def test_a_recipe_that_is_not_there_is_told_as_such(folder: Path) -> None:
    """The remedy is a recipe's, not the configuration's."""
    with pytest.raises(ConfigError, match="no such file; name a recipe") as caught:
        load_recipe(folder / "none.yaml")
    assert caught.value.reference == "docs/compress.md"


def test_every_key_stands_in_the_reference() -> None:
    """docs/compress.md knows what a recipe may hold."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "compress.md").read_text(encoding="utf-8")
    step = recipe_schema()["properties"]["steps"]["additionalProperties"]["properties"]
    blocks = [
        choice["properties"] for deed in step.values() for choice in deed["anyOf"] if "properties" in choice
    ]
    keys = {key for block in (recipe_schema()["properties"], step, *blocks) for key in block}

    assert {"macs", "teacher", "frozen_epochs", "from"} <= keys
    assert [key for key in sorted(keys) if f"`{key}" not in text and f".{key}`" not in text] == []


def test_results_do_not_lie_among_unlabelled_pictures(folder: Path) -> None:
    """The report's plot would become a picture for the next run, which then does everything anew."""
    (told,) = problems(folder, WHOLE, "steps.student.distil.unlabelled=own", "out=own/results")
    assert "lies among the pictures in own" in told


def test_the_folder_above_the_sets_is_no_set(folder: Path) -> None:
    """It would teach a network to tell test pictures from those for training."""
    for name in ("things/Train/cat", "things/test/cat", "things/unlabelled"):
        (folder / name).mkdir(parents=True)
    (told,) = problems(folder, WHOLE, "pictures.train=things")
    assert "pictures.train: " in told
    assert "things looks like the folder above Train and test" in told
    assert told.endswith("things/Train")


@pytest.mark.parametrize("out", ["train", "train/deep/out", "./test/../train/x"])
def test_results_do_not_lie_among_the_pictures(folder: Path, out: str) -> None:
    """The next run would take them for pictures, and go on with nothing."""
    (told,) = problems(folder, WHOLE, f"out={out}")
    assert "out: " in told
    assert "lies among the pictures in train" in told


def test_a_home_that_nobody_has_is_a_folder_like_others(folder: Path) -> None:
    """As in a shell."""
    assert load(folder, WHOLE, "out='~nobody-of-that-name/x'").out == folder / "~nobody-of-that-name" / "x"

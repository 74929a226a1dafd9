"""The commands around recipes: what they ask for, list and refuse, without training anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from edgecam.cli import app
from edgecam.commands import compress_run, compress_step
from edgecam.commands.compress_architectures import show_architectures
from edgecam.commands.compress_run import run_recipe
from edgecam.commands.compress_step import Wanted, do_step
from edgecam.compress import extra
from edgecam.compress.picture_sets import read_apart
from edgecam.compress.publishing import left_behind, lineage
from edgecam.compress.recipe import Kind
from edgecam.compress.recipe_file import single_step
from edgecam.errors import SourceError, UnusableError, UsageError
from edgecam.evaluation.pictures import read_picture_set

WHY = "the extra compress is not installed: scripts/check-compress runs this"
SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
FIFTY = "50 means 50 multiply-accumulates, which is no network; for 50 % write 0.5"
RECIPE = """\
name: birds
pictures: {train: train, test: test}
out: out
steps:
  base: {train: {}}
"""


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without the extra."""
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == "torch" else object())


@pytest.mark.usefixtures("without_torch")
def test_a_missing_extra_is_told_before_anything_is_done(tmp_path: Path) -> None:
    """Exit code 69, and how to get it; nothing is left behind."""
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")

    with pytest.raises(
        UnusableError, match=r"torch is not installed: `pip install 'edgecam\[compress\]'`"
    ) as run:
        run_recipe(tmp_path / "recipe.yaml")
    with pytest.raises(UnusableError, match=r"edgecam\[compress\]"):
        do_step("train", {}, Wanted(pictures=tmp_path / "train", out=tmp_path / "model"))
    assert run.value.exit_code == 69
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recipe.yaml", "test", "train"]


def test_an_interruption_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever stops a recipe with Ctrl-C is told that nothing that was finished is lost."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("train", "test"):
        (tmp_path / name).mkdir()
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    monkeypatch.setattr(compress_run, "require_compress", lambda: None)
    monkeypatch.setattr(compress_run, "_do", interrupted)

    with pytest.raises(KeyboardInterrupt):
        run_recipe(tmp_path / "recipe.yaml")
    assert "the same command goes on" in capsys.readouterr().err


def test_learning_does_not_pass_for_a_test() -> None:
    """What is right of the training pictures is told as that, and nothing before anything is learnt."""
    training = pytest.importorskip("edgecam.compress.training", reason=WHY, exc_type=ImportError)
    from edgecam.compress.telling import heard

    told: list[str] = []
    hear = heard(lambda _, what: told.append(what))
    hear(training.Progress(0.1, 0, 15, 0.0, 0.0, stage="last layer"))
    hear(training.Progress(0.5, 2, 10, 0.3, 0.92, stage="fine-tuning"))

    assert told == ["last layer", "fine-tuning, epoch 2 of 10, 92 % of the training pictures right"]


def test_a_network_from_scratch_learns_for_longer_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a step does not say is its kind's own default, as docs/compress.md has it."""
    steps = pytest.importorskip("edgecam.compress.steps", reason=WHY, exc_type=ImportError)
    asked: list[Any] = []
    monkeypatch.setattr(steps, "train", lambda *given, **_: asked.append(given[2]))
    monkeypatch.setattr(steps.Maker, "_seen", lambda *_: None)
    monkeypatch.setattr(steps.Maker, "_write", lambda *_: ())
    for label in ("owl", "tit"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.jpg").touch()
    make = steps.Maker(read_picture_set(tmp_path), folder=tmp_path, licence="", origin="", prove=print)

    for said in ({}, {"epochs": 2}):
        step = single_step("train", said)
        make(steps.Order(step=step, place=tmp_path, source=None, teacher=None, seed=1), lambda *_: None)

    assert [(each.epochs, each.learning_rate) for each in asked] == [(30, 0.003), (2, 0.003)]


def test_pictures_that_were_learnt_are_no_test(tmp_path: Path) -> None:
    """Nor when they come by another way, or as copies; what is apart is read with the same labels."""
    for path in ("a/cat/1.png", "a/dog/2.png", "b/dog/3.png", "d/dog/5.png", "d/dog/6.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"as long as {path}", encoding="utf-8")
    (tmp_path / "d" / "dog" / "6.png").write_bytes((tmp_path / "a" / "cat" / "1.png").read_bytes())
    (tmp_path / "c" / "cat").mkdir(parents=True)
    (tmp_path / "c" / "cat" / "4.png").symlink_to(tmp_path / "a" / "cat" / "1.png")

    learnt, shown = read_apart(tmp_path / "a", tmp_path / "b")

    assert learnt.labels == shown.labels == ("cat", "dog")
    with pytest.raises(SourceError, match="is among the pictures for training and those for testing"):
        read_apart(tmp_path / "a", tmp_path / "c")
    with pytest.raises(SourceError, match=r"d/dog/6\.png: is a copy of .*a/cat/1\.png, which") as caught:
        read_apart(tmp_path / "a", tmp_path / "d")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("prune", {"macs": 0.3, "ms": 2}, "expected one of --macs, --ms and --sparsity"),
        ("prune", {"macs": -1}, "--macs: expected a number above 0, got -1"),
        ("prune", {"macs": 50}, f"--macs: {FIFTY}"),
        ("train", {"side_px": 8}, "--side: expected a whole number from 16 to 512, got 8"),
        ("qat", {"learning_rate": 0.0}, "--learning-rate: expected a number above 0, at most 10, got 0.0"),
    ],
)
def test_a_single_step_goes_by_the_rules_of_a_recipe(
    kind: str, settings: dict[str, float], said: str
) -> None:
    """The command line refuses what a recipe does, and calls it what the user typed."""
    with pytest.raises(UsageError) as caught:
        single_step(kind, settings)  # type: ignore[arg-type]
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ("train --design micro_mobilenet --side 96 --width 0.25 --batch 8", {"width": 0.25, "batch": 8}),
        ("transfer --backbone mobilenet_v2 --frozen-epochs 2 --no-flip", {"frozen_epochs": 2, "flip": False}),
        ("transfer --balanced", {"balanced": True, "flip": True}),
        (
            "prune MODEL --macs 0.3 --rounds 2 --importance magnitude",
            {"macs": 0.3, "importance": "magnitude"},
        ),
        ("prune MODEL --ms 2 --measure-with bench", {"ms": 2.0, "measure_with": "bench"}),
        ("prune MODEL --sparsity 0.7 --epochs 3", {"sparsity": 0.7, "epochs": 3}),
        ("distil MODEL --teacher MODEL --temperature 2 --weight 0.5", {"temperature": 2.0, "weight": 0.5}),
        ("prune MODEL --macs 0.3 --max-loss-points 2", {"macs": 0.3}),
        ("qat MODEL --epochs 2 --learning-rate 0.0001", {"epochs": 2, "learning_rate": 0.0001}),
    ],
)
def test_the_command_line_says_what_a_recipe_would(
    arguments: str, settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every option is a key of the step, and none is lost on the way."""
    asked: list[tuple[Kind, Mapping[str, Any], Wanted]] = []

    def do(kind: Kind, said: Mapping[str, Any], wanted: Wanted, **models: Path) -> None:
        assert set(models.values()) <= {Path("MODEL")}
        asked.append((kind, said, wanted))

    monkeypatch.setattr(compress_step, "do_step", do)
    command = ["compress", *arguments.split(), "--pictures", "p", "--out", "o", "--seed", "7", "--test", "t"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    ((kind, said, wanted),) = asked

    given = {key: value for key, value in said.items() if value is not None}
    step = single_step(kind, given | ({"teacher": "teacher"} if kind == "distil" else {}))
    assert step.settings.model_dump().items() >= settings.items()
    assert (wanted.max_loss_points is not None) == ("max-loss-points" in arguments)
    assert (wanted.pictures, wanted.out, wanted.seed, wanted.test) == (Path("p"), Path("o"), 7, Path("t"))


def test_architectures_are_listed_for_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """The textbook's sizes; those of one width do not mind another one."""
    show_architectures(classes=1000, side_px=224, width=None, as_json=False)
    shown = capsys.readouterr().out
    show_architectures(classes=10, side_px=32, width=0.5, as_json=True)
    listed = json.loads(capsys.readouterr().out)

    assert "mobilenet_v2            3.49 M  301 M" in shown
    schema = json.loads((SCHEMAS / "compress_architectures.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(listed)
    assert {entry["name"] for entry in listed["architectures"]} >= {"mobilenet_v2", "efficientnet_lite0"}


def test_tables_end_where_their_text_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pager or a file, one long row does not make all the others wrap."""
    show_architectures(classes=3, side_px=96, width=None, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert not [line for line in lines if line.endswith(" ")]


def test_a_model_descends_from_its_teachers_too() -> None:
    """Provenance names every step that had a part in it, and no other."""
    steps = [
        {"name": "large", "from": None, "teacher": None},
        {"name": "small", "from": None, "teacher": None},
        {"name": "other", "from": "small", "teacher": None},
        {"name": "pupil", "from": "small", "teacher": "large"},
        {"name": "pupil_int8", "from": "pupil", "teacher": None},
    ]

    names = [step["name"] for step in lineage({"steps": steps}, "pupil_int8")]

    assert names == ["large", "small", "pupil", "pupil_int8"]


def test_models_of_an_earlier_run_are_not_taken_for_results(tmp_path: Path) -> None:
    """A recipe that stops early, or has other steps now, finds models of which its report is silent."""
    for name in ("birds_base", "birds_small", "fish_base"):
        (tmp_path / name).mkdir()
    assert left_behind(tmp_path, {"recipe": "birds", "steps": [{"name": "base"}]}) == [
        tmp_path / "birds_small"
    ]

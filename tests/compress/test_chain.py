"""The chain: what is done, what is taken again, and where it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_workshop
import pytest
from fake_workshop import Ears, FakeWorkshop, run

from edgecam.compress.results import RESULT_FILE

RECIPE = """\
name: birds
pictures: {train: train, test: test}
out: out
seeds: [1, 2]
max_loss_points: 1
steps:
  base:
    train: {epochs: 3}
  pruned:
    from: base
    prune: {macs: 0.3}
  student:
    from: pruned
    distil: {teacher: base}
"""
JOBS = [(step, seed) for step in ("base", "pruned", "student") for seed in (1, 2)]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe with pictures beside it."""
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def done(log: Path) -> list[tuple[str, int]]:
    """Which jobs a workshop did, in order."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [(line.split()[0], int(line.split()[1])) for line in lines]


def again(recipe: Path, tmp_path: Path, workshop: FakeWorkshop | None = None) -> list[tuple[str, int]]:
    """Which jobs a further run does."""
    log = tmp_path / "log"
    log.unlink(missing_ok=True)
    run(recipe, tmp_path / "work", workshop or FakeWorkshop(log))
    return done(log)


def test_each_step_is_done_once_for_each_seed(recipe: Path, tmp_path: Path) -> None:
    """All jobs in the order of the steps; progress only rises, and a second run does nothing."""
    ears = Ears()
    outcome = run(recipe, tmp_path / "work", FakeWorkshop(tmp_path / "log"), ears)

    assert done(tmp_path / "log") == JOBS
    assert [(r.step, r.seed) for results in outcome.results.values() for r in results] == JOBS
    assert outcome.stop is None
    assert ears.shares == sorted(ears.shares)
    assert ears.kept == []
    assert again(recipe, tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "redone"),
    [
        ("epochs: 3", "epochs: 4", JOBS),
        ("macs: 0.3", "macs: 0.4", JOBS[2:]),
        ("{teacher: base}", "{teacher: base, weight: 0.5}", JOBS[4:]),
        ("seeds: [1, 2]", "seeds: [2, 3]", [(step, 3) for step in ("base", "pruned", "student")]),
        ("max_loss_points: 1", "max_loss_points: 3", []),
        ("  student:", "  pupil:", [("pupil", 1), ("pupil", 2)]),
    ],
)
def test_a_change_redoes_what_depends_on_it(
    recipe: Path, tmp_path: Path, old: str, new: str, redone: list[tuple[str, int]]
) -> None:
    """Settings, seeds and inputs count; what a step may lose changes no network."""
    again(recipe, tmp_path)
    recipe.write_text(RECIPE.replace(old, new), encoding="utf-8")

    assert again(recipe, tmp_path) == redone


def test_other_pictures_or_libraries_redo_everything(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No result outlives what it was made of."""
    again(recipe, tmp_path)
    monkeypatch.setattr(fake_workshop, "FACTS", {**fake_workshop.FACTS, "pictures": "abd"})

    assert again(recipe, tmp_path) == JOBS


@pytest.mark.parametrize("damage", ["model.txt", RESULT_FILE])
def test_a_damaged_result_is_made_anew(recipe: Path, tmp_path: Path, damage: str) -> None:
    """What lies there is believed only while it is what was written."""
    again(recipe, tmp_path)
    (tmp_path / "work" / "pruned" / "seed_1" / damage).write_text("{", encoding="utf-8")

    assert again(recipe, tmp_path) == [("pruned", 1)]


def test_a_killed_run_goes_on_at_the_unfinished_step(recipe: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle of a step: the next run does that step and those behind it, and no other."""
    log = tmp_path / "log"
    process = subprocess.Popen(
        [
            sys.executable,
            fake_workshop.__file__,
            str(recipe),
            str(tmp_path / "work"),
            str(log),
            "pruned",
            "2",
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        deadline = time.monotonic() + 60
        while done(log)[-1:] != [("pruned", 2)] and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert done(log) == JOBS[:4]
    assert not (tmp_path / "work" / "pruned" / "seed_2").exists()

    assert again(recipe, tmp_path) == JOBS[3:]
    assert sorted(path.name for path in (tmp_path / "work" / "pruned").iterdir()) == ["seed_1", "seed_2"]


def test_a_step_that_loses_too_much_ends_the_chain(recipe: Path, tmp_path: Path) -> None:
    """It says which step lost how much against what, and nothing behind it is done."""
    workshop = FakeWorkshop(tmp_path / "log", {("pruned", 1): 0.78, ("pruned", 2): 0.79})
    outcome = run(recipe, tmp_path / "work", workshop)

    assert list(outcome.results) == ["base", "pruned"]
    assert str(outcome.stop).startswith("pruned lost 1.50 points of accuracy against base, and may lose 1: ")
    assert "steps.pruned.max_loss_points" in str(outcome.stop)


def test_chance_of_one_seed_does_not_end_the_chain(recipe: Path, tmp_path: Path) -> None:
    """The mean over the seeds counts, and just what is allowed is allowed."""
    workshop = FakeWorkshop(tmp_path / "log", {("pruned", 1): 0.77, ("pruned", 2): 0.81})

    assert run(recipe, tmp_path / "work", workshop).stop is None


def test_a_step_has_its_own_limit(recipe: Path, tmp_path: Path) -> None:
    """A step's `max_loss_points` stands above the recipe's."""
    recipe.write_text(RECIPE.replace("  pruned:\n", "  pruned:\n    max_loss_points: 5\n"), encoding="utf-8")
    workshop = FakeWorkshop(tmp_path / "log", {("pruned", 1): 0.76, ("student", 1): 0.76})

    assert run(recipe, tmp_path / "work", workshop).stop is None


def test_a_result_tells_what_was_found(recipe: Path, tmp_path: Path) -> None:
    """The file beside a model has its figures and notes, for people and programs."""
    again(recipe, tmp_path)
    result = json.loads((tmp_path / "work" / "student" / "seed_2" / RESULT_FILE).read_text("utf-8"))

    assert (result["step"], result["kind"], result["seed"]) == ("student", "distil", 2)
    assert result["measured"]["macs"] == 20_000
    assert result["notes"] == ["made of 4 words"]

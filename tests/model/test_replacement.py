"""A replacement that is killed: the next who looks for the model finds the old one or the new one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import program
import pytest

from edgecam.commands.models_remove import remove_model
from edgecam.commands.models_verify import verify_models
from edgecam.errors import ModelError, UsageError
from edgecam.model.replacement import aside, recover_all
from edgecam.model.staging import check_free, locked, staged, withdraw
from edgecam.model.store import find_model, list_models, load_model

# Replaces `pets` by a model of another description, and is killed before or after a change of the folders.
KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from edgecam.model import replacement
from edgecam.model.staging import publish, staged

models, at, at_once = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True"
done = 0

def counted(change):
    def changed(*arguments, **how):
        global done
        done += 1
        if done == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return change(*arguments, **how)
    return changed

exchange = replacement._exchange if at_once else lambda *_: False
with staged(models, "pets") as folder:
    for file in (models / "pets").iterdir():
        text = file.read_bytes()
        (folder / file.name).write_bytes(text.replace(b"description: old", b"description: new"))
    Path.rename = counted(Path.rename)
    shutil.rmtree = counted(shutil.rmtree)
    replacement._exchange = counted(exchange)
    publish(folder, models / "pets")
"""
# Of the changes in two steps: what has the old model out of its place, and the new one not yet in it.
BETWEEN = 4


@pytest.fixture
def models(tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one model, `pets`; no other configuration is found."""
    tiny.write_folder(tmp_path / "models" / "pets", tiny.Tiny())
    card = tmp_path / "models" / "pets" / "card.yaml"
    lines = card.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("description:")]
    card.write_text("\n".join([*lines, "description: old\n"]), encoding="utf-8")
    (tmp_path / "other.yaml").write_text("{}\n", encoding="utf-8")
    monkeypatch.setenv("EDGECAM_CONFIG", str(tmp_path / "other.yaml"))
    return tmp_path / "models"


def kill(models: Path, at: int, *, at_once: bool = False) -> None:
    """Replace the model, and be killed at that change."""
    words = [sys.executable, "-c", KILLED, str(models), str(at), str(at_once)]
    assert subprocess.run(words, check=False, timeout=60).returncode == -signal.SIGKILL


@pytest.fixture
def between(models: Path) -> Path:
    """The folder after a kill at the very point at which there is no model."""
    kill(models, BETWEEN)
    assert not (models / "pets").exists()
    assert aside(models / ".incoming" / "pets").is_dir()
    return models


STEPS = [(at, False) for at in range(1, 6)] + [(at, True) for at in range(1, 5)]


@pytest.mark.parametrize(("at", "at_once"), STEPS)
def test_a_model_is_there_after_a_replacement_was_killed(models: Path, at: int, *, at_once: bool) -> None:
    """At whatever change of the folders; and nothing is in the way of the next replacement."""
    kill(models, at, at_once=at_once)
    (listing,) = list_models([models])
    assert listing.model is not None
    assert listing.model.card.description in {"old", "new"}
    assert not aside(models / ".incoming" / "pets").exists()
    with staged(models, "pets") as folder:
        assert not list(folder.iterdir())


LOOKS: dict[str, Callable[[Path], object]] = {
    "a configuration": lambda models: find_model("models/pets", folder=models.parent),
    "its file": lambda models: find_model("models/pets/model.tflite", folder=models.parent),
    "a step of compression": lambda models: load_model(models / "pets"),
    "verify": lambda models: verify_models(("pets",), folder=models.parent),
    "list": lambda models: list_models([models]),
    "force": lambda models: check_free(models, "pets", force=True),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_whoever_looks_next_puts_it_back(between: Path, look: Callable[[Path], object]) -> None:
    """Whole, in its place, before anything else."""
    look(between)
    assert load_model(between / "pets").card.description == "old"


def test_the_program_itself_finds_it(between: Path) -> None:
    """As a user would look."""
    done = program.edgecam("models", "list", "--json", cwd=between.parent)
    names = {Path(entry["path"]).name: entry["usable"] for entry in json.loads(done.out)["models"]}
    assert names["pets"] is True


def test_it_is_not_overwritten_without_being_asked(between: Path) -> None:
    """It was there, and so it is."""
    with pytest.raises(UsageError, match="exists and is left as it is"):
        check_free(between, "pets", force=False)


def test_it_can_be_removed_and_stays_removed(between: Path) -> None:
    """Nor does what a finished replacement had not cleared away come back."""
    remove_model("pets", folder=between.parent, yes=True)
    assert list_models([between]) == []
    between.joinpath("pets").mkdir()
    aside(between / ".incoming" / "pets").mkdir(parents=True)
    withdraw(between / "pets")
    assert recover_all(between) == []
    assert not (between / "pets").exists()


def test_while_somebody_goes_on_with_it_nothing_is_put_back(between: Path) -> None:
    """The new model is there in a moment."""
    with locked(between / ".incoming" / "pets"), pytest.raises(ModelError, match="no such model"):
        find_model("models/pets", folder=between.parent)
    assert not (between / "pets").exists()


def test_where_nothing_can_be_written_the_old_model_is_used_where_it_lies(
    between: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service may read its models, and no more."""

    def refuse(*_: Path) -> Path:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "rename", refuse)
    found = find_model("models/pets", folder=between.parent)
    assert load_model(found).card.description == "old"
    assert load_model(between / "pets").card.description == "old"
    assert find_model("models/pets/model.tflite", folder=between.parent).is_file()
    assert [listing.fault for listing in list_models([between])] == [None]

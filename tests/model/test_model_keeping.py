"""`models pull`, `add`, `verify`, `remove` and `list --catalogue`, as a user calls them."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import model_server
import program
import pytest

from edgecam.commands import models_remove, models_verify
from edgecam.commands.models_pull import pull_model, show_catalogue
from edgecam.commands.models_remove import remove_model
from edgecam.commands.models_verify import verify_models
from edgecam.errors import ConfigError, ModelError, UsageError
from edgecam.inference.litert import find_runtime
from edgecam.model.staging import staged
from edgecam.model.store import list_models

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.fixture
def folder(tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration's folder with one model; nothing is shipped, and no other configuration is found."""
    tiny.write_folder(tmp_path / "models" / "pets", tiny.Tiny())
    monkeypatch.setattr(models_verify, "shipped_folder", lambda: tmp_path / "none")
    monkeypatch.setenv("EDGECAM_CONFIG", str(tmp_path / "other.yaml"))
    (tmp_path / "other.yaml").write_text("{}\n", encoding="utf-8")
    return tmp_path


def _valid(name: str, text: str) -> dict[str, Any]:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    body: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator(schema).validate(body)
    for entry in body["models"]:
        assert set(entry) <= set(schema["properties"]["models"]["items"]["properties"])
    return body


def test_a_model_that_is_whole_and_runs_is_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By hash, card, labels and one inference; what ran it is told."""
    verify_models((), folder=folder)
    said = capsys.readouterr().out
    assert said.startswith("pets: as its card says, sha256 ")
    assert f"{find_runtime().name}/cpu computes the test picture right" in said
    verify_models(("pets",), folder=folder, as_json=True)
    (entry,) = _valid("verify", capsys.readouterr().out)["models"]
    assert (entry["name"], entry["usable"], entry["fault"]) == ("pets", True, None)


def test_of_two_models_of_one_name_the_places_are_told(
    tiny: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One's own and the shipped one: both are looked at, as either may be rotten, and told apart."""
    tiny.write_folder(folder / "none" / "models" / "pets", tiny.Tiny())
    verify_models((), folder=folder)
    said = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    places = (folder / "models" / "pets", folder / "none" / "models" / "pets")
    assert said == [f"pets ({place})" for place in places]


def test_every_model_is_looked_at_though_one_is_faulty(
    tiny: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fault is told with its remedy; the exit code is that of what cannot be used."""
    tiny.write_folder(folder / "models" / "dead", tiny.Tiny(dead=True))
    with (folder / "models" / "pets" / "model.tflite").open("ab") as file:
        file.write(b"x")
    tiny.write_folder(folder / "models" / "well", tiny.Tiny())
    with pytest.raises(ModelError, match="2 of 3 models cannot be used") as caught:
        verify_models((), folder=folder, as_json=True)
    assert caught.value.exit_code == 69
    dead, pets, well = _valid("verify", capsys.readouterr().out)["models"]
    assert "all 4 scores are" in dead["fault"]
    assert "is not the file that card.yaml describes" in pets["fault"]
    assert well["usable"]


def test_a_twin_is_verified_by_its_hash(
    tiny: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It cannot be run here, but it can be rotten."""
    card = folder / "models" / "pets" / "card.yaml"
    words = f"twins: {{coral: {{file: t.tflite, sha256: {'a' * 64}}}}}\n"
    card.write_text(card.read_text(encoding="utf-8") + words, encoding="utf-8")
    with pytest.raises(ModelError):
        verify_models((), folder=folder)
    assert "t.tflite: cannot be read" in capsys.readouterr().out
    card.with_name("t.tflite").write_bytes(tiny.make(tiny.Tiny(custom_op="edgetpu-custom-op")))
    with pytest.raises(ModelError):
        verify_models((), folder=folder)
    assert "t.tflite: is not the file that the card describes" in capsys.readouterr().out


def test_a_model_that_nobody_names_is_removed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whole, with all that is in it."""
    remove_model("pets", folder=folder, yes=True)
    assert capsys.readouterr().out == f"{folder / 'models' / 'pets'}\n"
    assert list((folder / "models").iterdir()) == []


@pytest.mark.parametrize(
    "path", ["models/pets", "models/pets/model.tflite", "models/../models/pets", "{}/models/pets"]
)
def test_a_model_that_the_configuration_names_stays(folder: Path, path: str) -> None:
    """However it is named: at the next start there would be none."""
    (folder / "config.yaml").write_text(
        f"models: {{default: {{path: {path.format(folder)}}}}}\n", encoding="utf-8"
    )
    with pytest.raises(UsageError, match=r"config\.yaml names it \(models\.default\.path\)"):
        remove_model("pets", folder=folder, yes=True)
    assert len(list_models([folder / "models"])) == 1


def test_a_configuration_that_lies_elsewhere_counts_too(folder: Path) -> None:
    """Where it is named, or found as `edgecam run` finds it."""
    other = folder / "other.yaml"
    other.write_text("models: {light: {path: models/pets}}\n", encoding="utf-8")
    for config in (None, other):
        with pytest.raises(UsageError, match="names it"):
            remove_model("pets", folder=folder, config=config, yes=True)


def test_with_a_configuration_that_cannot_be_read_nothing_is_removed(folder: Path) -> None:
    """Nobody knows then what it names."""
    (folder / "config.yaml").write_text("models: [", encoding="utf-8")
    with pytest.raises(ConfigError):
        remove_model("pets", folder=folder, yes=True)
    assert len(list_models([folder / "models"])) == 1


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 1), ("", 1)])
def test_it_is_asked_first(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str, left: int) -> None:
    """And only a yes is a yes; where nobody can be asked, nothing is removed."""
    with pytest.raises(UsageError, match="give --yes"):
        remove_model("pets", folder=folder)
    monkeypatch.setattr(models_remove, "_can_ask", lambda: True)
    monkeypatch.setattr("builtins.input", lambda *_: answer)
    remove_model("pets", folder=folder)
    assert len(list_models([folder / "models"])) == left


@pytest.mark.parametrize("name", ["none", "../models/pets", ".incoming"])
def test_what_is_no_model_of_ones_own_is_not_removed(folder: Path, name: str) -> None:
    """Nor anything outside."""
    with pytest.raises(UsageError):
        remove_model(name, folder=folder, yes=True)
    assert len(list_models([folder / "models"])) == 1


def test_what_an_ended_pull_has_left_can_be_removed(folder: Path) -> None:
    """It may be megabytes."""
    place = folder / "models" / ".incoming" / "birds"
    with suppress(KeyboardInterrupt), staged(folder / "models", "birds", keep=True):
        (place / "model.tflite.part").write_bytes(b"half")
        raise KeyboardInterrupt
    assert (place / "model.tflite.part").exists()
    remove_model("birds", folder=folder, yes=True)
    assert sorted(path.name for path in (folder / "models").iterdir()) == ["pets"]


def test_a_link_is_removed_and_not_what_it_leads_to(folder: Path) -> None:
    """A model may be shared by several configurations."""
    (folder / "models" / "alias").symlink_to(folder / "models" / "pets")
    remove_model("alias", folder=folder, yes=True)
    assert len(list_models([folder / "models"])) == 1


def test_the_catalogue_is_shown_with_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    """Also what is not."""
    show_catalogue()
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "71.8 % of the float network" in rows["mobilenet_v2"]
    assert "give --sha256" in rows["efficientnet_lite1"]
    assert "not published" in rows["inat_birds"]
    show_catalogue(as_json=True)
    entries = {entry["name"]: entry for entry in _valid("catalogue", capsys.readouterr().out)["models"]}
    assert entries["efficientnet_lite1"]["model"]["sha256"] is None
    assert entries["inat_birds"]["labels"]["name"] == "inat_bird_labels.txt"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mirror": "http://a", "file": Path("b")}, "give one"),
        ({"sha256s": ("12",)}, "expected 64 hexadecimal digits"),
        ({"sha256s": ("0" * 64,)}, "those of mobilenet_v2_uint8 have theirs"),
    ],
)
def test_options_that_make_no_sense_are_refused(folder: Path, options: dict[str, Any], said: str) -> None:
    """Rather than left unheard."""
    with pytest.raises(UsageError, match=said):
        pull_model("mobilenet_v2_uint8", folder=folder, **options)


def test_the_program_itself_adds_lists_verifies_and_removes(tiny: ModuleType, tmp_path: Path) -> None:
    """Exit codes, and one line for a failure."""
    file = tmp_path / "mine.tflite"
    file.write_bytes(tiny.make(tiny.Tiny(labels=("cat", "dog", "cup", "rocket"))))
    refused = program.edgecam("models", "add", "mine.tflite", cwd=tmp_path)
    assert refused.code == 2
    assert "--licence: " in refused.err
    words = ("--licence", "Apache-2.0", "--source", "made by the test")
    added = program.edgecam("models", "add", "mine.tflite", *words, cwd=tmp_path)
    assert (added.code, added.out) == (0, "models/mine\n")
    options = ("--force", "--fit", "squash", "--mean", "128", "--std", "128", "--output", "probabilities")
    assert program.edgecam("models", "add", "mine.tflite", *words, *options, cwd=tmp_path).code == 0
    assert '"name": "mine"' in program.edgecam("models", "list", "--json", cwd=tmp_path).out
    assert program.edgecam("models", "verify", "mine", cwd=tmp_path).code == 0
    removed = program.edgecam("models", "remove", "mine", "--yes", cwd=tmp_path)
    assert (removed.code, removed.out) == (0, "models/mine\n")


@pytest.mark.shared_data
def test_the_program_itself_pulls_from_a_mirror_and_nothing_from_a_hostile_one(
    shared_data: Path, tmp_path: Path
) -> None:
    """The real file: first from a server that serves another, then from one that serves it."""
    name = "mobilenet_v1_0.25_128_quant"
    with model_server.model_server() as shelf:
        for end in (".tflite", "_edgetpu.tflite"):
            shelf.files[name + end] = (shared_data / "models" / (name + end)).read_bytes()
        shelf.plan = [model_server.sends(bytes(525_598))]
        words = ("models", "pull", "mobilenet_v1_025_128", "--mirror", shelf.url)
        refused = program.edgecam(*words, cwd=tmp_path, no_proxy="*")
        assert (refused.code, refused.out) == (69, "")
        assert "is not the file that was expected" in refused.err
        assert '"mobilenet_v1_025_128"' not in program.edgecam("models", "list", "--json", cwd=tmp_path).out
        pulled = program.edgecam(*words, cwd=tmp_path, no_proxy="*")
    assert (pulled.code, pulled.out, pulled.err) == (0, "models/mobilenet_v1_025_128\n", "")
    assert program.edgecam("models", "verify", "mobilenet_v1_025_128", cwd=tmp_path).code == 0

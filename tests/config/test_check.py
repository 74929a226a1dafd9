"""`edgecam check` tells each value's origin, or every problem."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from edgecam.commands.check import check
from edgecam.config import service_file
from edgecam.errors import ConfigError, ModelError

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration in the working directory whose model exists."""
    monkeypatch.chdir(tmp_path)
    path = Path("config.yaml")
    path.write_text(
        "models: {default: {path: efficientnet_lite0_int8}}\n"
        "cameras:\n  porch: {source: 'rtsp://me:hunter2@host/x'}\n"
        "mqtt: {username: me, password_file: secret}\n"
    )
    (tmp_path / "secret").write_text("hunter3\n")
    return path


def validate(text: str) -> dict[str, Any]:
    """The JSON answer, if it is as its schema says."""
    answer: dict[str, Any] = json.loads(text)
    schemas = {path.name: json.loads(path.read_text()) for path in SCHEMAS.glob("c*.schema.json")}
    registry: Registry[Any] = Registry().with_resources(
        (name, Resource.from_contents(schema)) for name, schema in schemas.items()
    )
    jsonschema.Draft202012Validator(schemas["check.schema.json"], registry=registry).validate(answer)
    return answer


def test_every_value_is_shown_with_its_origin(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line per value on stdout, the verdict on stderr, no password on either."""
    check(config, sets=["budget_ms=150"])
    shown = capsys.readouterr()
    lines = {line.split()[0]: line for line in shown.out.splitlines()}
    assert lines["budget_ms"].split() == ["budget_ms", "150", "--set"]
    assert lines["models.default.path"].split() == [
        "models.default.path",
        '"efficientnet_lite0_int8"',
        "config.yaml:1",
    ]
    assert lines["cameras.porch.source"].endswith("config.yaml:3")
    assert "rtsp://***@host/x" in shown.out
    assert shown.err == f"{config.absolute()}: no problems\n"
    assert "hunter" not in shown.out + shown.err


def test_the_json_answer_is_as_its_schema_says(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs can rely on it."""
    check(config, as_json=True)
    answer = validate(capsys.readouterr().out)
    assert answer["problems"] == []
    assert answer["origins"]["cameras.porch.source"] == "config.yaml:3"
    assert answer["config"]["cameras"]["porch"]["source"] == "rtsp://***@host/x"


def test_problems_are_raised_and_in_the_json_answer(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 78 either way."""
    with pytest.raises(ConfigError, match="budget_ms: expected a whole number"):
        check(config, sets=["budget_ms=x"], as_json=True)
    answer = validate(capsys.readouterr().out)
    assert (answer["config"], answer["origins"]) == (None, {})
    assert answer["problems"] == [
        {
            "where": "--set",
            "path": "budget_ms",
            "text": 'expected a whole number from 1 to 600000, got "x"',
        }
    ]


def test_absent_models_and_passwords_are_problems(config: Path) -> None:
    """`run` would refuse them later; `check` tells both now."""
    Path("secret").unlink()
    with pytest.raises(ConfigError) as caught:
        check(config, sets=["models.birds={path: nowhere}"])
    first, second = caught.value.problems
    assert first.path == "mqtt.password_file"
    assert (second.where, second.path) == ("--set", "models.birds.path")
    assert "no such model" in second.text


def test_a_model_that_cannot_be_used_is_in_the_json_answer_at_its_place(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged model is no fault of the file, and yet a program wants to know which line to show."""
    Path("empty").mkdir()
    with pytest.raises(ModelError):
        check(config, sets=["models.default.path=empty"], as_json=True)
    (problem,) = validate(capsys.readouterr().out)["problems"]
    assert (problem["where"], problem["path"]) == ("--set", "models.default.path")


@pytest.mark.parametrize("delegate", ["coral", "ethosu"])
def test_a_delegate_that_has_no_twin_of_the_model_is_a_warning(
    config: Path, capsys: pytest.CaptureFixture[str], delegate: str
) -> None:
    """The accelerator would never run: told with the remedy, though the CPU serves and nothing is refused."""
    sets = [f"models.default.delegate={delegate}"]
    check(config, sets=sets)
    warning, verdict = capsys.readouterr().err.splitlines()
    said = f"warning: --set: models.default.delegate: the CPU will serve in the place of {delegate}: "
    assert warning.startswith(said + "the card names no twin for it; put one there as model_")
    assert verdict == f"{config.absolute()}: no problems"
    check(config, sets=sets, as_json=True)
    answer = validate(capsys.readouterr().out)
    assert answer["problems"] == []
    assert [found["path"] for found in answer["warnings"]] == ["models.default.delegate"]


@pytest.mark.parametrize("delegate", ["auto", "cpu", "hexagon", "./libnpu.so"])
def test_a_delegate_that_needs_no_twin_is_no_warning(
    config: Path, capsys: pytest.CaptureFixture[str], delegate: str
) -> None:
    """It may be plugged in or installed yet, and would serve then."""
    check(config, sets=[f"models.default.delegate={delegate}"], as_json=True)
    assert validate(capsys.readouterr().out)["warnings"] == []


@pytest.mark.parametrize("sets", [[], ["budget_ms=x"]], ids=["sound", "wrong"])
def test_whoever_checks_another_file_than_the_services_is_told_once(
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sets: list[str],
) -> None:
    """Else a mended copy in the home is taken for what the service goes by; never beside a JSON answer."""
    folder = tmp_path / "etc"
    folder.mkdir()
    monkeypatch.setattr(service_file, "FOLDER", folder)
    monkeypatch.setattr(service_file, "SERVICE_FILE", folder / "config.yaml")
    with suppress(ConfigError):
        check(config, sets=sets)
    assert "not the service's" not in capsys.readouterr().err
    (folder / "config.yaml").write_text("{}")
    with suppress(ConfigError):
        check(config, sets=sets)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"{config.absolute()}:")
    assert second.startswith("this is not the service's configuration; for that: sudo edgecam check --config")
    with suppress(ConfigError):
        check(config, sets=sets, as_json=True)
    assert capsys.readouterr().err == ""

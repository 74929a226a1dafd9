"""What is written about the configuration and the command line is true."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import yaml
from typer.testing import CliRunner

import edgecam
from edgecam.cli import app
from edgecam.config.loader import leaves, load_config
from edgecam.config.reference import json_schema, markdown
from edgecam.config.schema import Config
from edgecam.config.tree import dotted

ROOT = Path(__file__).parents[2]
PACKAGE = Path(edgecam.__file__).parent


def test_the_reference_is_the_generated_one() -> None:
    """`scripts/generate_docs.py` writes it anew."""
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == markdown()


def test_the_json_schema_is_the_generated_one() -> None:
    """`scripts/generate_docs.py` writes it anew."""
    written = json.loads((ROOT / "docs" / "schemas" / "config.schema.json").read_text(encoding="utf-8"))
    assert written == json_schema()


def test_the_help_that_is_shown_at_once_is_the_parsers_own() -> None:
    """`scripts/generate_docs.py` writes it anew; versions of the parser differ in blanks alone."""
    shown = CliRunner().invoke(app, ["--help"], prog_name="edgecam", env={"COLUMNS": "80"}).stdout
    assert (PACKAGE / "help.txt").read_text(encoding="utf-8").split() == shown.split()


def test_every_key_is_described() -> None:
    """A key without a meaning helps nobody."""
    schema = json_schema()
    rows = [line for line in markdown().splitlines() if line.startswith("| `")]
    blocks = [schema, *schema["$defs"].values()]
    assert len(rows) == sum(len(block["properties"]) for block in blocks)
    for row in rows:
        key, kind, default, meaning = row.strip("| ").split(" | ")
        assert kind != "a value", key
        assert default, key
        assert len(meaning) > 10 or key == "`enabled`", key


def test_the_default_file_holds_every_key_with_its_default() -> None:
    """`config.yaml` is the configuration that holds without it, written out."""
    path = ROOT / "config.yaml"
    loaded = load_config(path, environ={})
    assert loaded.config == Config()
    written = {dotted(keys) for keys, _ in leaves(yaml.safe_load(path.read_text(encoding="utf-8")))}
    assert written == set(loaded.origins)
    assert [key for key, origin in loaded.origins.items() if not origin.startswith(f"{path}:")] == []


def test_editors_accept_the_default_file() -> None:
    """The JSON Schema and the loader agree on it."""
    jsonschema.validate(yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")), json_schema())


def test_the_examples_of_the_schema_are_accepted() -> None:
    """What the reference shows can be copied."""
    for name, block in json_schema()["$defs"].items():
        for key, part in block["properties"].items():
            for example in part.get("examples", []):
                value = {key: example}
                if name == "CameraConfig":
                    data = {"cameras": {"a": {"source": "pattern:"} | value}}
                elif name == "ModelConfig":
                    data = {"models": {"default": {"path": "x"} | value}}
                elif name == "MetricsConfig":
                    data = {"metrics": value}
                elif name == "OutboxConfig":
                    data = {"mqtt": {"outbox": value}}
                else:
                    data = {"mqtt": {"username": "me"} | value}
                Config.model_validate(data)

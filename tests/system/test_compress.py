"""A recipe for real: from a handful of pictures to models that `edgecam run` uses."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest
from mqtt_listener import Listener
from program import Done, Program, config_for, edgecam

pytest.importorskip("torch", reason="the extra compress is not installed: scripts/check-compress runs this")

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
RECIPE = """\
name: colours
pictures: {train: train, test: test}
out: out
seeds: [1]
max_loss_points: 50
licence: CC0-1.0
timing: {rounds: 3, seconds: 0.02}
steps:
  base:
    train: {design: micro_mobilenet, width: 0.1, side_px: 32, epochs: 24, batch: 4, learning_rate: 0.003}
  base_int8:
    from: base
    quantize: {pictures: 10}
  pruned:
    from: base
    prune: {macs: 0.6, rounds: 1, epochs: 12, batch: 4}
  pruned_int8:
    from: pruned
    quantize: {pictures: 10}
"""
# As pruning leaves a network, without learning behind it: at chance.
UNHEALED = "steps.pruned.prune={macs: 0.5, rounds: 1, epochs: 1, learning_rate: 0.0000001}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, and red and blue pictures beside it."""
    place = tmp_path_factory.mktemp("compress")
    (place / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    chance = np.random.default_rng(1)
    for part, count in (("train", 12), ("test", 6)):
        for channel, colour in ((2, "red"), (0, "blue")):
            (place / part / colour).mkdir(parents=True)
            for number in range(count):
                pixels = chance.integers(0, 120, (32, 32, 3), np.uint8)
                pixels[..., channel] += 130
                cv2.imwrite(str(place / part / colour / f"{number}.png"), pixels)
    return place


@pytest.fixture(scope="module")
def first(folder: Path) -> Done:
    """The first run of the recipe."""
    return edgecam("compress", "run", folder / "recipe.yaml", timeout_s=240)


@pytest.fixture
def report(folder: Path, first: Done) -> dict[str, Any]:
    """What it wrote."""
    assert first.code == 0, first.err
    made: dict[str, Any] = json.loads((folder / "out" / "report.json").read_text("utf-8"))
    return made


@pytest.fixture
def port() -> int:
    """A free one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.timeout(300)
def test_a_recipe_leads_from_pictures_to_models_and_a_report(folder: Path, report: dict[str, Any]) -> None:
    """Each step is reported as the schema says, and smaller where it should be; page and plot are there."""
    schema = json.loads((SCHEMAS / "compress.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(report)
    steps = {step["name"]: step for step in report["steps"]}

    assert list(steps) == ["base", "base_int8", "pruned", "pruned_int8"]
    assert steps["base"]["accuracy"]["mean"] > 0.8
    assert steps["pruned"]["macs"] <= 0.6 * steps["base"]["macs"]
    assert steps["base_int8"]["bytes"] < steps["base"]["bytes"]
    assert all(step["latency_ms"]["value"] > 0 for step in steps.values())
    assert (folder / "out" / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "colours" in (folder / "out" / "report.html").read_text("utf-8")


@pytest.mark.timeout(300)
def test_each_model_has_its_card_and_its_provenance(folder: Path, report: dict[str, Any]) -> None:
    """Every step, setting, seed, picture hash and version stands in the README; `models verify` agrees."""
    place = folder / "out" / "models" / "colours_pruned_int8"
    readme, card = ((place / name).read_text("utf-8") for name in ("README.md", "card.yaml"))
    verified = edgecam("models", "verify", "--folder", folder / "out", "--json", timeout_s=120)

    assert all(f"`{name}`: " in readme for name in ("base", "pruned", "pruned_int8"))
    assert report["pictures"]["train"]["sha256"] in readme
    assert f"torch {report['versions']['torch']}" in readme
    assert "CC0-1.0" in readme
    assert "licence: CC0-1.0" in card
    history = json.loads((place / "network_history.json").read_text("utf-8"))
    assert [entry["step"] for entry in history] == ["train", "prune"]
    assert history[0]["settings"]["epochs"] == 24
    assert "base (train), pruned (prune), pruned_int8 (quantize)" in " ".join(card.split())
    assert verified.code == 0, verified.out + verified.err


@pytest.mark.timeout(300)
def test_the_end_of_a_recipe_is_a_running_edgecam(
    folder: Path, report: dict[str, Any], tmp_path: Path, port: int
) -> None:
    """The model's directory is all that a configuration has to name."""
    place = folder / "out" / report["steps"][-1]["model"]
    config = config_for(f"embedded://127.0.0.1:{port}", f"images:{folder / 'test' / 'red'}")
    config["models"] = {"default": {"path": str(place)}}
    config["cameras"]["main"]["loop"] = True
    with Program(tmp_path, config) as program:
        program.wait_log(lambda log: "broker connected" in log)
        with Listener(port, version5=False) as listener:
            listener.wait(lambda: listener.on("edgecam/box/main/state"), 30)
            state = json.loads(listener.on("edgecam/box/main/state")[-1].payload)
        assert program.stop()[0] == 0
    assert {entry["label"] for entry in state["top"]} <= {"red", "blue"}


@pytest.mark.timeout(300)
def test_what_is_done_is_not_done_again_and_what_loses_too_much_ends_it(
    folder: Path, report: dict[str, Any]
) -> None:
    """Exit code 1 and the reason; the report tells of all up to there."""
    assert report["finished"]
    arguments = ("--set", UNHEALED, "--set", "steps.pruned.max_loss_points=5", "--json")
    second = edgecam("compress", "run", folder / "recipe.yaml", *arguments, timeout_s=240)

    assert second.code == 1, second.err
    assert second.out, second.err
    told = json.loads(second.out)
    assert "base, seed 1" in second.err
    assert second.err.count("from an earlier run") == 2
    assert "pruned lost" in second.err
    assert "steps.pruned.max_loss_points" in second.err
    assert [step["name"] for step in told["steps"]] == ["base", "base_int8", "pruned"]
    assert told == json.loads((folder / "out" / "report.json").read_text("utf-8"))

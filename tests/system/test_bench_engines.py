"""`edgecam bench --engines` as a user types it: what is listed, who agrees, and who may not spoil it."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from make_tiny_onnx import make_onnx
from moody_delegate import MoodyDelegate
from program import PHOTOS, edgecam
from tiny_engine import install

Conforms = Callable[[str, Any], None]
RANGE = ("--mean", "128", "--std", "128")
FEW = ("--threads", "1", "--rounds", "2", "--seconds", "0.1")


@pytest.fixture
def model(tiny: ModuleType, tmp_path: Path) -> Path:
    """A bare float model, and the same network for ONNX Runtime beside it."""
    spec = tiny.Tiny(dtype="float32")
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(spec))
    path.with_suffix(".onnx").write_bytes(make_onnx(spec))
    return path


def test_every_engine_is_measured_or_told_why_not(model: Path, conforms: Conforms) -> None:
    """Each in its own process, the same pictures, the same answers; what is absent says so in one line."""
    done = edgecam("bench", model, *RANGE, "--engines", "--images", PHOTOS, *FEW, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    conforms("bench", report)
    parts = {(part["facts"]["runtime"], part["facts"]["in_child"]): part for part in report["parts"]}
    absent = {entry["name"]: entry["why"] for entry in report["absent"]}
    assert len(parts) == len(report["parts"])
    for package, part in (
        ("ai_edge_litert", ("litert", False)),
        ("ai_edge_litert", ("litert", True)),
        ("onnxruntime", ("onnxruntime", False)),
        ("tflite_micro", ("tflite-micro", False)),
    ):
        assert (part in parts) == (find_spec(package) is not None)
    pictures = report["settings"]["pictures"]
    assert pictures == 2
    for part in parts.values():
        assert (part["facts"]["agreed"], part["facts"]["compared"]) == (pictures, pictures)
        assert part["figures"]["memory_mb"]["value"] > part["facts"]["memory_before_mb"] > 1
        assert all(len(figure["rounds"]) == 2 for figure in part["figures"].values())
    assert "plug in" in absent["coral"]
    assert all(why and "\n" not in why for why in absent.values())
    assert not any(str(Path.home()) in entry["name"] for entry in report["absent"])


def test_an_engine_that_aborts_spoils_no_other(tiny: ModuleType, tmp_path: Path) -> None:
    """An installed package's engine is tried, too; its abort is a line of the table's end."""
    install(tmp_path / "site", answer="__import__('os').abort()")
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(tiny.Tiny()))
    done = edgecam("bench", path, "--engines", *FEW, PYTHONPATH=str(tmp_path / "site"))
    assert done.code == 0, done.err
    assert "/cpu x1 in a child" in done.out or find_spec("ai_edge_litert") is None
    assert "not measured: abacus: it ends its process (SIGABRT)" in done.out
    assert "not measured: onnx: there is no net.onnx" in done.out
    assert "Traceback" not in done.err


def test_a_delegate_of_the_users_own_is_in_the_table_with_what_it_ran(
    tmp_path: Path, conforms: Conforms
) -> None:
    """Named by its library's path from here: what the interpreter gave it, and whether it is right."""
    MoodyDelegate(tmp_path)
    options = ("--delegate", "./libmoody.so", "--delegate-option", f"control={tmp_path / 'mood'}")
    done = edgecam("bench", "--engines", *options, "--images", PHOTOS, *FEW, "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    conforms("bench", report)
    (facts,) = [part["facts"] for part in report["parts"] if part["facts"]["delegate"] == "external"]
    assert (facts["delegated"], facts["operators"]) == (9, 60)
    assert (facts["agreed"], facts["compared"]) == (2, 2)


@pytest.mark.parametrize(
    ("mood", "why"),
    [("refuse", "the delegate external refuses"), ("abort", "it ends its process (SIGABRT)")],
)
def test_a_delegate_of_the_users_own_that_does_not_work_says_why(
    model: Path, tmp_path: Path, mood: str, why: str
) -> None:
    """Its options reach it; what it does costs the others nothing."""
    moody = MoodyDelegate(tmp_path)
    moody.tell(mood)
    options = ("--delegate", moody.library, "--delegate-option", f"control={moody.control}")
    done = edgecam("bench", model, *RANGE, "--engines", *options, *FEW)
    assert done.code == 0, done.err
    assert f"not measured: external: {why}" in done.out
    assert "/cpu x1" in done.out


def test_a_delegate_that_is_named_and_lacks_a_twin_says_how_to_get_one(model: Path) -> None:
    """Rather than that no device is plugged in, or that a file cannot be opened."""
    done = edgecam("bench", model, *RANGE, "--engines", "--delegate", "coral", *FEW)
    assert done.code == 0, done.err
    assert "not measured: coral: the card names no twin for it; put one there" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--delegate", "coral"), "--delegate is for --engines alone"),
        (("--engines", "--delegate", "corl"), "--delegate: expected auto, cpu, coral"),
        (("--engines", "--delegate", "cpu"), "--delegate: expected a delegate's name or its library's path"),
        (("--engines", "--delegate-option", "a=b"), "--delegate-option is for --delegate; give that too"),
        (("--engines", "--delegate", "coral", "--delegate-option", "a"), "expected KEY=VALUE"),
        (("--images", "."), "--images is for --engines alone"),
        (("--engines", "--html", "page.html"), "--html is not for --engines"),
        (("--engines", "--onnx", "nowhere.onnx"), "--onnx: nowhere.onnx: no such file"),
        (("--engines", "--pipeline"), "--engines is not for --pipeline"),
    ],
)
def test_options_that_would_not_be_heard_are_refused(arguments: tuple[str, ...], said: str) -> None:
    """Rather than to measure something else than was meant."""
    done = edgecam("bench", *arguments)
    assert done.code == 2
    assert said in done.err

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
from program import PHOTOS, edgecam
from tiny_engine import install

Conforms = Callable[[str, Any], None]
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
    done = edgecam(
        "bench", model, "--mean", "128", "--std", "128", "--engines", "--images", PHOTOS, *FEW, "--json"
    )
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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
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

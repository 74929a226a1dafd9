"""`models list` and `inspect`: what they print is what their schemas promise."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from make_tiny_model import Tiny
from make_tiny_onnx import make_onnx

from edgecam.commands import models
from edgecam.commands.inspect import inspect_model
from edgecam.commands.models import show_models
from edgecam.errors import ModelError, UsageError

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are not folded."""
    monkeypatch.setenv("COLUMNS", "240")


@pytest.fixture
def folder(tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration's folder with two models, one of them broken; nothing is shipped."""
    tiny.write_folder(tmp_path / "models" / "pets", tiny.Tiny(dtype="int8"))
    tiny.write_folder(tmp_path / "models" / "npu", tiny.Tiny(custom_op="edgetpu-custom-op"))
    monkeypatch.setattr(models, "shipped_folder", lambda: tmp_path / "none")
    return tmp_path


def _valid(name: str, text: str) -> dict[str, Any]:
    """The printed JSON, once it fits its schema and holds no key that the schema does not describe."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    body: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator(schema).validate(body)
    assert set(body) <= set(schema["properties"])
    return body


def test_models_are_listed_with_size_and_licence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What one chooses a model by is on one line; a broken one says why."""
    show_models(folder)
    heading, pets, npu = (line.split() for line in capsys.readouterr().out.splitlines())
    assert heading == ["model", "input", "classes", "MB", "parameters", "MACs", "licence"]
    assert npu[:4] == ["npu", "cannot", "be", "used:"]
    assert pets == ["pets", "8x8", "rgb", "int8", "4", "0.0", "0.00", "M", "0", "M", "Apache-2.0"]


def test_of_two_models_of_one_name_the_folders_are_listed(
    tiny: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One's own and the shipped one, as in a checkout: two equal lines would say nothing."""
    tiny.write_folder(folder / "none" / "models" / "pets", tiny.Tiny())
    show_models(folder)
    heading, own, shipped, _ = (line.split() for line in capsys.readouterr().out.splitlines())
    assert heading[-1] == "folder"
    assert [own[-1], shipped[-1]] == [str(folder / "models"), str(folder / "none" / "models")]


def test_the_list_as_json_fits_its_schema(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts read this."""
    show_models(folder, as_json=True)
    npu, pets = _valid("models", capsys.readouterr().out)["models"]
    assert (npu["name"], npu["usable"]) == ("npu", False)
    assert "needs the coral delegate" in npu["fault"]
    assert (pets["classes"], pets["groups"], pets["parameters"], pets["macs"]) == (4, 2, 772, 768)
    assert pets["input"] == {"width_px": 8, "height_px": 8, "color": "rgb", "dtype": "int8"}


def test_no_models_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty table would look like a failure."""
    shutil.rmtree(folder / "models")
    show_models(folder)
    assert capsys.readouterr().out.startswith("no usable models in ")


def test_the_shipped_models_are_listed_without_any_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fresh installation has something to run."""
    show_models(tmp_path, as_json=True)
    entries = _valid("models", capsys.readouterr().out)["models"]
    assert [entry["fault"] for entry in entries] == [None] * len(entries)
    assert "efficientnet_lite0_int8" in [entry["name"] for entry in entries]


def test_inspect_shows_tensors_quantization_and_card(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything that decides whether and how a model runs is on the screen."""
    inspect_model(str(folder / "models" / "pets"))
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert ["usable", "yes"] in rows
    assert ["parameters", "772"] in rows
    assert ["MACs", "768"] in rows
    assert ["input", "picture0", "1x8x8x3", "int8", "0.0078125", "0"] in rows
    assert ["output", "scores", "1x4", "int8", "0.00390625", "-128"] in rows
    assert ["FULLY_CONNECTED", "1"] in rows
    assert ["constant", "int8", "per", "tensor", "1", "768"] in rows
    assert ["labels", "4:", "cat;", "dog;", "cup;", "rocket"] in rows


def test_inspect_as_json_fits_its_schema(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The keys at the top are part of the contract."""
    inspect_model(str(folder / "models" / "pets"), as_json=True)
    report = _valid("inspect", capsys.readouterr().out)
    assert (report["parameters"], report["macs"]) == (772, 768)
    assert report["bytes"] == (folder / "models" / "pets" / "model.tflite").stat().st_size
    assert report["operators"] == {"FULLY_CONNECTED": 1, "SOFTMAX": 1}
    assert report["inputs"][0]["shape"] == [1, 8, 8, 3]
    assert report["outputs"][0]["zero_point"] == -128
    assert report["custom_ops"] == []
    assert report["card"]["input"]["fit"] == "crop"
    assert report["groups"] == {"pet": [0, 1], "thing": [2, 3]}
    assert report["usable"]


def test_inspect_tells_layers_and_memory(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table of layers comes when asked for; the JSON always has it, and so has it the arena."""
    inspect_model(str(folder / "models" / "pets"), as_json=True)
    report = _valid("inspect", capsys.readouterr().out)
    assert report["arena"] == {"bytes": 208, "alignment_bytes": 16, "peak_bytes": 208, "peak_layer": 0}
    assert [layer["operator"] for layer in report["layers"]] == ["FULLY_CONNECTED", "SOFTMAX"]
    assert (report["layers"][0]["parameters"], report["layers"][0]["macs"]) == (772, 768)
    inspect_model(str(folder / "models" / "pets"))
    assert "weight bytes" not in capsys.readouterr().out
    inspect_model(str(folder / "models" / "pets"), layers=True)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["0", "FULLY_CONNECTED", "1x4", "int8", "772", "768", "784", "4"] in rows
    assert ["1", "SOFTMAX", "1x4", "int8", "4"] in rows


def test_inspect_forecasts_what_a_delegate_takes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which layers, why the others do not, and who says so; without a delegate there is no forecast."""
    pets = str(folder / "models" / "pets")
    inspect_model(pets, as_json=True)
    assert _valid("inspect", capsys.readouterr().out)["coverage"] is None
    inspect_model(pets, as_json=True, delegate="xnnpack")
    coverage = _valid("inspect", capsys.readouterr().out)["coverage"]
    assert (coverage["delegate"], coverage["taken"], coverage["parts"]) == ("xnnpack", 1, 1)
    assert coverage["reasons"] == [None, "int8 tensors"]
    assert (coverage["taken_macs"], "LiteRT" in coverage["source"]) == (768, True)
    inspect_model(pets, delegate="xnnpack", layers=True)
    out = capsys.readouterr().out
    assert "xnnpack would take 1 of 2 layers, 100.0% of the MACs, in 1 part" in out
    rows = [line.split() for line in out.splitlines()]
    assert ["SOFTMAX", "1", "int8", "tensors"] in rows
    assert ["0", "FULLY_CONNECTED", "1x4", "int8", "772", "768", "784", "4", "yes"] in rows
    assert ["1", "SOFTMAX", "1x4", "int8", "4", "no:", "int8", "tensors"] in rows


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("corral", 'got "corral"; did you mean "coral"?'),
        ("qnn", "no list of operators is known for qnn; `edgecam bench`"),
    ],
)
def test_a_delegate_without_a_list_is_refused(folder: Path, name: str, said: str) -> None:
    """A forecast without a source would be a guess."""
    with pytest.raises(UsageError, match=re.escape(said)):
        inspect_model(str(folder / "models" / "pets"), delegate=name)


def test_an_onnx_file_has_no_forecast(tmp_path: Path) -> None:
    """Its operators are others than those of the lists."""
    (tmp_path / "net.onnx").write_bytes(make_onnx(Tiny(dtype="float32")))
    with pytest.raises(UsageError, match=r"net.onnx has ONNX's"):
        inspect_model(str(tmp_path / "net.onnx"), delegate="xnnpack")


def test_inspect_looks_into_a_model_that_cannot_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That is when one needs to look; the fault is part of what is found."""
    inspect_model(str(folder / "models" / "npu"), as_json=True)
    report = _valid("inspect", capsys.readouterr().out)
    assert report["custom_ops"] == ["edgetpu-custom-op"]
    assert not report["usable"]
    assert "needs the coral delegate" in report["fault"]
    inspect_model(str(folder / "models" / "npu"))
    assert "needs the coral delegate" in capsys.readouterr().out


def test_inspect_tells_the_fault_of_a_broken_card(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The graph is readable all the same."""
    (folder / "models" / "pets" / "card.yaml").write_text("name: [", encoding="utf-8")
    inspect_model(str(folder / "models" / "pets"), as_json=True)
    report = _valid("inspect", capsys.readouterr().out)
    assert "card.yaml:1: is not valid YAML" in report["fault"]
    assert report["parameters"] == 772


def test_inspect_takes_a_bare_file_with_options(
    tiny: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A float file without a word about its pixels is usable once the options say it."""
    path = tmp_path / "bare.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(dtype="float32")))
    inspect_model(str(path), as_json=True)
    assert "give --mean and --std" in _valid("inspect", capsys.readouterr().out)["fault"]
    inspect_model(str(path), as_json=True, mean=[127.5], std=[127.5])
    report = _valid("inspect", capsys.readouterr().out)
    assert report["usable"]
    assert report["card"]["input"]["mean"] == [127.5]
    assert report["labels"] == ["class 0", "class 1", "class 2", "class 3"]


def test_inspect_of_nothing_is_an_error(tmp_path: Path) -> None:
    """A missing path ends the command; so does a file that is no model."""
    with pytest.raises(ModelError, match="no such file"):
        inspect_model(str(tmp_path / "none.tflite"))
    (tmp_path / "text.tflite").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="is not a TFLite model"):
        inspect_model(str(tmp_path / "text.tflite"))


@pytest.mark.shared_data
def test_inspect_of_published_models_fits_the_schema(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Real files have what made ones have not: hundreds of tensors, scales per axis, metadata."""
    for path in sorted(shared_data.glob("*/*.tflite")):
        inspect_model(str(path), as_json=True)
        report = _valid("inspect", capsys.readouterr().out)
        assert report["bytes"] == path.stat().st_size

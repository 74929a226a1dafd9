"""A network for a microcontroller: the same bytes in C, a program that feeds it right, nothing unproved."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import numpy as np
import pytest
import tflite
from make_tiny_model import Tiny

from edgecam.commands.compress_tiny import compress_tiny
from edgecam.compress import tiny as tiny_room
from edgecam.compress.calibration import find_pictures
from edgecam.compress.flatfile import tidy
from edgecam.compress.tiny import make_tiny
from edgecam.compress.tiny_project import _OPERATORS, Micro, project_files, resolver_methods
from edgecam.errors import EdgecamError, ModelError, UsageError
from edgecam.inference.self_test import synthetic_tensor
from edgecam.model.add import Told
from edgecam.model.graph import parse_graph
from edgecam.model.model import Model
from edgecam.model.store import load_model

STUB = Path(__file__).parents[1] / "support" / "tflm_stub"
SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "compress_tiny.schema.json"
NO_MICRO = "no TFLite Micro here: it is for 64-bit x86"
MEASURED = Micro("0.0", 900, 1024, rows=10, what="pictures", same=10, identical=9, largest=1, expected=2)


@pytest.fixture
def model(tiny: ModuleType, tmp_path: Path) -> Path:
    """An int8 model directory, its weights after the flatbuffer."""
    return Path(tiny.write_folder(tmp_path / "net", Tiny(dtype="int8", external=True)))


@pytest.fixture
def compiler() -> str:
    """A C++ compiler; skips aloud where there is none."""
    found = shutil.which("g++") or shutil.which("c++")
    if found is None:
        pytest.skip("no C++ compiler here: what is written in C is not compiled")
    return found


def write_project(model: Model, folder: Path) -> bytes:
    """The project's files as if TFLite Micro had been measured; returns the network."""
    data = tidy(model.path.read_bytes())
    graph = parse_graph(data, path=model.path)
    files = project_files(
        data,
        model.card,
        model.labels,
        methods=resolver_methods(graph.operators, path=model.path),
        ends=(graph.inputs[0], graph.outputs[0]),
        micro=MEASURED,
    )
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return data


def build(compiler: str, folder: Path, *more: str) -> Path:
    """A program of the folder's sources."""
    command = [compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{folder}", *more]
    subprocess.run([*command, "-o", folder / "program"], check=True, cwd=folder, timeout=60)
    return folder / "program"


def test_the_c_array_compiles_and_is_the_file_byte_for_byte(
    model: Path, tmp_path: Path, compiler: str
) -> None:
    """What is flashed is what was proved; 16 bytes aligned, with its length, labels, and hash."""
    folder = tmp_path / "micro"
    folder.mkdir()
    data = write_project(load_model(model), folder)
    (folder / "read_back.cc").write_text(
        '#include <cstdio>\n#include "model_data.h"\n'
        "int main() {\n"
        "  if (reinterpret_cast<unsigned long>(kModelData) % 16) return 1;\n"
        '  std::fprintf(stderr, "%s", kLabels[kClasses - 1]);\n'
        "  return std::fwrite(kModelData, 1, kModelDataBytes, stdout) != kModelDataBytes;\n"
        "}\n",
        encoding="utf-8",
    )
    program = build(compiler, folder, "read_back.cc", "model_data.cc")
    done = subprocess.run([program], capture_output=True, check=True, timeout=10)
    assert done.stdout == data
    assert done.stderr == b"rocket"
    assert hashlib.sha256(data).hexdigest() in (folder / "model_data.cc").read_text(encoding="utf-8")


@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_the_program_feeds_what_the_live_path_feeds(
    model: Path, tmp_path: Path, compiler: str, color: str
) -> None:
    """Mean, std, scale, zero point and the order of colours are in its table; a wrong answer is exit code 1.

    The interpreter is a stand-in: this says nothing about TFLite Micro's own sources.
    """
    card = model / "card.yaml"
    text = card.read_text(encoding="utf-8").replace(
        "mean: 128, std: 128", "mean: [120, 110, 100], std: [60, 128, 90]"
    )
    card.write_text(text.replace("color: rgb", f"color: {color}"), encoding="utf-8")
    loaded, folder = load_model(model), tmp_path / "micro"
    folder.mkdir()
    graph = parse_graph(write_project(loaded, folder), path=model)
    for best, code in ((MEASURED.expected, 0), (0, 1)):
        sizes = [f"-DSTUB_INPUT_BYTES={8 * 8 * 3}", "-DSTUB_CLASSES=4", f"-DSTUB_BEST={best}"]
        program = build(compiler, folder, f"-I{STUB}", *sizes, "main.cc", "model_data.cc")
        done = subprocess.run([program], capture_output=True, check=False, timeout=10)
        assert done.returncode == code, done.stderr
        assert done.stdout == synthetic_tensor(loaded.card.input, graph.inputs[0]).tobytes()


def test_labels_of_any_language_are_c_strings(tiny: ModuleType, tmp_path: Path, compiler: str) -> None:
    """Quotes, backslashes, trigraphs and umlauts arrive as they are."""
    labels = ('the "last"', "back\\slash", "what??/", "Bär 熊1")
    loaded = load_model(tiny.write_folder(tmp_path / "net", Tiny(dtype="int8"), labels=labels))
    folder = tmp_path / "micro"
    folder.mkdir()
    write_project(loaded, folder)
    source = (
        '#include <cstdio>\n#include "model_data.h"\nint main() { for (auto l : kLabels) std::puts(l); }\n'
    )
    (folder / "labels.cc").write_text(source, encoding="utf-8")
    done = subprocess.run(
        [build(compiler, folder, "labels.cc", "model_data.cc")], capture_output=True, check=True, timeout=10
    )
    assert tuple(done.stdout.decode().splitlines()) == labels


def test_the_resolver_gets_each_operator_once_by_its_method() -> None:
    """One too few fails on the device, one too many takes flash."""
    names = ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "AVERAGE_POOL_2D", "PADV2", "RELU6", "BATCH_MATMUL"]
    assert resolver_methods(names, path=Path("net")) == (
        "AddAveragePool2D", "AddBatchMatMul", "AddConv2D", "AddDepthwiseConv2D", "AddPadV2", "AddRelu6",
    )  # fmt: skip


def test_every_method_belongs_to_an_operator_of_the_schema() -> None:
    """A slip of the pen in the table would be a method that nobody has."""
    names = {name.replace("_", "").lower() for name in vars(tflite.BuiltinOperator) if name.isupper()}
    assert [name for name in _OPERATORS if name.lower() not in names] == []


def test_an_operator_that_micro_lacks_is_named() -> None:
    """Said here, not by a compiler or a device."""
    with pytest.raises(ModelError, match=r"net.tflite: TFLite Micro has no operator RFFT2D; export"):
        resolver_methods(["CONV_2D", "RFFT2D"], path=Path("net.tflite"))


def test_the_folder_is_a_model_that_edgecam_runs_too(model: Path, tmp_path: Path) -> None:
    """One thing to keep: array, card, labels and licence together, and what was measured in the README."""
    pytest.importorskip("tflite_micro", reason=NO_MICRO)
    (model / "LICENSE").write_text("as you like", encoding="utf-8")
    made = make_tiny(model, tmp_path / "micro")
    loaded = load_model(made.place)
    assert (loaded.name, loaded.labels[0]) == ("micro", "cat")
    assert loaded.path.read_bytes() == tidy((model / "model.tflite").read_bytes())
    assert (made.place / "LICENSE").read_text(encoding="utf-8") == "as you like"
    assert made.operators == ("AddFullyConnected", "AddSoftmax")
    assert (made.micro.rows, made.micro.what) == (tiny_room.MADE_PICTURES, "made pictures")
    assert made.agreement >= 0.99
    assert made.micro.used_bytes < made.micro.arena_bytes < 100_000
    assert f"constexpr std::size_t kArenaBytes = {made.micro.arena_bytes};" in (
        made.place / "main.cc"
    ).read_text(encoding="utf-8")
    assert not list(tmp_path.glob("**/.incoming"))


def test_too_little_agreement_leaves_nothing_behind(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that another kernel reads otherwise is no result."""
    pytest.importorskip("tflite_micro", reason=NO_MICRO)
    right = tiny_room.reference_scores

    def turned(tflite_bytes: bytes, inputs: Any) -> Any:
        return np.roll(right(tflite_bytes, inputs), 1, axis=1)

    monkeypatch.setattr(tiny_room, "reference_scores", turned)
    with pytest.raises(EdgecamError, match=r"name the same class on .* less than 0.99") as caught:
        make_tiny(model, tmp_path / "micro")
    assert caught.value.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net"]


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_only_int8_goes_to_a_microcontroller(tiny: ModuleType, tmp_path: Path, dtype: str) -> None:
    """TFLite Micro knows no other classifier; the remedy is named."""
    model = tiny.write_folder(tmp_path / "net", Tiny(dtype=dtype))
    with pytest.raises(ModelError, match=f"its input is {dtype}.*edgecam compress quantize"):
        make_tiny(model, tmp_path / "micro")


def test_what_is_no_folder_of_ours_stays(model: Path, tmp_path: Path) -> None:
    """`--force` replaces models only."""
    (tmp_path / "sources").mkdir()
    with pytest.raises(UsageError, match="is no model directory"):
        make_tiny(model, tmp_path / "sources", force=True)
    with pytest.raises(UsageError, match="is the very model that this is made of"):
        make_tiny(model, model, force=True)


def test_the_command_prints_what_its_schema_promises(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of a bare file, with what it does not say given beside it."""
    pytest.importorskip("tflite_micro", reason=NO_MICRO)
    told = Told(labels=model / "labels.txt", licence="none", source="made by a test")
    compress_tiny(str(model / "model.tflite"), out=tmp_path / "micro", bare=told, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(printed)
    assert set(printed) == set(schema["properties"])
    with pytest.raises(UsageError, match="has its own card"):
        compress_tiny(str(model), out=tmp_path / "other", bare=told)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "pictures", "labels", "arena_bytes"),
    [
        ("person_detect", "images/imagenet_sample", "no person\nperson\n", 85_264),
        ("pretrainedResnet_quant", "images/cifar10/test", "\n".join("abcdefghij"), 55_984),
    ],
)
def test_published_models_say_in_micro_what_the_reference_says(
    shared_data: Path, tmp_path: Path, name: str, pictures: str, labels: str, arena_bytes: int
) -> None:
    """On at least 99 of 100 pictures; one of the two is refused by LiteRT as it was published."""
    pytest.importorskip("tflite_micro", reason=NO_MICRO)
    (tmp_path / "labels.txt").write_text(labels, encoding="utf-8")
    told = Told(labels=tmp_path / "labels.txt", licence="Apache-2.0", source="published")
    compress_tiny(
        str(shared_data / "tinyml" / f"{name}.tflite"),
        out=tmp_path / "micro",
        pictures=shared_data / pictures,
        most_pictures=100,
        bare=told,
    )
    text = (tmp_path / "micro" / "README.md").read_text(encoding="utf-8")
    assert "on 100 pictures" in text
    assert f"took {arena_bytes}" in text
    assert len(find_pictures(shared_data / pictures, most=100)) == 100

"""ONNX Runtime as an engine: the same answers as LiteRT, and refusals that say what to do."""

from __future__ import annotations

import hashlib
import re
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from make_tiny_model import Tiny, make
from make_tiny_onnx import make_onnx

from edgecam.commands.inspect import inspect_model
from edgecam.config.loader import load_config
from edgecam.errors import ConfigError, EngineError, ModelError
from edgecam.inference.engine import open_engine
from edgecam.inference.litert import LiteRtEngine, find_runtime
from edgecam.inference.onnx import OnnxEngine
from edgecam.model.arena import arena_of
from edgecam.model.bare import bare_model
from edgecam.model.graph import parse_graph, read_graph
from edgecam.model.layers import layers_of
from edgecam.model.store import load_model
from edgecam.pipeline.assembly import assemble
from edgecam.pipeline.build import open_model

NO_RUNTIME = "the extra onnx is not installed: nothing runs .onnx models here"
TINY = Tiny(dtype="float32", shape=(1, 8, 6, 3))


def write(folder: Path, **spec: Any) -> Path:
    """The tiny network as `net.onnx`; keywords are those of `make_onnx`."""
    path = folder / "net.onnx"
    path.write_bytes(make_onnx(TINY, **spec))
    return path


@pytest.mark.parametrize("batch", [1, -1, "N"])
@pytest.mark.parametrize("channels_first", [True, False])
def test_scores_are_those_of_litert(tmp_path: Path, batch: str | int, *, channels_first: bool) -> None:
    """The same weights give the same scores within 1e-4, whatever the file's layout and batch."""
    pytest.importorskip("onnxruntime", reason=NO_RUNTIME)
    onnx = write(tmp_path, channels_first=channels_first, batch=batch)
    other = tmp_path / "net.tflite"
    other.write_bytes(make(TINY))
    model = bare_model(onnx, mean=[128], std=[128])
    assert model.card.output.kind == "probabilities"
    with open_engine(model, threads=1) as engine, LiteRtEngine(other, threads=1) as reference:
        assert engine.info.name == "onnxruntime/cpu"
        assert engine.input.shape == reference.input.shape == (1, 8, 6, 3)
        for seed in range(5):
            picture = np.random.default_rng(seed).uniform(-1, 1, TINY.shape).astype(np.float32)
            scores = engine.invoke(picture)
            assert scores.shape == (4,)
            np.testing.assert_allclose(scores, reference.invoke(picture), atol=1e-4)


@pytest.mark.parametrize("channels_first", [True, False])
def test_a_quantized_file_says_how_its_ends_are_read(tmp_path: Path, *, channels_first: bool) -> None:
    """Scales stand in the operators at both ends; pixels and scores go through them as in a `.tflite`."""
    pytest.importorskip("onnxruntime", reason=NO_RUNTIME)
    model = bare_model(write(tmp_path, channels_first=channels_first, quantized=True))
    other = tmp_path / "net.tflite"
    other.write_bytes(make(replace(TINY, dtype="uint8")))
    with open_engine(model, threads=1) as engine, LiteRtEngine(other, threads=1) as reference:
        assert (engine.input.scale, engine.input.zero_point) == (1 / 128, 128)
        assert (engine.output.scale, engine.output.zero_point) == (1 / 256, 0)
        picture = np.random.default_rng(0).integers(0, 256, TINY.shape).astype(np.uint8)
        off = engine.invoke(picture).astype(int) - reference.invoke(picture)
    # The other's logits are quantized, too: a step of theirs is an eighth, of a score of 1/4 at most 8 steps.
    assert np.abs(off).max() <= 8


def test_the_file_is_described_without_the_runtime(tmp_path: Path) -> None:
    """`inspect` tells ends, operators and weights of an ONNX file, with its input as channels last."""
    graph = read_graph(write(tmp_path, batch="N"))
    assert graph.inputs[0].shape == (1, 8, 6, 3)
    assert graph.outputs[0].shape == (1, 4)
    assert graph.operators == {"Conv": 1, "Flatten": 1, "Softmax": 1}
    assert graph.parameters == 4 * 8 * 6 * 3
    assert graph.macs == 4 * 8 * 6 * 3
    for channels_first in (True, False):
        for shapes in (True, False):
            graph = read_graph(write(tmp_path, channels_first=channels_first, shapes=shapes))
            assert graph.macs == 4 * 8 * 6 * 3, "shapes between the ends are worked out, if they are not said"
    assert read_graph(write(tmp_path, in_node=True)).parameters == 4 * 8 * 6 * 3
    assert read_graph(write(tmp_path, quantized=True)).parameters == 4 * 8 * 6 * 3, "a scale is no weight"
    assert read_graph(write(tmp_path, sides="S")).macs == 0, "of a picture of free size nobody knows"


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    """What lies in another file is in no SHA-256, so nobody would see that it was changed."""
    with pytest.raises(ModelError, match=r"net.onnx: keeps weights in another file; save it as one"):
        read_graph(write(tmp_path, external=True))


@pytest.mark.parametrize("place", ["node", "branch", "sparse", "function"])
def test_weights_in_another_file_are_refused_wherever_they_hide(tmp_path: Path, place: str) -> None:
    """Weights may lie in a node, in a branch, sparse or in a function, too: a runtime reads them."""
    with pytest.raises(ModelError, match=r"net.onnx: keeps weights in another file; save it as one"):
        read_graph(write(tmp_path, hidden=place))


def test_a_second_graph_is_refused(tmp_path: Path) -> None:
    """A runtime would merge two graphs, and what was checked would not be what runs."""
    with pytest.raises(ModelError, match=r"net.onnx: .*it has several graphs"):
        read_graph(write(tmp_path, hidden="second graph"))


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_an_endless_zero_point_is_no_zero_point(tmp_path: Path, value: float) -> None:
    """A damaged file's endless zero point is passed over, and no crash."""
    assert read_graph(write(tmp_path, quantized=True, zero_point=value)).inputs[0].zero_point is None


def test_a_free_size_is_refused(tmp_path: Path) -> None:
    """Only the batch may be free: nobody says how large the picture should be."""
    with pytest.raises(ModelError, match="no fixed size"):
        bare_model(write(tmp_path, sides="S"), mean=[0], std=[1])


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    """Whatever is cut off or flipped, the reader ends with a model or a ModelError, and soon."""
    whole = make_onnx(TINY)
    path = tmp_path / "net.onnx"
    refused = 0
    flips = [bytes([*whole[:at], whole[at] ^ 255, *whole[at + 1 :]]) for at in range(0, len(whole), 7)]
    for data in [b"", b"<html>", *(whole[:length] for length in range(0, len(whole), 31)), *flips]:
        path.write_bytes(data)
        try:
            read_graph(path)
        except ModelError as error:
            assert str(error).startswith(str(path))  # noqa: PT017 - either end is allowed
            refused += 1
    assert refused > len(whole) // 31


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_keeps_the_reader_busy(tmp_path: Path, data: st.DataObject) -> None:
    """Negative, huge or no sizes, anywhere: a model or a ModelError, never a loop or a crash."""
    shapes, in_node = data.draw(st.booleans()), data.draw(st.booleans())
    whole = bytearray(make_onnx(TINY, quantized=True, shapes=shapes, in_node=in_node))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole)))
        word = data.draw(
            st.sampled_from(
                [
                    b"\xff" * 9 + b"\x01",
                    b"\xf5" + b"\xff" * 8 + b"\x01",
                    b"\xff" * 8 + b"\x7f",
                    b"\0",
                    b"\x08",
                    b"\x0a",
                ]
            )
        )
        whole[at : at + data.draw(st.sampled_from([0, len(word)]))] = word
    with suppress(ModelError):
        graph = parse_graph(bytes(whole), path=tmp_path / "net.onnx")
        assert graph.parameters >= 0
        assert graph.macs >= 0
        assert len(layers_of(graph.subgraphs)) == len(graph.subgraphs[0].steps)
        arena = arena_of(graph.subgraphs[0])
        assert arena is None or arena.bytes >= arena.peak_bytes >= 0


def test_a_missing_runtime_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without onnxruntime the user is told what to install."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineError, match=r"net.onnx: .*pip install 'edgecam\[onnx\]'"):
        OnnxEngine(write(tmp_path), threads=1)


def test_a_provider_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A provider that this runtime lacks is an error that lists the others: the CPU is not taken silently."""
    pytest.importorskip("onnxruntime", reason=NO_RUNTIME)
    with pytest.raises(EngineError, match=r"has no NoneSuch, only .*CPUExecutionProvider"):
        OnnxEngine(write(tmp_path), threads=1, providers=["NoneSuch"])


def test_a_provider_that_takes_nothing_is_not_what_runs_the_model(tmp_path: Path) -> None:
    """`info` says what really runs: that a provider is there, and was named first, is no proof of it."""
    runtime = pytest.importorskip("onnxruntime", reason=NO_RUNTIME)
    idle = "AzureExecutionProvider"
    if idle not in runtime.get_available_providers():
        pytest.skip("this onnxruntime has no provider that takes nothing of an ordinary model")
    if not hasattr(runtime.InferenceSession, "get_provider_graph_assignment_info"):
        pytest.skip("this onnxruntime does not tell which provider took what; 1.24 does")
    with OnnxEngine(write(tmp_path), threads=1, providers=[idle]) as engine:
        assert engine.info.name == "onnxruntime/cpu"


def test_a_wrong_tensor_and_a_closed_engine_are_refused(tmp_path: Path) -> None:
    """Shape, dtype and a closed session are told as EngineError, not as the runtime's own exceptions."""
    pytest.importorskip("onnxruntime", reason=NO_RUNTIME)
    engine = OnnxEngine(write(tmp_path), threads=1)
    with pytest.raises(EngineError, match="the input must be"):
        engine.invoke(np.zeros((1, 3, 8, 6), np.float32))
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.invoke(np.zeros(TINY.shape, np.float32))


def test_a_model_directory_may_hold_an_onnx_file(
    tiny: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`model.onnx` is found where there is no `model.tflite`; `inspect` and `engine: auto` take it."""
    pytest.importorskip("onnxruntime", reason=NO_RUNTIME)
    folder = tiny.write_folder(tmp_path / "net", tiny.Tiny(dtype="float32", shape=TINY.shape))
    (folder / "model.tflite").unlink()
    data = make_onnx(TINY)
    (folder / "model.onnx").write_bytes(data)
    card = (folder / "card.yaml").read_text()
    digest = hashlib.sha256(data).hexdigest()
    (folder / "card.yaml").write_text(re.sub("sha256: .*", f"sha256: {digest}", card), encoding="utf-8")
    config = tmp_path / "config.yaml"
    config.write_text(
        f"models: {{default: {{path: {folder}, providers: [CPUExecutionProvider]}}}}\n", encoding="utf-8"
    )
    loaded = load_config(config, environ={})
    with open_model(loaded, assemble(loaded), "default") as engine:
        assert engine.info.name == "onnxruntime/cpu"
    inspect_model(str(folder))
    said = capsys.readouterr().out
    assert "model.onnx" in said
    assert "Softmax" in said


def test_a_directory_serves_two_engines_by_a_twin(tiny: ModuleType, tmp_path: Path) -> None:
    """`engine: onnx` runs the file that the card names for it, and no other; `auto` the model's own."""
    pytest.importorskip("onnxruntime", reason=NO_RUNTIME)
    folder = tiny.write_folder(tmp_path / "net", tiny.Tiny(dtype="float32", shape=TINY.shape))
    data = make_onnx(TINY)
    (folder / "model.onnx").write_bytes(data)
    with (folder / "card.yaml").open("a", encoding="utf-8") as card:
        card.write(f"twins: {{onnx: {{file: model.onnx, sha256: {hashlib.sha256(data).hexdigest()}}}}}\n")
    config = tmp_path / "config.yaml"
    names = set()
    for engine in ("auto", "onnx"):
        config.write_text(f"models: {{default: {{path: {folder}, engine: {engine}}}}}\n", encoding="utf-8")
        loaded = load_config(config, environ={})
        with open_model(loaded, assemble(loaded), "default") as opened:
            names.add(opened.info.runtime)
    assert names == {find_runtime().name, "onnxruntime"}
    (folder / "model.onnx").write_bytes(data + b"\x00")
    with pytest.raises(EngineError, match="is not the file that the card names for onnx"):
        open_engine(load_model(folder), engine="onnx", threads=1)


def test_providers_of_another_engine_are_refused(tiny: ModuleType, tmp_path: Path) -> None:
    """Execution providers that nothing would hear are a mistake, told at its place."""
    folder = tiny.write_folder(tmp_path / "net", tiny.Tiny())
    config = tmp_path / "config.yaml"
    config.write_text(f"models:\n  default:\n    path: {folder}\n    providers: [CPU]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config.yaml:4:5: models.default.providers: expected none"):
        assemble(load_config(config, environ={}))


def test_a_model_that_the_runtime_refuses(tmp_path: Path) -> None:
    """A graph that ends in nonsense is refused with the file's name and what to do."""
    pytest.importorskip("onnxruntime", reason=NO_RUNTIME)
    path = tmp_path / "net.onnx"
    path.write_bytes(make_onnx(TINY).replace(b"Softmax", b"Softmix"))
    with pytest.raises(EngineError, match=r"net.onnx: onnxruntime .* refuses the model: .*convert it again"):
        OnnxEngine(path, threads=1)

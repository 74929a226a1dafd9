"""Engines in a process of their own, and TFLite Micro, which needs one."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tiny_engine import install

from edgecam.config.loader import load_config
from edgecam.errors import ConfigError, EngineError
from edgecam.inference import child_process
from edgecam.inference.apart import ChildEngine
from edgecam.inference.engine import open_engine
from edgecam.inference.litert import LiteRtEngine, find_runtime
from edgecam.model.bare import bare_model
from edgecam.model.model import Model
from edgecam.pipeline.assembly import assemble


@pytest.fixture
def model(tiny: ModuleType, tmp_path: Path) -> Model:
    """A bare int8 model of 8x8 pixels and four classes."""
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(dtype="int8")))
    return bare_model(path)


@pytest.mark.parametrize("engine", ["tflm", "litert"])
def test_an_engine_apart_says_what_it_says_here(model: Model, engine: str) -> None:
    """Tensors go through shared memory unharmed; TFLite Micro's own kernels may round by a few steps."""
    if engine == "tflm":
        pytest.importorskip("tflite_micro", reason="no TFLite Micro here: it is for 64-bit x86")
    runtime = find_runtime().name
    picture = np.random.default_rng(0).integers(-128, 128, (1, 8, 8, 3)).astype(np.int8)
    with (
        ChildEngine(model, engine if engine == "tflm" else runtime, threads=1) as apart,
        LiteRtEngine(model.path, threads=1) as here,
    ):
        assert apart.info.runtime == {"tflm": "tflite-micro", "litert": runtime}[engine]
        off = apart.invoke(picture).astype(int) - here.invoke(picture)
        with pytest.raises(EngineError, match="the input must be"):
            apart.invoke(picture.astype(np.uint8))
    assert np.abs(off).max() <= (3 if engine == "tflm" else 0)
    with pytest.raises(EngineError, match="its engine is closed"):
        apart.invoke(picture)


def test_micro_is_opened_apart_and_tested_like_any_other(model: Model) -> None:
    """`open_engine` never lets it into this process, whoever asks."""
    pytest.importorskip("tflite_micro", reason="no TFLite Micro here: it is for 64-bit x86")
    with open_engine(model, engine="tflm", threads=4) as engine:
        assert isinstance(engine, ChildEngine)
        assert (engine.info.name, engine.info.threads) == ("tflite-micro/cpu", 1)


def test_micros_refusal_is_told_in_its_own_words(tiny: ModuleType, tmp_path: Path) -> None:
    """It writes its reason to stderr, and its exception says nothing: the user gets the former, as a line."""
    pytest.importorskip("tflite_micro", reason="no TFLite Micro here: it is for 64-bit x86")
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(dtype="uint8")))
    with pytest.raises(EngineError, match=r"net.tflite: TFLite Micro refuses the model: .*UINT8") as caught:
        open_engine(bare_model(path), engine="tflm", threads=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "during"),
    [({"opener": "import os; os.abort()"}, "opening"), ({"answer": "__import__('os').abort()"}, "inference")],
)
def test_a_library_that_aborts_ends_the_child_alone(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: dict[str, str], during: str
) -> None:
    """An abort is an EngineError here; an engine that has died so stays closed."""
    install(tmp_path / "site", **spec)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(tiny.Tiny()))
    picture = np.zeros((1, 8, 8, 3), np.uint8)
    monkeypatch.setattr(child_process, "_END_S", 10)
    said = rf"the engine abacus: its process ended during {during} \(SIGABRT\); use another engine or model"
    with pytest.raises(EngineError, match=said):
        ChildEngine(bare_model(path), "abacus", threads=1).invoke(picture)


@pytest.mark.parametrize("engine", ["tflm", "compiled"])
def test_an_engine_that_is_not_for_cameras_is_refused_with_its_place(
    tiny: ModuleType, tmp_path: Path, engine: str
) -> None:
    """What would end or mislead the service never starts: file, line, column, and what to use instead."""
    folder = tiny.write_folder(tmp_path / "net", tiny.Tiny())
    config = tmp_path / "config.yaml"
    config.write_text(f"models:\n  default:\n    path: {folder}\n    engine: {engine}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config.yaml:4:5: models.default.engine: expected an engine for"):
        assemble(load_config(config, environ={}))

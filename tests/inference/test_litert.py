"""The LiteRT engine against real models made by the test, on the runtime that is installed."""

from __future__ import annotations

import importlib
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from moody_delegate import MoodyDelegate
from numpy.typing import NDArray

from edgecam.errors import EngineError, LastingError
from edgecam.inference.delegates import use_of
from edgecam.inference.engine import default_threads, open_engine
from edgecam.inference.litert import LiteRtEngine, Runtime, find_runtime
from edgecam.inference.self_test import synthetic_picture
from edgecam.model.bare import bare_model
from edgecam.vision.postprocess import dequantize

Make = Callable[..., Path]


@pytest.fixture
def make(tiny: ModuleType, tmp_path: Path) -> Make:
    """Writes a bare model; keywords are those of `Tiny`."""

    def write(**spec: Any) -> Path:
        path = tmp_path / "net.tflite"
        path.write_bytes(tiny.make(tiny.Tiny(**spec)))
        return path

    return write


def _reference(tiny: ModuleType, dtype: str, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The tiny network in plain numpy: a matrix and a softmax."""
    matrix = tiny.weights(tiny.Tiny(dtype=dtype)).astype(np.float64)
    logits = matrix @ ((picture.astype(np.float64) - 128) / 128).reshape(-1)
    grown = np.exp(logits - logits.max())
    return np.asarray(grown / grown.sum())


def _tensor(dtype: str, picture: NDArray[np.uint8]) -> NDArray[Any]:
    pixels = picture[np.newaxis].astype(np.int16)
    if dtype == "float32":
        return ((pixels - 128) / 128).astype(np.float32)
    return (pixels - (128 if dtype == "int8" else 0)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
@pytest.mark.parametrize("external", [False, True])
def test_the_engine_computes_what_plain_numpy_does(
    tiny: ModuleType, make: Make, dtype: str, *, external: bool
) -> None:
    """Each dtype, weights inside or after the flatbuffer: the scores are those of the mathematics."""
    picture = synthetic_picture(8, 8)
    with LiteRtEngine(make(dtype=dtype, external=external), threads=1) as engine:
        raw = engine.invoke(_tensor(dtype, picture))
        assert (raw.shape, raw.dtype.name) == ((4,), dtype)
        scores = dequantize(raw, engine.output.scale, engine.output.zero_point)
    # A logit's step is 1/8, so a quantized score may be off by an eighth of itself and half a step.
    exact = _reference(tiny, dtype, picture)
    assert np.abs(scores - exact).max() < (1e-5 if dtype == "float32" else 0.07)
    assert scores.argmax() == exact.argmax()


def test_the_engine_says_what_it_is(make: Make) -> None:
    """`info` and tensors are published and checked; they come from the interpreter, not from the card."""
    with LiteRtEngine(make(dtype="int8"), threads=2) as engine:
        assert engine.info.name in ("litert/cpu", "tflite-runtime/cpu")
        assert engine.info.threads == 2
        assert engine.info.version[0].isdigit()
        assert (engine.input.shape, engine.input.dtype) == ((1, 8, 8, 3), "int8")
        assert (engine.input.scale, engine.input.zero_point) == (1 / 128, 0)
        assert (engine.output.shape, engine.output.scale, engine.output.zero_point) == ((1, 4), 1 / 256, -128)


def test_the_caller_owns_the_output(make: Make) -> None:
    """The next picture must not change the last one's scores, nor fail because they are still held."""
    with LiteRtEngine(make(), threads=1) as engine:
        first = engine.invoke(_tensor("uint8", synthetic_picture(8, 8)))
        kept = first.copy()
        second = engine.invoke(np.zeros((1, 8, 8, 3), np.uint8))
        assert (first == kept).all()
        assert (first != second).any()


@pytest.mark.parametrize(
    ("tensor", "got"),
    [
        (np.zeros((1, 8, 8, 3), np.int8), r"got \[1, 8, 8, 3\] int8"),
        (np.zeros((8, 8, 3), np.uint8), r"got \[8, 8, 3\] uint8"),
        (np.zeros((1, 8, 9, 3), np.uint8), r"got \[1, 8, 9, 3\] uint8"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(make: Make, tensor: NDArray[Any], got: str) -> None:
    """Expected and actual are told; the interpreter never sees it."""
    with LiteRtEngine(make(), threads=1) as engine, pytest.raises(EngineError, match=got):
        engine.invoke(tensor)


def test_a_closed_engine_says_so(make: Make) -> None:
    """Closing twice is harmless, using it afterwards is an error of its own."""
    engine = LiteRtEngine(make(), threads=1)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="its engine is closed"):
        engine.invoke(np.zeros((1, 8, 8, 3), np.uint8))


def test_a_runtimes_refusal_is_one_line_with_its_reason(make: Make) -> None:
    """File, runtime and the runtime's own words, without its stack of sentences."""
    with pytest.raises(EngineError) as caught:
        LiteRtEngine(make(custom_op="some-op"), threads=1)
    said = str(caught.value)
    assert "net.tflite: " in said
    assert "refuses the model: Encountered unresolved custom op: some-op; " in said
    assert "\n" not in said


@pytest.mark.parametrize(("operator", "preset"), [("edgetpu-custom-op", "coral"), ("ethos-u", "ethosu")])
def test_a_model_compiled_for_an_accelerator_names_the_delegate_that_it_needs(
    make: Make, tmp_path: Path, operator: str, preset: str
) -> None:
    """On the CPU as on another delegate; on its own, its library is wrong. Trying again is of no use."""
    moody = MoodyDelegate(tmp_path)
    path = make(custom_op=operator)
    for delegate in (None, use_of(str(moody.library), {})):
        with pytest.raises(LastingError, match=f"for the delegate {preset}: name it under twins: {preset}"):
            LiteRtEngine(path, threads=1, delegate=delegate)
    own = replace(use_of(preset, {}), libraries=(str(moody.library),))
    with pytest.raises(LastingError, match="compile it for this very device"):
        LiteRtEngine(path, threads=1, delegate=own)


def test_a_library_that_cannot_be_loaded_is_told_apart_from_one_that_is_not_there(
    make: Make, tmp_path: Path
) -> None:
    """A path has to be corrected, a package to be installed; and of two names the broken one is the cause."""
    path, absent, broken = make(), tmp_path / "libabsent.so", tmp_path / "libbroken.so"
    broken.write_bytes(b"not ELF")
    for library, what in ((absent, "has no library"), (broken, "has a library that cannot be used")):
        with pytest.raises(LastingError, match=rf"external {what}: {library}: .*; correct its path, or take"):
            LiteRtEngine(path, threads=1, delegate=use_of(str(library), {}))
    preset = replace(use_of("coral", {}), libraries=("libno-such-thing.so.9", str(broken)))
    with pytest.raises(LastingError, match=rf"coral has a library that cannot be used: {broken}: ") as told:
        LiteRtEngine(path, threads=1, delegate=preset)
    assert "libno-such-thing" not in str(told.value)
    assert str(told.value).endswith(preset.remedy)
    other = replace(preset, libraries=("libc.so.6",))
    with pytest.raises(LastingError, match=r"cannot be used: .*: is no TFLite delegate: it has no tflite_pl"):
        LiteRtEngine(path, threads=1, delegate=other)


@pytest.mark.shared_data
def test_a_published_twin_needs_its_delegate(shared_data: Path) -> None:
    """As edgetpu_compiler writes it."""
    with pytest.raises(LastingError, match="compiled for the delegate coral"):
        LiteRtEngine(shared_data / "models" / "mobilenet_v1_0.25_128_quant_edgetpu.tflite", threads=1)


def test_no_runtime_names_the_remedy(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without either package the user learns what to install."""
    for package in ("ai_edge_litert", "tflite_runtime"):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.setitem(sys.modules, f"{package}.interpreter", None)
    with pytest.raises(EngineError, match="no TFLite runtime is installed: `pip install ai-edge-litert`"):
        LiteRtEngine(make(), threads=1)


def test_tflite_runtime_is_taken_when_litert_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second choice is used under its own name and version."""
    package, module = ModuleType("tflite_runtime"), ModuleType("tflite_runtime.interpreter")
    package.__version__ = "2.14.0"  # type: ignore[attr-defined] # a made package
    module.Interpreter = object  # type: ignore[attr-defined] # a made package
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime", package)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", module)
    assert (find_runtime().name, find_runtime().version) == ("tflite-runtime", "2.14.0")


def test_numpy_2_beside_tflite_runtime_names_the_remedy(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """tflite-runtime then fails with a SystemError that tells a user nothing."""

    def fail(**_: object) -> None:
        raise SystemError("<built-in method CreateWrapperFromFile> returned a result with an exception set")

    litert = importlib.import_module("edgecam.inference.litert")
    monkeypatch.setattr(
        litert, "find_runtime", lambda: litert.Runtime("tflite-runtime", "2.14.0", staticmethod(fail))
    )
    with pytest.raises(EngineError, match=r"needs numpy 1: `pip install 'numpy<2'`"):
        LiteRtEngine(make(), threads=1)


@pytest.mark.parametrize(
    "fault", [MemoryError("std::bad_alloc"), ValueError("Mmap of '10' at offset '0' failed with error '12'.")]
)
def test_too_little_memory_is_no_fault_of_the_model(make: Make, fault: Exception) -> None:
    """Converting it again would not help."""

    def fail(**_: object) -> None:
        raise fault

    runtime = Runtime("litert", "2.3.0", staticmethod(fail))
    with pytest.raises(EngineError, match="too little memory for it: end other programs"):
        LiteRtEngine(make(), threads=1, runtime=runtime)


@pytest.mark.parametrize(("cores", "threads"), [(None, 1), (1, 1), (2, 1), (3, 2), (4, 3), (8, 3)])
def test_a_core_is_left_for_the_rest(cores: int | None, threads: int) -> None:
    """min(cores - 1, 3), at least 1."""
    assert default_threads(cores) == threads


def test_an_engine_may_be_opened_here_and_used_there(make: Make) -> None:
    """The main thread opens and proves it, the engine worker then owns it."""
    answers = []
    with open_engine(bare_model(make()), threads=1) as engine:
        tensor = _tensor("uint8", synthetic_picture(8, 8))
        worker = threading.Thread(target=lambda: answers.append(engine.invoke(tensor)))
        worker.start()
        worker.join(10)
    assert answers[0].shape == (4,)


def test_opening_says_so_in_the_log(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Which engine really runs is told once, with its version."""
    with caplog.at_level(logging.INFO), open_engine(bare_model(make(dtype="int8")), threads=1) as engine:
        assert (
            f"engine opened model=net engine={engine.info.name} version={engine.info.version}" in caplog.text
        )


def test_opening_leaves_stderr_clean(make: Make) -> None:
    """The native library announces its delegate once in a process, so this needs a fresh one."""
    program = (
        "import sys, pathlib\n"
        "from edgecam.inference.engine import open_engine\n"
        "from edgecam.model.bare import bare_model\n"
        "open_engine(bare_model(pathlib.Path(sys.argv[1])), threads=1).close()\n"
    )
    path = str(make(dtype="int8"))
    ended = subprocess.run([sys.executable, "-c", program, path], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["tf2_mobilenet_v2_1.0_224_ptq", "mobilenet_v1_0.25_128_quant"])
def test_published_networks_name_a_parrot(shared_data: Path, name: str) -> None:
    """A photo in, the right label out, through nothing but a resize."""
    model = bare_model(shared_data / "models" / f"{name}.tflite")
    photo = cv2.imread(str(shared_data / "images" / "parrot.jpg"))
    assert photo is not None
    size = (model.card.input.width_px, model.card.input.height_px)
    picture = cv2.resize(photo[..., ::-1], size, interpolation=cv2.INTER_LINEAR)
    with open_engine(model, threads=1) as engine:
        raw = engine.invoke(np.ascontiguousarray(picture)[np.newaxis])
    assert "macaw" in model.labels[int(raw.argmax())]


@pytest.mark.shared_data
def test_a_published_model_that_litert_refuses_gets_its_reason(shared_data: Path) -> None:
    """person_detect is sound to read, but its quantization is not."""
    with pytest.raises(EngineError) as caught:
        open_engine(bare_model(shared_data / "tinyml" / "person_detect.tflite"), threads=1)
    said = str(caught.value)
    assert "refuses the model: quantized_dimension must be in range [0, 1). Was 3; convert it again" in said
    assert "person_detect.tflite: " in said

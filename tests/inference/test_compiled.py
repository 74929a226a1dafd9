"""OpenVINO by LiteRT's CompiledModel: the real one, where the extra npu-intel is installed."""

from __future__ import annotations

import hashlib
import queue
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from edgecam.config.shipped import shipped_folder
from edgecam.errors import EngineError
from edgecam.inference.child_process import Order
from edgecam.inference.compiled import CompiledEngine, open_compiled
from edgecam.inference.delegates import DelegateUse, use_of
from edgecam.inference.engines import EngineRequest
from edgecam.inference.isolated import Change, IsolatedEngine
from edgecam.inference.litert import LiteRtEngine
from edgecam.inference.self_test import run_self_test
from edgecam.model.store import load_model
from edgecam.records import Image, PixelFormat
from edgecam.vision.geometry import View
from edgecam.vision.preprocess import Preprocessor

PHOTOS = Path(__file__).parents[1] / "data"
MODELS = ("efficientnet_lite0_int8", "efficientnet_lite0_160_int8")
# Of their int8 outputs: two ways of rounding in sixty layers.
MOST_STEPS = 24
WAIT_S = 60

needs_litert = pytest.mark.skipif(
    find_spec("ai_edge_litert") is None, reason="LiteRT is not in this set: no CompiledModel here"
)
needs_openvino = pytest.mark.skipif(
    find_spec("ai_edge_litert") is None or find_spec("openvino") is None,
    reason="the extra npu-intel is not installed: OpenVINO is not checked here (scripts/check-openvino does)",
)


def openvino(**options: str) -> DelegateUse:
    """The preset, with these options."""
    return DelegateUse("openvino", (), options, remedy="pip install 'edgecam[npu-intel]'")


@needs_openvino
@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8"])
def test_openvino_computes_what_litert_does(tiny: ModuleType, tmp_path: Path, dtype: str) -> None:
    """Each kind of tensor gets there and back, and the engine says what it ran on."""
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(dtype=dtype)))
    with CompiledEngine(path, threads=1, delegate=openvino(device="cpu")) as engine:
        cpu = LiteRtEngine(path, threads=1)
        assert (engine.input.shape, engine.input.dtype) == (cpu.input.shape, cpu.input.dtype)
        assert (engine.input.scale, engine.output.zero_point) == (cpu.input.scale, cpu.output.zero_point)
        assert (engine.info.name, engine.delegated, engine.operators) == ("litert/openvino-cpu", 2, 2)
        random = np.random.default_rng(1)
        for _ in range(5):
            pixels = random.integers(0, 256, engine.input.shape, np.uint8)
            tensor = pixels.view(dtype) if dtype != "float32" else (pixels / 128 - 1).astype(np.float32)
            found, expected = engine.invoke(tensor), cpu.invoke(tensor)
            assert found.dtype == expected.dtype
            assert np.allclose(
                found.astype(float), expected.astype(float), atol=1e-3 if dtype == "float32" else 1
            )


@needs_openvino
@pytest.mark.parametrize("name", MODELS)
def test_the_shipped_models_answer_as_on_the_cpu(name: str) -> None:
    """The card's self-test passes, and both photographs get the CPU's first label."""
    check_photos(name, sorted(PHOTOS.glob("*.jpg")), least_agreement=1.0)


@needs_openvino
@pytest.mark.shared_data
@pytest.mark.parametrize("name", MODELS)
def test_the_sample_photos_get_the_labels_of_the_cpu(name: str, shared_data: Path) -> None:
    """Two roundings in sixty layers may turn a tie, and no more than that."""
    photos = sorted((shared_data / "images" / "imagenet_sample").glob("*.JPEG"))
    assert len(photos) >= 50
    check_photos(name, photos, least_agreement=0.95)


def check_photos(name: str, photos: list[Path], *, least_agreement: float) -> None:
    """The same first label for so many of the photos, and scores that are near."""
    model = load_model(shipped_folder() / "models" / name)
    with CompiledEngine(model.path, threads=1, delegate=openvino(device="cpu")) as engine:
        run_self_test(engine, model)
        cpu = LiteRtEngine(model.path, threads=1)
        see = Preprocessor(model.card.input, cpu.input, View())
        same, off = 0, 0
        for photo in photos:
            pixels = cv2.imread(str(photo))
            assert pixels is not None
            tensor = see(
                Image(np.asarray(pixels, np.uint8), PixelFormat.BGR, pixels.shape[1], pixels.shape[0])
            )
            found, expected = engine.invoke(tensor).astype(int), cpu.invoke(tensor).astype(int)
            same += int(found.argmax() == expected.argmax())
            off = max(off, int(np.abs(found - expected).max()))
    said = f"{same} of {len(photos)} have the same first label, scores are up to {off} steps apart"
    assert same >= least_agreement * len(photos), said
    assert off <= MOST_STEPS, said


@needs_openvino
@pytest.mark.skipif(any(Path("/dev/accel").glob("accel*")), reason="there is an NPU here")
def test_a_device_that_is_not_there_is_an_error_and_not_the_cpu(tiny: ModuleType, tmp_path: Path) -> None:
    """LiteRT itself would run the model on the CPU, call it fully accelerated, and say nothing."""
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(dtype="float32")))
    with pytest.raises(EngineError, match=r"openvino cannot be used: .*; pip install"):
        CompiledEngine(path, threads=1, delegate=openvino(device="npu"))


@needs_openvino
def test_stderr_is_not_flooded(tiny: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """LiteRT writes some forty lines while it compiles."""
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(dtype="float32")))
    with CompiledEngine(path, threads=1, delegate=openvino(device="cpu")) as engine:
        engine.invoke(np.zeros(engine.input.shape, np.float32))
    engine.close()
    assert capfd.readouterr().err == ""
    with pytest.raises(EngineError, match="is closed"):
        engine.invoke(np.zeros(engine.input.shape, np.float32))


@needs_openvino
def test_it_serves_from_a_child_process_in_silence(
    tiny: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As edgecam runs it: its lock on Python is the child's own, and so is the end of its libraries."""
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(dtype="float32")))
    cpu = LiteRtEngine(path, threads=1)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    use = use_of("openvino", {"device": "cpu"})
    changes: queue.Queue[Change] = queue.Queue()
    tensor = np.random.default_rng(3).normal(size=cpu.input.shape).astype(np.float32)
    expected = cpu.invoke(tensor)
    with IsolatedEngine(
        cpu,
        Order(path, sha256, use.engine, use, 1, cpu.input, cpu.output),
        known=tensor,
        told=changes.put,
        signs=lambda: None,
    ) as engine:
        change = changes.get(timeout=WAIT_S)
        assert (change.why, change.info.name) == ("", "litert/openvino-cpu")
        assert (change.delegated, change.operators) == (2, 2)
        assert np.allclose(engine.invoke(tensor), expected, atol=1e-3)
        assert engine.info.name == "litert/openvino-cpu"
    assert capfd.readouterr().err == ""


@needs_openvino
@pytest.mark.parametrize(
    ("options", "said"),
    [({"device": "vpu"}, 'got "vpu"'), ({"NO_SUCH_PROPERTY": "1"}, "NO_SUCH_PROPERTY")],
)
def test_a_wrong_option_is_named(
    tiny: ModuleType, tmp_path: Path, options: dict[str, str], said: str
) -> None:
    """Whatever is not `device` is a property of OpenVINO's, and it judges those."""
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(dtype="float32")))
    with pytest.raises(EngineError, match=said):
        CompiledEngine(path, threads=1, delegate=openvino(**options))


@needs_litert
@pytest.mark.skipif(find_spec("openvino") is not None, reason="OpenVINO is installed here")
def test_a_missing_library_is_told_with_the_remedy(tiny: ModuleType, tmp_path: Path) -> None:
    """The plug-in in LiteRT's own package needs OpenVINO, which is another 300 MB."""
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(dtype="float32")))
    with pytest.raises(EngineError, match=r"no module openvino; pip install 'edgecam\[npu-intel\]'"):
        CompiledEngine(path, threads=1, delegate=openvino())


@needs_litert
def test_an_unknown_option_of_webgpu_is_named(tiny: ModuleType, tmp_path: Path) -> None:
    """Its options are two, and a misspelt one must not be passed over."""
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(tiny.Tiny(dtype="float32")))
    use = DelegateUse("webgpu", (), {"floats": "1"}, remedy="install a driver")
    with pytest.raises(EngineError, match="has no option floats; take float32 or software"):
        CompiledEngine(path, threads=1, delegate=use)


def test_without_a_delegate_there_is_nothing_to_compile_for(tmp_path: Path) -> None:
    """CompiledModel on the CPU would hold Python's lock for nothing."""
    request = EngineRequest(tmp_path / "net.tflite", threads=1)
    with pytest.raises(EngineError, match="set delegate: openvino or webgpu"):
        open_compiled(request)

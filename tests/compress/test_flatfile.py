"""Finished files: the same network, readable by the simplest reader, and mended where converters erred."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from make_tiny_model import Tiny
from numpy.typing import NDArray

from edgecam.compress.flatfile import computed_tensors, input_tensor, tidy, with_signature
from edgecam.errors import EngineError, ModelError
from edgecam.inference.litert import LiteRtEngine

MODELS = Path(__file__).parents[2] / "models"


def answer(tflite: bytes, folder: Path) -> NDArray[Any]:
    """What LiteRT says of one picture of noise."""
    path = folder / "net.tflite"
    path.write_bytes(tflite)
    with LiteRtEngine(path, threads=1) as engine:
        noise = np.random.default_rng(0).integers(0, 256, engine.input.shape, np.uint8)
        return engine.invoke(
            noise.view(engine.input.dtype) if engine.input.dtype != "float32" else noise / 255
        )


def packed(model: Any) -> bytes:
    """As a file."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def test_weights_after_the_flatbuffer_come_inside_and_are_aligned(tiny: ModuleType, tmp_path: Path) -> None:
    """A microcontroller reads `Buffer.data` in place, 16 bytes aligned; it looks nowhere else."""
    outside = tiny.make(Tiny(dtype="int8", external=True))
    inside = tidy(outside)
    buffers = schema.ModelT.InitFromPackedBuf(inside, 0).buffers
    assert [buffer.offset for buffer in buffers if buffer.offset > 1] == []
    root = schema.Model.GetRootAs(inside, 0)
    for index in range(root.BuffersLength()):
        values = root.Buffers(index).DataAsNumpy()
        if isinstance(values, np.ndarray) and values.size:
            start = np.frombuffer(inside, np.uint8).ctypes.data
            assert (values.ctypes.data - start) % 16 == 0
    assert (answer(inside, tmp_path) == answer(outside, tmp_path)).all()


def test_names_are_short_and_the_ends_are_called_as_what_they_are(tiny: ModuleType) -> None:
    """Names take flash and say nothing there."""
    tidied = tidy(tiny.make(Tiny(dtype="int8")))
    graph = schema.ModelT.InitFromPackedBuf(tidied, 0).subgraphs[0]
    assert {tensor.name.decode() for tensor in graph.tensors} == {"image", "t1", "t2", "t3", "logits"}
    assert input_tensor(tidied) == "image"
    assert computed_tensors(tidied) == ("image", "t3", "logits")


def test_the_shipped_models_are_as_they_would_be_written(tmp_path: Path) -> None:
    """A change here would change the bytes of published models."""
    for folder in sorted(MODELS.iterdir()):
        shipped = (folder / "model.tflite").read_bytes()
        assert tidy(shipped) == shipped, tmp_path


def test_a_bias_with_the_axis_of_its_weights_is_mended(tiny: ModuleType, tmp_path: Path) -> None:
    """Old files for microcontrollers have it, and LiteRT refuses them."""
    model = schema.ModelT.InitFromPackedBuf(tiny.make(Tiny(dtype="int8")), 0)
    model.subgraphs[0].tensors[2].quantization.quantizedDimension = 3
    broken = packed(model)
    with pytest.raises(EngineError, match="quantized_dimension"):
        answer(broken, tmp_path)
    assert (answer(tidy(broken), tmp_path) == answer(tiny.make(Tiny(dtype="int8")), tmp_path)).all()


def test_a_file_without_a_signature_gets_one_and_another_keeps_its_own(tiny: ModuleType) -> None:
    """The quantizer calibrates by signatures alone."""
    bare = tiny.make(Tiny(dtype="float32"))
    signed, key, name = with_signature(bare)
    assert (key, name) == ("serving_default", "image")
    assert with_signature(signed) == (signed, key, name)
    (signature,) = schema.ModelT.InitFromPackedBuf(signed, 0).signatureDefs
    assert [entry.tensorIndex for entry in (*signature.inputs, *signature.outputs)] == [0, 4]


@pytest.mark.parametrize("change", ["graphs", "inputs"])
def test_what_is_no_single_classifier_is_refused(tiny: ModuleType, change: str) -> None:
    """Renaming the first graph of two would be half a job."""
    model = schema.ModelT.InitFromPackedBuf(tiny.make(Tiny()), 0)
    if change == "graphs":
        model.subgraphs = [*model.subgraphs, *model.subgraphs]
    else:
        model.subgraphs[0].inputs = [0, 1]
    with pytest.raises(ModelError, match="one graph with one input and one output"):
        tidy(packed(model))


def test_what_is_no_tflite_file_is_refused(tiny: ModuleType) -> None:
    """Not by a message of the flatbuffer library."""
    with pytest.raises(ModelError, match=r"expected a \.tflite file"):
        tidy(b"\x08\x07onnx and more")
    with pytest.raises(ModelError, match="is damaged"):
        tidy(tiny.make(Tiny())[:200])

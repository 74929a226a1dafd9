"""LiteRT's CompiledModel: an NPU by its vendor's plug-in (OpenVINO), or a GPU by WebGPU.

It holds Python's global lock while the network runs, and talks on stderr: so it is for a child process
only. Where a plug-in or a device is missing it runs on the CPU and does not say so. Hence it is asked for
the accelerator alone, and refuses then if a single operator is left over; with the CPU beside it, its log
has to say how many were taken.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import EngineError, LastingError, ModelError
from edgecam.inference import compiled_log
from edgecam.inference.delegates import DelegateUse
from edgecam.inference.engine import EngineInfo
from edgecam.inference.engines import EngineRequest
from edgecam.inference.habits import ClosedAfterUse, check_input
from edgecam.inference.memory import give_back_memory
from edgecam.inference.presence import has_intel_npu
from edgecam.inference.quiet import stderr_caught
from edgecam.model.graph import read_graph

_REFUSALS = (ValueError, RuntimeError, OSError, TypeError)
_NEEDS = "pip install 'ai-edge-litert>=2.3'"
_AUTO, _CPU, _GPU, _NPU = "auto", "cpu", "gpu", "npu"
_TRUE = {"true", "yes", "on", "1"}


def open_compiled(request: EngineRequest) -> CompiledEngine:
    """Open a model on the accelerator that `request.delegate` names; raises EngineError."""
    if request.delegate is None:
        raise EngineError(
            f"{request.path}: the engine compiled is for accelerators: leave engine: auto, "
            "and set delegate: openvino or webgpu"
        )
    return CompiledEngine(request.path, threads=request.threads, delegate=request.delegate)


class CompiledEngine(ClosedAfterUse):
    """A model on an accelerator; an `Engine`. Compiles in the constructor.

    Args:
        path: the `.tflite` file.
        threads: for what runs on the CPU, at least 1.
        delegate: the preset `openvino` or `webgpu`, and its options.

    Raises:
        EngineError: library, device or driver is missing, an option is wrong, or nothing is accelerated.
    """

    def __init__(self, path: Path, *, threads: int, delegate: DelegateUse) -> None:
        litert = _import(delegate)
        self._path = path
        try:
            graph = read_graph(path)
        except ModelError as error:
            raise EngineError(str(error)) from error
        self.input, self.output = graph.inputs[0], graph.outputs[0]
        self._dtype = np.dtype(self.input.dtype)
        self.operators = len(graph.subgraphs[0].steps)
        """So many has the model."""
        self.delegated = self.operators
        """So many run on the accelerator."""
        accelerator, options = _wanted(litert, delegate, threads)
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._compiled = alone = _compile(litert, path, accelerator, options)
        if alone.model is None:
            beside = accelerator | litert.HardwareAccelerator.CPU
            self._compiled = _compile(litert, path, beside, options)
            self.delegated = compiled_log.taken_over(self._compiled.said)
        if self._compiled.model is None or not self.delegated:
            self.close()
            raise EngineError(
                f"{path}: the delegate {delegate.name} cannot be used: {alone.why}; {delegate.remedy}"
            )
        try:
            name = _ran_on(self._compiled, delegate)
            self.info = EngineInfo("litert", _version(), delegate=name, threads=threads)
            self._make_buffers()
        except EngineError:
            self.close()
            raise

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """Run the network once; see `Engine.invoke`."""
        check_input(self._path, self.input, tensor)
        if self._compiled.model is None:
            raise EngineError(f"{self._path}: its engine is closed")
        try:
            self._inputs[0].write(tensor)
            self._compiled.model.run_by_index(0, self._inputs, self._outputs)
            count = int(np.prod(self.output.shape))
            output: NDArray[Any] = self._outputs[0].read(count, np.dtype(self.output.dtype))
        except _REFUSALS as error:
            raise EngineError(
                f"{self._path}: {self.info.name} failed: {compiled_log.reason('', str(error))}"
            ) from error
        return output

    def close(self) -> None:
        """Let the accelerator go; may be called twice."""
        if self._compiled.model is not None:
            with stderr_caught(), suppress(*_REFUSALS):
                for buffer in (*self._inputs, *self._outputs):
                    buffer.destroy()
                self._inputs, self._outputs = [], []
                self._compiled = _Compiled(None, "", "")
            give_back_memory()

    def _make_buffers(self) -> None:
        """The tensors' own: those made from an array have one dimension, which no picture fits."""
        model = self._compiled.model
        with stderr_caught():
            try:
                self._inputs, self._outputs = model.create_input_buffers(0), model.create_output_buffers(0)
                # The first copy makes an environment, and speaks of it.
                self._inputs[0].write(np.zeros(self.input.shape, self._dtype))
            except _REFUSALS as error:
                raise EngineError(
                    f"{self._path}: {self.info.name} gives no memory for its tensors: "
                    f"{compiled_log.reason('', str(error))}"
                ) from error


@dataclass(frozen=True, slots=True)
class _Compiled:
    """What came of one attempt."""

    model: Any
    """None: refused."""
    said: str
    """All that LiteRT wrote to stderr meanwhile."""
    why: str
    """The cause, if it was refused."""


def _import(delegate: DelegateUse) -> ModuleType:
    try:
        litert = importlib.import_module("ai_edge_litert.compiled_model")
        litert.IntelOpenVinoOptions, litert.GpuOptions  # noqa: B018 - are they there?
    except (ImportError, AttributeError) as error:
        raise LastingError(
            f"the delegate {delegate.name} needs LiteRT 2.3 or newer, on 64 bits: {error}; {_NEEDS}"
        ) from error
    if delegate.name == "openvino" and find_spec("openvino") is None:
        raise LastingError(f"the delegate openvino has no library: no module openvino; {delegate.remedy}")
    return litert


def _version() -> str:
    return str(getattr(importlib.import_module("ai_edge_litert"), "__version__", "unknown"))


def _wanted(litert: ModuleType, delegate: DelegateUse, threads: int) -> tuple[Any, dict[str, Any]]:
    """Which accelerator, and with which groups of options."""
    options: dict[str, Any] = {"cpu_options": litert.CpuOptions(num_threads=threads)}
    given = dict(delegate.options)
    if delegate.name == "openvino":
        device = _device(given.pop("device", _AUTO))
        if device == _CPU:
            given.setdefault("INFERENCE_NUM_THREADS", str(threads))
        options["intel_openvino_options"] = litert.IntelOpenVinoOptions(
            graph_backend=litert.IntelOpenVinoOptions.GRAPH_BACKEND[device.upper()], configs_map=given
        )
        return litert.HardwareAccelerator.NPU, options
    unknown = given.keys() - {"float32", "software"}
    if unknown:
        raise LastingError(
            f"the delegate {delegate.name} has no option {', '.join(sorted(unknown))}; "
            "take float32 or software"
        )
    options["gpu_options"] = litert.GpuOptions(enforce_f32=_is_on(given, "float32"))
    return litert.HardwareAccelerator.GPU, options


def _device(asked: str) -> str:
    """OpenVINO's device; by itself an NPU of Intel's that the kernel knows, else the CPU."""
    device = asked.lower()
    if device == _AUTO:
        return _NPU if has_intel_npu() else _CPU
    if device not in (_CPU, _GPU, _NPU):
        raise LastingError(f'delegate_options.device: expected auto, cpu, gpu or npu, got "{asked}"')
    return device


def _is_on(given: Mapping[str, str], name: str) -> bool:
    return str(given.get(name, "")).lower() in _TRUE


def _compile(litert: ModuleType, path: Path, accelerators: Any, options: dict[str, Any]) -> _Compiled:
    """Try these accelerators and no others."""
    model, fault = None, ""
    with stderr_caught() as caught:
        try:
            model = litert.CompiledModel.from_file(
                str(path), options=litert.Options(hardware_accelerators=accelerators, **options)
            )
        except _REFUSALS as error:
            # Its words alone: with the error, what was opened would live on, and tell of its end later.
            fault = str(error)
    return _Compiled(model, caught.text, compiled_log.reason(caught.text, fault) if fault else "")


def _ran_on(compiled: _Compiled, delegate: DelegateUse) -> str:
    """The delegate's name, with what is behind it. Raises EngineError: that is no GPU."""
    if delegate.name == "openvino":
        device = compiled_log.openvino_device(compiled.said)
        return delegate.name if device is None else f"{delegate.name}-{device.lower()}"
    adapter = compiled_log.gpu_adapter(compiled.said)
    if adapter is not None and adapter[1] and not _is_on(delegate.options, "software"):
        raise EngineError(
            f"the delegate {delegate.name} finds no GPU but {adapter[0]}, software on the CPU that is far "
            "slower than LiteRT there; install the GPU's Vulkan driver, or set "
            "delegate_options: {software: on}"
        )
    return delegate.name

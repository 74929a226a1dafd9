"""ONNX Runtime: models in `.onnx` files, on the CPU or by an execution provider of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import EngineError, ModelError
from edgecam.inference.engine import EngineInfo
from edgecam.inference.engines import EngineRequest
from edgecam.inference.habits import ClosedAfterUse, check_input
from edgecam.inference.memory import give_back_memory
from edgecam.model.graph import Graph, read_graph
from edgecam.model.onnx_file import SUFFIX
from edgecam.model.onnx_tensors import channels_first
from edgecam.records import TensorSpec

CPU = "CPUExecutionProvider"
_DTYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(int8)": "int8"}
_MOST_REASON_CHARS = 200
_FATAL_ONLY = 4


class OnnxEngine(ClosedAfterUse):
    """A model in a session of ONNX Runtime; an `Engine`. Loads in the constructor.

    Its input is told as NHWC; a network that has channels first gets a transposed copy.

    Args:
        path: the `.onnx` file.
        threads: for the network's kernels, at least 1.
        providers: execution providers by their own names, best first; empty: the CPU.

    Raises:
        EngineError: no runtime, a provider that it has not, or it refuses the model.
    """

    def __init__(self, path: Path, *, threads: int, providers: Sequence[str] = ()) -> None:
        if path.suffix != SUFFIX:
            raise EngineError(
                f"{path}: the engine onnx runs {SUFFIX} files; take another engine for it, or auto"
            )
        quantized, runtime = _read(path), _runtime(path)
        wanted = list(providers) or [CPU]
        available = runtime.get_available_providers()
        if absent := [name for name in wanted if name not in available]:
            raise EngineError(
                f"{path}: this onnxruntime has no {', '.join(absent)}, only {', '.join(available)}; "
                "install the onnxruntime that was built with it, or correct providers"
            )
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = _FATAL_ONLY
        # A thread that spins while it waits takes the core that capture and MQTT need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Those before 1.24 do not know it, and pass it over.
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        self._path = path
        try:
            session = runtime.InferenceSession(str(path), options, providers=wanted)
            ends = session.get_inputs()[0], session.get_outputs()[0]
        except Exception as error:  # its exceptions have no common class but Exception
            raise EngineError(
                f"{path}: onnxruntime {runtime.__version__} refuses the model: {_reason(error)}; "
                "convert it again with a current converter, or use another model"
            ) from error
        self._session: Any = session
        shape = _fixed(ends[0].shape)
        self._channels_first = channels_first(shape)
        if self._channels_first:
            shape = [shape[0], shape[2], shape[3], shape[1]]
        self.input = _spec(ends[0], shape, quantized.inputs)
        self.output = _spec(ends[1], _fixed(ends[1].shape), quantized.outputs)
        self.info = EngineInfo("onnxruntime", runtime.__version__, _delegate(session), threads)

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """Run the network once; see `Engine.invoke`."""
        check_input(self._path, self.input, tensor)
        if self._session is None:
            raise EngineError(f"{self._path}: its engine is closed")
        if self._channels_first:
            tensor = np.ascontiguousarray(tensor.transpose(0, 3, 1, 2))
        try:
            output: NDArray[Any] = self._session.run([self.output.name], {self.input.name: tensor})[0]
        except Exception as error:  # as above
            raise EngineError(f"{self._path}: {self.info.name} failed: {_reason(error)}") from error
        return output.reshape(-1)

    def close(self) -> None:
        """Let the session and its memory go; may be called twice."""
        if self._session is not None:
            self._session = None
            give_back_memory()


def open_onnx(request: EngineRequest) -> OnnxEngine:
    """The engine `onnx`."""
    return OnnxEngine(request.path, threads=request.threads, providers=request.providers)


def _runtime(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineError(
            f"{path}: an ONNX model needs onnxruntime ({error}): `pip install 'edgecam[onnx]'`"
        ) from error
    return onnxruntime


def _delegate(session: Any) -> str:
    """The first provider that runs a part of the model, in short: `cpu`, `openvino`.

    One may be there and take nothing. Where the runtime does not tell who took what: the first that there is.
    """
    providers = [str(name) for name in session.get_providers()]
    tell = getattr(session, "get_provider_graph_assignment_info", None)
    working = set(providers) if tell is None else {str(part.ep_name) for part in tell()}
    first = next((name for name in providers if name in working), providers[0])
    return first.removesuffix("ExecutionProvider").lower()


def _fixed(shape: Sequence[Any]) -> list[int]:
    """The shape for one picture: what is free is 1."""
    return [size if isinstance(size, int) and size > 0 else 1 for size in shape]


def _read(path: Path) -> Graph:
    """The session does not say how a quantized end is read; the file does."""
    try:
        return read_graph(path)
    except ModelError as error:
        raise EngineError(str(error)) from error


def _spec(end: Any, shape: Sequence[int], described: Sequence[TensorSpec]) -> TensorSpec:
    dtype = _DTYPES.get(end.type, str(end.type))
    same = next((spec for spec in described if spec.name == end.name), None)
    scale, zero_point = (None, None) if same is None else (same.scale, same.zero_point)
    return TensorSpec(name=end.name, shape=tuple(shape), dtype=dtype, scale=scale, zero_point=zero_point)


def _reason(error: BaseException) -> str:
    text = str(error).strip().split("\n", 1)[0].rstrip(".")
    return (text or type(error).__name__)[:_MOST_REASON_CHARS]

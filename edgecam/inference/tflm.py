"""TFLite Micro, as microcontrollers run it: to see what a model meant for them does, not to serve cameras.

It ends the process when it meets what it does not know: so it is for a child process only. One thread,
plain kernels, a fixed arena for all tensors.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import EngineError, ModelError
from edgecam.inference.engine import EngineInfo
from edgecam.inference.engines import EngineRequest
from edgecam.inference.habits import ClosedAfterUse, check_input
from edgecam.inference.quiet import stderr_caught
from edgecam.model.graph import read_graph, read_model_bytes

_REFUSALS = (ValueError, RuntimeError, OSError)
_MOST_REASON_CHARS = 200
# Of its arena: tensors alone need far less, but an arena that is too small ends the process.
_TIMES_MODEL, _LEAST_ARENA_BYTES = 10, 4_000_000


class TflmEngine(ClosedAfterUse):
    """A model in TFLite Micro's interpreter; an `Engine`. Loads in the constructor.

    Args:
        path: the `.tflite` file.

    Raises:
        EngineError: the runtime is absent, or refuses the model.
    """

    def __init__(self, path: Path) -> None:
        runtime = _runtime(path)
        self._path = path
        try:
            graph, data = read_graph(path), read_model_bytes(path)
        except ModelError as error:
            raise EngineError(str(error)) from error
        self.input, self.output = graph.inputs[0], graph.outputs[0]
        self.info = EngineInfo("tflite-micro", _version(), delegate="cpu", threads=1)
        arena_bytes = max(_TIMES_MODEL * len(data), _LEAST_ARENA_BYTES)
        try:
            with stderr_caught() as said:
                self._interpreter: Any = runtime.Interpreter.from_bytes(data, arena_size=arena_bytes)
        except _REFUSALS as error:
            raise EngineError(
                f"{path}: TFLite Micro refuses the model: {_reason(error, said.text)}; "
                "use an int8 model of operators that it has"
            ) from error

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """Run the network once; see `Engine.invoke`."""
        check_input(self._path, self.input, tensor)
        if self._interpreter is None:
            raise EngineError(f"{self._path}: its engine is closed")
        try:
            self._interpreter.set_input(tensor, 0)
            self._interpreter.invoke()
            output: NDArray[Any] = np.array(self._interpreter.get_output(0))
        except _REFUSALS as error:
            raise EngineError(f"{self._path}: TFLite Micro failed: {_reason(error, '')}") from error
        return output.reshape(-1)

    def close(self) -> None:
        """Let the interpreter go; may be called twice."""
        self._interpreter = None


def open_tflm(request: EngineRequest) -> TflmEngine:
    """The engine `tflm`, for the process that it may end."""
    return TflmEngine(request.path)


def _runtime(path: Path) -> Any:
    try:
        from tflite_micro.python.tflite_micro import runtime
    except ImportError as error:
        raise EngineError(
            f"{path}: TFLite Micro is not installed ({error}): `pip install 'edgecam[tflm]'` (64-bit x86)"
        ) from error
    return runtime


def _version() -> str:
    try:
        return version("tflite-micro")
    except PackageNotFoundError:
        return "unknown"


def _reason(error: BaseException, said: str) -> str:
    """What it wrote to stderr says more than its exception."""
    lines = [line for line in (*said.splitlines(), str(error)) if line.strip()]
    return (lines[0] if lines else type(error).__name__).strip().rstrip(".")[:_MOST_REASON_CHARS]

"""The TFLite runtimes: `ai_edge_litert`, else `tflite_runtime`; on the CPU, with XNNPACK, or with a delegate.

One thread owns one interpreter. Its tensors are only ever copied in and out: a live view would make the
next `invoke` fail, and copying costs microseconds.
"""

from __future__ import annotations

import ctypes
import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from platform import machine
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.errors import EngineError, LastingError
from edgecam.inference.delegates import EXTERNAL, DelegateUse, compiled_for
from edgecam.inference.engine import EngineInfo
from edgecam.inference.engines import EngineRequest
from edgecam.inference.habits import ClosedAfterUse, check_input
from edgecam.inference.memory import give_back_memory
from edgecam.inference.quiet import Caught, chatter_caught, stderr_caught
from edgecam.records import TensorSpec

_RUNTIMES = (
    ("litert", "ai_edge_litert", "`pip install ai-edge-litert` (64-bit Linux, Python 3.10 or newer)"),
    ("tflite-runtime", "tflite_runtime", "`pip install 'edgecam[tflite]'` (Python 3.11, numpy 1)"),
)
_MOST_REASON_CHARS = 200
_CALLBACK_FAULT = re.compile(
    r"^Exception ignored (?:on|in|while) .*ctypes.*\n(?:Traceback .*\n|[ \t]+.*\n)*UnicodeDecodeError: .*\n?",
    re.MULTILINE,
)
"""What Python writes when a library's words cannot be decoded in the runtime's callback."""
_ABSENT = "cannot open shared object file: No such file or directory"
_ENTRY = "tflite_plugin_create_delegate"
_CUSTOM = re.compile(r"unresolved custom op: ([\w-]+)")
# SystemError: tflite_runtime beside numpy 2.
_REFUSALS = (ValueError, RuntimeError, SystemError, OSError, MemoryError)
_NO_MEMORY = re.compile(r"[Ff]ailed with error '12'|Cannot allocate memory")


@dataclass(frozen=True, slots=True)
class Runtime:
    """An installed runtime."""

    name: str
    version: str
    interpreter: Any
    """Its `Interpreter` class."""
    module: Any = None
    """Where that is from; it has `load_delegate`, too."""


def find_runtime(wanted: str | None = None) -> Runtime:
    """The best runtime that is installed.

    Args:
        wanted: no other than the one of this name.

    Raises:
        EngineError: there is none; says how to install one.
    """
    possible = [row for row in _RUNTIMES if wanted in {None, row[0]}]
    for name, package, _ in possible:
        try:
            module = importlib.import_module(f"{package}.interpreter")
        except ImportError:
            continue
        version = getattr(importlib.import_module(package), "__version__", "unknown")
        return Runtime(name, str(version), module.Interpreter, module)
    what = "no TFLite runtime is" if wanted is None else f"{wanted} is not"
    raise EngineError(f"{what} installed: {', or '.join(remedy for _, _, remedy in possible)}")


class LiteRtEngine(ClosedAfterUse):
    """A model in a TFLite interpreter; an `Engine`. Loads in the constructor.

    Args:
        path: the `.tflite` file.
        threads: for the network's kernels, at least 1.
        delegate: takes over what it can. Its library may abort or hang: only for a process that may.
        runtime: one that was found; None: the best that is installed.

    Raises:
        EngineError: no runtime, the runtime refuses the model, or the delegate cannot be had.
    """

    def __init__(
        self, path: Path, *, threads: int, delegate: DelegateUse | None = None, runtime: Runtime | None = None
    ) -> None:
        runtime = runtime or find_runtime()
        self._path = path
        name = "cpu" if delegate is None else delegate.name
        self.info = EngineInfo(runtime.name, runtime.version, delegate=name, threads=threads)
        loaded = None if delegate is None else [_load(runtime, delegate)]
        try:
            with chatter_caught():
                interpreter = runtime.interpreter(
                    model_path=str(path), num_threads=threads, experimental_delegates=loaded
                )
                # Before the tensors are allocated: XNNPACK is a delegate, too, and comes then.
                self.delegated, self.operators = coverage(interpreter) if loaded else (0, 0)
                interpreter.allocate_tensors()
                details = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        except _REFUSALS as error:
            kind = LastingError if _CUSTOM.search(str(error)) else EngineError
            raise kind(
                f"{path}: {runtime.name} {runtime.version} refuses the model: {_reason(error)}; "
                f"{_remedy(error, name)}"
            ) from error
        self._interpreter: Any = interpreter
        self.input, self.output = (_spec(detail) for detail in details)
        self._input_index, self._output_index = (detail["index"] for detail in details)

    def invoke(self, tensor: NDArray[Any], /) -> NDArray[Any]:
        """Run the network once; see `Engine.invoke`."""
        check_input(self._path, self.input, tensor)
        if self._interpreter is None:
            raise EngineError(f"{self._path}: its engine is closed")
        try:
            self._interpreter.set_tensor(self._input_index, tensor)
            self._interpreter.invoke()
            output: NDArray[Any] = self._interpreter.get_tensor(self._output_index)
        except _REFUSALS as error:
            raise EngineError(f"{self._path}: {self.info.name} failed: {_reason(error)}") from error
        return output.reshape(-1)

    def close(self) -> None:
        """Let the interpreter and its memory go; may be called twice."""
        if self._interpreter is not None:
            self._interpreter = None
            give_back_memory()


def open_litert(request: EngineRequest) -> LiteRtEngine:
    """The engine `litert`."""
    return _open(request, "litert")


def open_tflite_runtime(request: EngineRequest) -> LiteRtEngine:
    """The engine `tflite-runtime`."""
    return _open(request, "tflite-runtime")


def _open(request: EngineRequest, name: str) -> LiteRtEngine:
    return LiteRtEngine(
        request.path, threads=request.threads, delegate=request.delegate, runtime=find_runtime(name)
    )


def coverage(interpreter: Any) -> tuple[int, int]:
    """How many of its operators the interpreter has given to delegates, and how many there are."""
    steps = interpreter._get_ops_details()  # noqa: SLF001 - there is no public way to ask
    delegates = [step for step in steps if step["op_name"] == "DELEGATE"]
    own = {int(made): step for step in steps if step["op_name"] != "DELEGATE" for made in step["outputs"]}
    taken: set[int] = set()
    for delegate in delegates:
        given = {int(tensor) for tensor in delegate["inputs"]}
        left = [int(tensor) for tensor in delegate["outputs"]]
        while left:
            step = own.get(left.pop())
            if step is not None and step["index"] not in taken:
                taken.add(step["index"])
                left.extend(int(tensor) for tensor in step["inputs"] if int(tensor) not in given)
    return len(taken), len(steps) - len(delegates)


def _load(runtime: Runtime, use: DelegateUse) -> Any:
    """The delegate from the first of its libraries that is there."""
    unloaded = []
    for library in use.libraries:
        caught = Caught()
        try:
            # The runtime's own attempt leaves an exception on stderr if the library is not there.
            if not hasattr(ctypes.CDLL(library), _ENTRY):
                unloaded.append((library, f"{library}: is no TFLite delegate: it has no {_ENTRY}"))
                continue
            with stderr_caught() as caught:
                return runtime.module.load_delegate(library, dict(use.options))
        except OSError as error:
            unloaded.append((library, _reason(error)))
        except (ValueError, AttributeError) as error:
            remedy = use.remedy
            if use.name != EXTERNAL:
                remedy = f"see that its device is there, may be opened, and fits the library: {remedy}"
            raise EngineError(
                f"the delegate {use.name} refuses: {_refusal(error, caught.text)}; {remedy}"
            ) from error
    raise LastingError(f"the delegate {use.name} {_unloaded(use, unloaded)}")


def _unloaded(use: DelegateUse, said: list[tuple[str, str]]) -> str:
    """Why there is none of its libraries, by name and the loader's words, and what to do."""
    # What is there and lacks something is more to the point than what is not there.
    broken = [words for name, words in said if not words.startswith(f"{name}: {_ABSENT}")]
    what = "has a library that cannot be used" if broken else "has no library"
    remedy = use.remedy
    if use.name == EXTERNAL:
        remedy = f"correct its path, or take the one that was built for this processor ({machine()})"
    return f"{what}: {'; '.join(broken or [words for _, words in said])}; {remedy}"


def _refusal(error: BaseException, written: str) -> str:
    """Why a delegate is none: what its library reported, else the first that it wrote to stderr."""
    _first, *reported = str(error).strip().split("\n")
    said = _CALLBACK_FAULT.sub("", written)
    if said != written and not reported:
        said = f"it says why in bytes that are no UTF-8 text\n{said}"
    lines = [line.strip() for line in (*reported, *said.splitlines(), str(error)) if line.strip()]
    return lines[0][:_MOST_REASON_CHARS]


def _spec(detail: dict[str, Any]) -> TensorSpec:
    scales = detail["quantization_parameters"]["scales"]
    zero_points = detail["quantization_parameters"]["zero_points"]
    single = len(scales) == 1 and scales[0] > 0
    return TensorSpec(
        name=str(detail["name"]),
        shape=tuple(int(size) for size in detail["shape"]),
        dtype=np.dtype(detail["dtype"]).name,
        scale=float(scales[0]) if single else None,
        zero_point=int(zero_points[0]) if single else None,
    )


def _reason(error: BaseException) -> str:
    """The first sentence: the runtimes glue a sentence per tensor together without a space."""
    text = str(error).strip().split("\n", 1)[0]
    first = re.split(r"(?<=\.)(?=[A-Z])", text, maxsplit=1)[0].strip().rstrip(".")
    return (first or type(error).__name__)[:_MOST_REASON_CHARS]


def _remedy(error: BaseException, running_on: str) -> str:
    if isinstance(error, SystemError):
        return "tflite-runtime needs numpy 1: `pip install 'numpy<2'`"
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        return "there is too little memory for it: end other programs, or use a smaller model"
    found = _CUSTOM.search(str(error))
    delegate = compiled_for(found[1]) if found else None
    if delegate is not None and delegate.name == running_on:
        return "compile it for this very device with a current compiler, or update the delegate's library"
    if delegate is not None:
        return (
            f"it was compiled for the delegate {delegate.name}: name it under twins: {delegate.name} in the "
            "card of the model that it was compiled from, and use that one (docs/models.md)"
        )
    return "convert it again with a current converter, or use another model"

"""Which engines there are: edgecam's own, and those that other installed packages bring.

Both are entry points: a name, and where its opener is, which is imported only when that engine is wanted.
docs/engines.md says how to write one.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from edgecam.errors import EngineError
from edgecam.inference.delegates import DelegateUse
from edgecam.inference.engine import Engine
from edgecam.model.graph import is_tflite

GROUP = "edgecam.engines"
"""The entry point group in which a package names its engines."""
AUTO = "auto"
"""In the place of a name: chosen by the model's file and by what is installed."""


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What an engine is to open; later versions of edgecam may add to it."""

    path: Path
    """The model's file."""
    threads: int
    """For the network's kernels, at least 1."""
    delegate: DelegateUse | None = None
    """Takes over what it can; None: the CPU does all."""
    providers: tuple[str, ...] = ()
    """ONNX Runtime's execution providers, best first; empty: the CPU."""


Opener = Callable[[EngineRequest], Engine]

# A new engine is a new row.
_OWN = {
    name: EntryPoint(name, f"edgecam.inference.{opener}", GROUP)
    for name, opener in (
        ("litert", "litert:open_litert"),
        ("tflite-runtime", "litert:open_tflite_runtime"),
        ("compiled", "compiled:open_compiled"),
        ("onnx", "onnx:open_onnx"),
        ("hailo", "hailo:open_hailo"),
        ("imx500", "imx500:open_imx500"),
        ("tflm", "tflm:open_tflm"),
    )
}
_BY_ENDING = {".onnx": "onnx", ".hef": "hailo", ".rpk": "imx500"}


APART = frozenset({"tflm"})
"""These may end their process, so `open_engine` gives them one of their own."""
_NOT_SERVING = {
    "compiled": "it is for accelerators: leave engine: auto, and set delegate: openvino or webgpu",
    "tflm": "TFLite Micro is for looking at models for microcontrollers: edgecam classify --engine tflm",
}


def engine_names() -> tuple[str, ...]:
    """All that `load_engine` knows, edgecam's own first; their libraries may be absent."""
    return (*_OWN, *plug_in_names())


def plug_in_names() -> tuple[str, ...]:
    """Those of installed packages."""
    return tuple(sorted(entry_points(group=GROUP).names - _OWN.keys()))


def engine_for(path: Path) -> str:
    """The name of the engine that `auto` takes for a model's file.

    Raises:
        EngineError: there is none.
    """
    if path.suffix in _BY_ENDING:
        return _BY_ENDING[path.suffix]
    if not is_tflite(path):
        raise EngineError(
            f"{path}: no engine of edgecam's is for such files; name the one that is: models.<name>.engine"
        )
    from edgecam.inference.litert import find_runtime

    try:
        return find_runtime().name
    except EngineError as error:
        raise EngineError(f"{path}: {error}") from error


def takes_providers(engine: str, path: Path) -> bool:
    """Whether `EngineRequest.providers` counts for the engine, or for the one that `auto` takes."""
    return engine == "onnx" or (engine == AUTO and _BY_ENDING.get(path.suffix) == "onnx")


def why_not_serving(engine: str) -> str:
    """Why an engine is not for cameras, and what it is for; empty: it is."""
    why = _NOT_SERVING.get(engine)
    return f'expected an engine for cameras, got "{engine}": {why}' if why else ""


def unknown_engine(name: str) -> str:
    """What to tell somebody who asked for an engine that is not there."""
    known = engine_names()
    near = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean "{near[0]}"?' if near else "install the package that brings it"
    return f'expected {AUTO} or an installed engine ({", ".join(known)}), got "{name}"; {hint}'


def load_engine(name: str, request: EngineRequest) -> Engine:
    """Open a model in the engine of that name; its answers are not checked, `open_engine` does that.

    Raises:
        EngineError: there is no such engine, it cannot be imported, or it refuses.
    """
    point = _find(name)
    if point is None:
        raise EngineError(f"{request.path}: {unknown_engine(name)}")
    try:
        opener: Opener = point.load()
    except Exception as error:  # whatever a stranger's module does while it is imported
        raise EngineError(
            f"the engine {name} cannot be imported ({point.value}): {type(error).__name__}: {error}; "
            "install its package anew"
        ) from error
    try:
        return opener(request)
    except EngineError:
        raise
    except Exception as error:  # a stranger's opener; ours raise nothing else
        raise EngineError(
            f"{request.path}: the engine {name} refuses the model: {type(error).__name__}: {error}"
        ) from error


def _find(name: str) -> EntryPoint | None:
    """Ours first: no package can take the place of an engine of edgecam's."""
    if name in _OWN:
        return _OWN[name]
    return next(iter(entry_points(group=GROUP, name=name)), None)
